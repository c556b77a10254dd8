"""How long does an editor wait for the language server, and how often does it get a candidate?

Starts the real server over stdio, opens a Python file of more than 500 lines (by default one of
pygls, which is not in the training corpus), and asks at positions spread over it, editing the
file as a person would: text right of the cursor is deleted first (`mid_line`), a line is opened
(`new_line`), or nothing is changed (`line_end`). At each place it asks as an editor does while
one types, then as by key, and, where a line is being written, once more after one typed
character; afterwards the edit is taken back. Times are split by what the server had to do:

- `cold`: the cursor came from elsewhere, so the context is encoded;
- `new_line`: a line was opened, so the context is encoded;
- `same_line`: one more character on the same line, so the context is there;
- `by_key`: asked again at the same place, several candidates, the context is there.

The last line on stdout is one JSON document, which --out also writes to a file.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import time
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.evaluate.percentile import percentile

PLACES = ("line_end", "mid_line", "new_line")
WORK = ("cold", "new_line", "same_line", "by_key")
AUTOMATIC, INVOKED = 2, 1  # LSP's InlineCompletionTriggerKind
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor, and the text of its line that is deleted, or the indentation of an opened line."""

    kind: str
    line: int
    character: int
    deletes: str = ""
    opens: str = ""

    @property
    def types(self) -> str:
        """One character that is written next; none where the line is complete."""
        return {"mid_line": self.deletes[:1], "new_line": "r"}.get(self.kind, "")


class Server:
    """The server process and a bare JSON-RPC client."""

    def __init__(self, command: list[str], log: io.BufferedWriter) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        self._next = 0

    def notify(self, method: str, params: Json) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Json | None) -> Any:
        """The result of a request; what else the server says meanwhile is passed over."""
        self._next += 1
        self._send({"id": self._next, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._next and "method" not in message:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def stop(self) -> int:
        self.ask("shutdown", None)
        self.notify("exit", {})
        with self._process as process:  # closes the pipes
            return process.wait(timeout=60)

    def memory_mb(self) -> float | None:
        """Peak resident memory, where the system tells."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        except OSError:
            return None
        peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return round(int(peaks[0]) / 1024) if peaks else None

    def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> Json:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise RuntimeError(f"the server ended with {self._process.wait()}; see its log")
        message: Json = json.loads(self._process.stdout.read(length))
        return message


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=some_file(), metavar="FILE.py")
    parser.add_argument("--positions", type=int, default=50, metavar="N")
    parser.add_argument("--starts", type=int, default=5, metavar="N", help="start-ups to time")
    parser.add_argument("--model", default="", metavar="DIR", help="another model folder")
    parser.add_argument("--engine", default="local", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the result here too")
    options = parser.parse_args()
    check_places(("--out", options.out), read=[options.file], what="the file of --file")
    command = [sys.executable, "-m", "lsp_server", "--engine", options.engine]
    model = str(Path(options.model).resolve()) if options.model else ""
    text = options.file.read_text("utf-8")
    places = spread(list(candidates(text)), options.positions)
    with Path(os.devnull).open("wb") as log:
        starts = [start_up_ms(command, log) for _ in range(options.starts)]
        result = session(text, places, command, model, log)
    result = {
        "benchmark": "lsp_session",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "file": options.file.name,
        "lines": text.count("\n"),
        "model": Path(model).name or "bundled",
        "initialize_ms": round(statistics.median(starts)) if starts else None,
        **result,
    }
    print(table(result))
    finish(result, options.out)


def some_file() -> Path:
    """A Python file of some hundred lines that every installation has."""
    found = importlib.util.find_spec("pygls")
    if found is None or found.origin is None:
        raise SystemExit("pygls is not installed; run `make setup`")
    return Path(found.origin).parent / "protocol" / "json_rpc.py"


def candidates(text: str) -> Iterator[Place]:
    """Every place of a Python file where one might ask: by its tokens, outside strings."""
    lines = text.split("\n")
    skip = (tokenize.STRING, tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
    docstrings = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start[0] - 1, token.start[1]
        if token.type in skip or token.type == tokenize.ENDMARKER or row + 1 in docstrings:
            continue
        line = lines[row]
        if token.type == tokenize.NEWLINE:
            yield Place("line_end", row, len(line))
            indent = line[: len(line) - len(line.lstrip())]
            opened = indent + ("    " if line.rstrip().endswith(":") else "")
            yield Place("new_line", row + 1, len(opened), opens=opened)
        elif line[:column].strip():
            yield Place("mid_line", row, column, deletes=line[column:])


def spread(places: list[Place], count: int) -> list[Place]:
    """`count` places, the kinds in turn, evenly over the file."""
    chosen = []
    for index, kind in enumerate(PLACES):
        of_kind = [place for place in places if place.kind == kind]
        wanted = count // len(PLACES) + (index < count % len(PLACES))
        chosen += [of_kind[(2 * n + 1) * len(of_kind) // (2 * wanted)] for n in range(wanted)]
    return sorted(chosen, key=lambda place: (place.line, place.character))


def start_up_ms(command: list[str], log: io.BufferedWriter) -> float:
    """From the start of the process to the answer to `initialize`."""
    begun = time.perf_counter()
    server = Server(command, log)
    _initialize(server, "")
    milliseconds = _since(begun)
    server.stop()
    return milliseconds


def _initialize(server: Server, model: str) -> None:
    server.ask(
        "initialize",
        {
            "processId": os.getpid(),
            "rootUri": None,
            "capabilities": {"textDocument": {"inlineCompletion": {}}},
            "initializationOptions": {"model": {"path": model}},
        },
    )
    server.notify("initialized", {})


def session(
    text: str, places: list[Place], command: list[str], model: str, log: io.BufferedWriter
) -> Json:
    """Ask at every place; what came of it."""
    server = Server(command, log)
    _initialize(server, model)
    editor = Editor(server, text)
    begun = time.perf_counter()
    editor.ask(0, 0, INVOKED, "load")  # waits for the model
    first_ms = _since(begun)
    for place in places:
        editor.change(_edits(place))
        work = "new_line" if place.kind == "new_line" else "cold"
        editor.ask(place.line, place.character, AUTOMATIC, work, place.kind)
        editor.ask(place.line, place.character, INVOKED, "by_key", place.kind)
        if place.types:
            where = _range(place.line, place.character, place.line, place.character)
            editor.change([{"range": where, "text": place.types}])
            editor.ask(place.line, place.character + 1, AUTOMATIC, "same_line", place.kind)
            where = _range(place.line, place.character, place.line, place.character + 1)
            editor.change([{"range": where, "text": ""}])
        editor.change(_edits(place, undo=True))
    memory = server.memory_mb()
    code = server.stop()
    rows = [row for row in editor.rows if row["work"] != "load"]
    return {
        "first_answer_ms": round(first_ms),
        "positions": len(places),
        "got_candidates": _answered(rows, INVOKED),
        "got_candidates_while_typing": _answered(rows, AUTOMATIC),
        "unexplained": sum(not row["items"] and not row["reason"] for row in rows),
        **_times(rows),
        "by_work": {work: _part(rows, "work", work) for work in WORK},
        "by_place": {kind: _part(rows, "kind", kind) for kind in PLACES},
        "reasons": dict(Counter(row["reason"] for row in rows if row["reason"])),
        "dropped_by": dict(Counter(name for row in rows for name in row["by"])),
        "peak_memory_mb": memory,
        "exit_code": code,
    }


class Editor:
    """One open document, and what the server answered about it."""

    def __init__(self, server: Server, text: str) -> None:
        self._server, self._version, self._uri = server, 1, "file:///session/file.py"
        self.rows: list[Json] = []
        item = {"uri": self._uri, "languageId": "python", "version": 1, "text": text}
        server.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, edits: list[Json]) -> None:
        if edits:
            self._version += 1
            document = {"uri": self._uri, "version": self._version}
            params = {"textDocument": document, "contentChanges": edits}
            self._server.notify("textDocument/didChange", params)

    def ask(self, line: int, character: int, trigger: int, work: str, kind: str = "") -> None:
        begun = time.perf_counter()
        result = self._server.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": trigger},
            },
        )
        milliseconds = _since(begun)
        trace = self._server.ask("diffill/explainLast", None)
        self.rows.append(
            {
                "work": work,
                "kind": kind,
                "trigger": trigger,
                "ms": milliseconds,
                "items": len(result["items"]),
                "reason": trace["reason"],
                "by": sorted({c["droppedBy"] for c in trace["candidates"] if c["droppedBy"]}),
                "context_cached": bool(trace.get("cacheHit") or trace.get("contextCached")),
            }
        )


def _answered(rows: list[Json], trigger: int) -> int:
    """At how many places a request of this kind was answered, the first one only."""
    first = [row for row in rows if row["work"] != "same_line" and row["trigger"] == trigger]
    return sum(row["items"] > 0 for row in first)


def _times(rows: list[Json]) -> Json:
    times = [row["ms"] for row in rows]
    return {f"ms_p{n}": round(percentile(times, n), 1) for n in (50, 95, 99) if times}


def _part(rows: list[Json], key: str, value: str) -> Json:
    chosen = [row for row in rows if row[key] == value]
    return {
        "requests": len(chosen),
        "answered": sum(row["items"] > 0 for row in chosen),
        "context_cached": sum(row["context_cached"] for row in chosen),
        **_times(chosen),
    }


def _edits(place: Place, *, undo: bool = False) -> list[Json]:
    """The change that makes the place, or takes it back."""
    if place.kind == "mid_line":
        end = place.character + (0 if undo else len(place.deletes))
        where = _range(place.line, place.character, place.line, end)
        return [{"range": where, "text": place.deletes if undo else ""}]
    if place.kind == "new_line":
        if undo:
            return [{"range": _range(place.line, 0, place.line + 1, 0), "text": ""}]
        return [{"range": _range(place.line, 0, place.line, 0), "text": place.opens + "\n"}]
    return []


def _range(line: int, character: int, end_line: int, end_character: int) -> Json:
    return {
        "start": {"line": line, "character": character},
        "end": {"line": end_line, "character": end_character},
    }


def _since(begun: float) -> float:
    return 1000 * (time.perf_counter() - begun)


def table(result: Json) -> str:
    """The result for people."""
    rows = [
        f"{result['file']}, {result['lines']} lines, model {result['model']}, {result['machine']}",
        "",
        "| requests | number | answered | context there | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in {**result["by_work"], "all": {**result, **_sums(result)}}.items():
        times = " | ".join(str(part.get(f"ms_p{n}", "-")) for n in (50, 95, 99))
        rows.append(
            f"| {name} | {part['requests']} | {part['answered']} | {part['context_cached']} "
            f"| {times} |"
        )
    rows += [
        "",
        f"candidates at {result['got_candidates']} of {result['positions']} positions when asked "
        f"by key, at {result['got_candidates_while_typing']} while typing; "
        f"initialize {result['initialize_ms']} ms, "
        f"first answer {result['first_answer_ms']} ms with the model's loading",
    ]
    return "\n".join(rows)


def _sums(result: Json) -> Json:
    parts = result["by_work"].values()
    return {
        key: sum(part[key] for part in parts) for key in ("requests", "answered", "context_cached")
    }


if __name__ == "__main__":
    main()
