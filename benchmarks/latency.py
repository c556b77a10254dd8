"""How long after a key does the answer come, while somebody types at the speed of people?

Types lines of a real file again, into the real server over stdio: keys with gaps drawn from a
log-normal distribution around 150 ms, pauses before a line, mistypings that are taken back, Enter
with the editor's indentation, and a suggestion accepted where it is right: the rest of the line, or
a start of it that saves three characters. Every key sends the change and asks for an inline
completion, as VS Code and Neovim do; a request that is still open when the next key comes is
cancelled. The same seed types the same keys.

Answers are split by what the server had to do:

- `cold`: the cursor came from elsewhere;
- `new_line`: the first answer on a line that Enter opened; `foreseen`: one that was there;
- `same_line`: a later key on a line, so the context is there;
- `cache_hit`: the key continued the suggestion that was shown.

`offers`: what was on the screen when the next key came, each text once, and how much of it was
right. A cancelled request counts as `overtaken`; its time, to the reply that says so, is told
apart. The last line on stdout is one JSON document, which --out also writes to a file.
"""

from __future__ import annotations

import argparse
import math
import os
import queue
import random
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lsp_session import AUTOMATIC, Server, some_file

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.evaluate.percentile import percentile
from diffusion.text.languages import language_for_path

WORK = ("cold", "new_line", "foreseen", "same_line", "cache_hit")
KEY_MEDIAN_MS, KEY_SPREAD = 150.0, 0.45
PAUSE_MS = (500.0, 1600.0)
TYPO_SHARE, LINES_AT_A_PLACE = 0.03, 3
WORTH_A_KEY = 3  # characters that an acceptance saves at least
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a character, "\\n" or "\\b", and the milliseconds since the one before it."""

    character: str
    gap_ms: float


@dataclass(slots=True)
class Asked:
    """A request under way, and what became of it."""

    work: str
    begun_s: float
    version: int = 0
    ms: float = 0.0
    items: list[str] = field(default_factory=list)
    trace: Json = field(default_factory=dict)
    overtaken: bool = False
    done: threading.Event = field(default_factory=threading.Event)


def keys_for(line: str, rng: random.Random, pause_ms: tuple[float, float]) -> list[Key]:
    """How a person types `line`, without its indentation and its end.

    `pause_ms`: the shortest and the longest pause before its first key.
    """
    keys: list[Key] = []
    for character in line.strip():
        gap_ms = min(KEY_MEDIAN_MS * math.exp(rng.gauss(0.0, KEY_SPREAD)), 900.0)
        if not keys:
            gap_ms = rng.uniform(*pause_ms)
        if rng.random() < TYPO_SHARE and character.isalpha():
            keys.append(Key(rng.choice("etaoin"), gap_ms))
            keys.append(Key("\b", 2 * KEY_MEDIAN_MS))
            gap_ms = KEY_MEDIAN_MS
        keys.append(Key(character, gap_ms))
    return keys


class Connection:
    """A server whose replies are read on a thread of their own, so that keys never wait."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: dict[int, Asked] = {}
        self._traces: queue.SimpleQueue[Json] = queue.SimpleQueue()
        self._next = 1_000_000
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Read replies until `shut_down`."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def request(self, method: str, params: Json | None, asked: Asked) -> int:
        with self._lock:
            self._next += 1
            number = self._next
            self._waiting[number] = asked
            self._server._send({"id": number, "method": method, "params": params})
        return number

    def notify(self, method: str, params: Json) -> None:
        with self._lock:
            self._server.notify(method, params)

    def shut_down(self) -> None:
        last = Asked("", time.perf_counter())
        self.request("shutdown", None, last)
        last.done.wait(60)
        self.notify("exit", {})
        self._thread.join(60)

    def _read(self) -> None:
        while True:
            try:
                message = self._server._read()
            except RuntimeError:  # the server has ended
                return
            asked = self._waiting.pop(message.get("id", -1), None)
            if asked is None or "method" in message:
                continue
            if asked.work == "trace":
                asked.trace = message.get("result") or {}
            else:
                asked.ms = 1000 * (time.perf_counter() - asked.begun_s)
                asked.overtaken = "error" in message
                result = message.get("result") or {}
                asked.items = [item["insertText"] for item in result.get("items", ())]
            asked.done.set()


class Typist:
    """One document, a cursor, and a person who sees what the server offers."""

    def __init__(self, connection: Connection, file: Path, pause_ms: tuple[float, float]) -> None:
        self.uri = f"file:///typing/{file.name}"
        self._pause_ms = pause_ms
        self._connection = connection
        self._version = 1
        self.asked: list[Asked] = []
        self.accepted: list[int] = []
        """Characters of each acceptance."""
        self.offers: list[tuple[str, bool]] = []
        """What was seen, and whether it was right, but for what was only typed along."""
        self._open: tuple[int, Asked] | None = None
        text, language = file.read_text("utf-8"), language_for_path(file.name)
        document = {"uri": self.uri, "languageId": language, "version": 1, "text": text}
        connection.notify("textDocument/didOpen", {"textDocument": document})

    def retype(self, line: int, lines: list[str], rng: random.Random) -> None:
        """Delete `lines`, which begin at `line`, and type them again."""
        self._change((line, 0), (line + len(lines), 0), "\n")
        for offset, target in enumerate(lines):
            indent = target[: len(target) - len(target.lstrip())]
            at = (line + offset, 0)
            self._change(at, at, indent)
            column, work = len(indent), "new_line" if offset else "cold"
            self._ask((line + offset, column), work)
            keys = keys_for(target, rng, self._pause_ms)
            column = self._type(line + offset, column, target, keys)
            end = (line + offset, column)
            self._change((line + offset, 0), end, target)  # whatever was mistyped is mended
            if offset + 1 < len(lines):
                time.sleep(KEY_MEDIAN_MS / 1000)
                end = (line + offset, len(target))
                self._change(end, end, "\n")

    def _type(self, line: int, column: int, target: str, keys: list[Key]) -> int:
        """Type a line, but for what is accepted; the column reached."""
        there = 0  # characters that were accepted, whose keys are not pressed
        for number, key in enumerate(keys):
            mistyped = keys[number + 1 : number + 2] and keys[number + 1].character == "\b"
            if there > 0:
                there -= key.character != "\b" and not mistyped
                continue
            time.sleep(key.gap_ms / 1000)
            offered = None if key.character == "\b" else self._offered()
            if offered is not None and len(offered) > column:
                right = target.startswith(offered)
                self._see(offered[column:], right)
                if right and len(offered) >= column + min(WORTH_A_KEY, len(target) - column):
                    there = len(offered) - column
                    self._change((line, column), (line, column), offered[column:])
                    self.accepted.append(there)
                    column = len(offered)
                    if column < len(target):
                        self._ask((line, column), "same_line")
                    there -= not mistyped  # this key is one of them
                    continue
            if key.character == "\b":
                self._change((line, column - 1), (line, column), "")
                column -= 1
            else:
                self._change((line, column), (line, column), key.character)
                column += 1
            self._ask((line, column), "same_line")
        return column

    def _see(self, text: str, right: bool) -> None:
        """Note what is on the screen, unless it is the rest of what was."""
        if not (self.offers and self.offers[-1][0].endswith(text)):
            self.offers.append((text, right))

    def _offered(self) -> str | None:
        """The line as it would be: an item replaces the whole of it."""
        if self._open is None or not self._open[1].done.is_set():
            return None
        items = self._open[1].items
        return items[0] if items else None

    def _ask(self, at: tuple[int, int], work: str) -> None:
        if self._open is not None and not self._open[1].done.is_set():
            self._connection.notify("$/cancelRequest", {"id": self._open[0]})
        asked = Asked(work, time.perf_counter(), self._version)
        params = {
            "textDocument": {"uri": self.uri},
            "position": {"line": at[0], "character": at[1]},
            "context": {"triggerKind": AUTOMATIC},
        }
        number = self._connection.request("textDocument/inlineCompletion", params, asked)
        self._open = (number, asked)
        self.asked.append(asked)
        threading.Thread(target=self._explain, args=(asked,), daemon=True).start()

    def _explain(self, asked: Asked) -> None:
        """Fetch the trail as soon as the answer is there."""
        if asked.done.wait(60) and not asked.overtaken:
            trail = Asked("trace", time.perf_counter())
            self._connection.request("diffill/explainLast", None, trail)
            if trail.done.wait(60) and trail.trace.get("version") == asked.version:
                asked.trace = trail.trace

    def _change(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        self._version += 1
        where = {
            "start": {"line": start[0], "character": start[1]},
            "end": {"line": end[0], "character": end[1]},
        }
        self._connection.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self._version},
                "contentChanges": [{"range": where, "text": text}],
            },
        )


def places(text: str, count: int) -> list[tuple[int, list[str]]]:
    """`count` runs of code lines, evenly over the file."""
    lines = text.split("\n")
    runs = [
        (at, lines[at : at + LINES_AT_A_PLACE])
        for at in range(len(lines) - LINES_AT_A_PLACE)
        if all(len(line.strip()) > 3 and '"""' not in line for line in lines[at : at + 3])
    ]
    return [runs[(2 * n + 1) * len(runs) // (2 * count)] for n in range(count)]


def measure(arguments: argparse.Namespace) -> Json:
    """Type at every place; what came of it."""
    text = arguments.file.read_text("utf-8")
    rng = random.Random(arguments.seed)
    with Path(os.devnull).open("wb") as log:
        server = Server([sys.executable, "-m", "lsp_server"], log)
        options: Json = {"performance": {"encodeAhead": not arguments.no_ahead}}
        options["inline"] = {"extent": arguments.extent}
        if arguments.debounce != "0":
            wait = arguments.debounce
            options["inline"]["debounceMs"] = int(wait) if wait.isdigit() else wait
        if arguments.model:
            options["model"] = {"path": str(Path(arguments.model).resolve())}
        server.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": {"textDocument": {"inlineCompletion": {}}},
                "initializationOptions": options,
            },
        )
        server.notify("initialized", {})
        connection = Connection(server)
        connection.listen()
        typist = Typist(connection, arguments.file, tuple(arguments.pause_ms))
        typist._ask((0, 0), "load")
        typist.asked[0].done.wait(120)
        for line, lines in places(text, arguments.places):
            typist.retype(line, lines, rng)
        typist.asked[-1].done.wait(60)
        memory_mb = server.memory_mb()
        connection.shut_down()
    facts = {
        "file": arguments.file.name,
        "encode_ahead": not arguments.no_ahead,
        "debounce": arguments.debounce,
        "extent": arguments.extent,
        "pause_ms": arguments.pause_ms,
    }
    return facts | summary(typist, memory_mb)


def summary(typist: Typist, memory_mb: float | None) -> Json:
    """Times by what had to be done, per-stage medians, and how often something was offered."""
    rows = typist.asked[1:]
    answered = [asked for asked in rows if asked.done.is_set() and not asked.overtaken]
    for asked in answered:
        if asked.trace.get("cacheHit"):
            asked.work = "foreseen" if asked.work == "new_line" else "cache_hit"
    stages: dict[str, list[float]] = defaultdict(list)
    for asked in answered:
        for stage in asked.trace.get("stages", ()):
            stages[stage["name"]].append(stage["ms"])
    return {
        "keys": len(rows),
        "answered": len(answered),
        "overtaken": sum(asked.overtaken for asked in rows),
        "offered": sum(bool(asked.items) for asked in answered),
        "accepted": len(typist.accepted),
        "accepted_characters": sum(typist.accepted),
        "offers": {
            "texts": len(typist.offers),
            "right": sum(right for _, right in typist.offers),
            "characters": sum(len(text) for text, _ in typist.offers),
            "right_characters": sum(len(text) for text, right in typist.offers if right),
        },
        **_times([asked.ms for asked in answered]),
        "overtaken_reply": _times([asked.ms for asked in rows if asked.overtaken]),
        "by_work": {
            work: {
                "answered": len(found := [a for a in answered if a.work == work]),
                "context_cached": sum(bool(a.trace.get("contextCached")) for a in found),
                "context_read_p50": _median(found, "contextRead"),
                **_times([a.ms for a in found]),
            }
            for work in WORK
        },
        "stage_ms_p50": {name: round(statistics.median(ms), 2) for name, ms in stages.items()},
        "steps_p50": _median(answered, "steps"),
        "reasons": dict(Counter(a.trace.get("reason") for a in answered if not a.items)),
        "peak_memory_mb": memory_mb,
    }


def _median(answered: list[Asked], name: str) -> float | None:
    values = [asked.trace[name] for asked in answered if name in asked.trace]
    return statistics.median(values) if values else None


def _times(times: list[float]) -> Json:
    return {f"ms_p{n}": round(percentile(times, n), 1) for n in (50, 95, 99) if times}


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=some_file(), metavar="FILE")
    parser.add_argument(
        "--pause-ms", type=float, nargs=2, default=PAUSE_MS, metavar=("LO", "HI"),
        help="before the first key of a line",
    )
    parser.add_argument("--places", type=int, default=12, metavar="N", help="of three lines each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="", metavar="DIR", help="another model folder")
    parser.add_argument("--no-ahead", action="store_true", help="encode nothing ahead of need")
    parser.add_argument(
        "--debounce", default="0", metavar="MS|adaptive", help="diffill.inline.debounceMs"
    )
    parser.add_argument(
        "--extent", choices=("sure", "whole"), default="sure", help="diffill.inline.extent"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the result here too")
    arguments = parser.parse_args()
    check_places(("--out", arguments.out), read=[arguments.file], what="the file of --file")
    result = {
        "benchmark": "latency",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model": Path(arguments.model).name or "bundled",
        **measure(arguments),
    }
    finish(result, arguments.out)


if __name__ == "__main__":
    main()
