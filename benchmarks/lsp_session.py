"""How fast is the language server in an editing session, from request to answer?

Starts the real server over stdio, opens a Python file of some thousand lines from the standard
library, and asks for inline completions at positions spread over it, editing the file as a person
would: text right of the cursor is deleted first (`mid_line`), or a line is opened (`new_line`), or
nothing is changed (`line_end`); afterwards the edit is taken back. The last line on stdout is one
JSON document, which is also written to benchmarks/results/lsp_session.json.
"""

from __future__ import annotations

import argparse
import ast
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

from diffusion.evaluate.machine import describe

RESULT = Path(__file__).parent / "results" / "lsp_session.json"
KINDS = ("line_end", "mid_line", "new_line")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor, and the text of its line that is deleted, or the indentation of an opened line."""

    kind: str
    line: int
    character: int
    deletes: str = ""
    opens: str = ""


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
        return self._process.wait(timeout=60)

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=Path(argparse.__file__), metavar="FILE.py")
    parser.add_argument("--positions", type=int, default=50, metavar="N")
    parser.add_argument("--invoked", action="store_true", help="as if asked for by a key")
    parser.add_argument("--model", default="", metavar="DIR", help="another model folder")
    parser.add_argument("--engine", default="local", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT, metavar="FILE.json")
    options = parser.parse_args()
    text = options.file.read_text("utf-8")
    places = spread(list(candidates(text)), options.positions)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with Path(os.devnull).open("wb") as log:
        result = session(text, places, options, log)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
    print(json.dumps(result))


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
    for index, kind in enumerate(KINDS):
        of_kind = [place for place in places if place.kind == kind]
        wanted = count // len(KINDS) + (index < count % len(KINDS))
        chosen += [of_kind[(2 * n + 1) * len(of_kind) // (2 * wanted)] for n in range(wanted)]
    return sorted(chosen, key=lambda place: (place.line, place.character))


def session(
    text: str, places: list[Place], options: argparse.Namespace, log: io.BufferedWriter
) -> Json:
    """Ask at every place; what came of it."""
    uri, trigger = options.file.as_uri(), 1 if options.invoked else 2
    begun = time.perf_counter()
    server = Server([sys.executable, "-m", "lsp_server", "--engine", options.engine], log)
    settings = {"model": {"path": options.model}}
    server.ask(
        "initialize",
        {
            "processId": os.getpid(),
            "rootUri": None,
            "capabilities": {"textDocument": {"inlineCompletion": {}}},
            "initializationOptions": settings,
        },
    )
    initialize_ms = _since(begun)
    server.notify("initialized", {})
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    server.notify("textDocument/didOpen", {"textDocument": item})
    rows: list[Json] = []
    version = 1
    first_ms = None
    for place in [places[0], *places]:  # the first one also waits for the model
        for edit in _edits(place):
            version += 1
            _change(server, uri, version, edit)
        asked = time.perf_counter()
        result = server.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": place.line, "character": place.character},
                "context": {"triggerKind": trigger},
            },
        )
        milliseconds = _since(asked)
        trace = server.ask("diffill/explainLast", None)
        for edit in _edits(place, undo=True):
            version += 1
            _change(server, uri, version, edit)
        if first_ms is None:
            first_ms = milliseconds
            continue
        rows.append(
            {
                "kind": place.kind,
                "ms": milliseconds,
                "items": len(result["items"]),
                "reason": trace["reason"],
                "by": sorted({c["droppedBy"] for c in trace["candidates"] if c["droppedBy"]}),
            }
        )
    memory = server.memory_mb()
    code = server.stop()
    times = sorted(row["ms"] for row in rows)
    return {
        "benchmark": "lsp_session",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "file": options.file.name,
        "lines": text.count("\n"),
        "trigger": "invoked" if options.invoked else "automatic",
        "requests": len(rows),
        "answered": sum(row["items"] > 0 for row in rows),
        "ms_p50": round(statistics.median(times), 1),
        "ms_p95": round(times[min(int(0.95 * len(times)), len(times) - 1)], 1),
        "initialize_ms": round(initialize_ms),
        "first_answer_ms": round(first_ms or 0.0),
        "peak_memory_mb": memory,
        "exit_code": code,
        "reasons": dict(Counter(row["reason"] for row in rows if row["reason"])),
        "dropped_by": dict(Counter(name for row in rows for name in row["by"])),
        "kinds": {kind: _of_kind(rows, kind) for kind in KINDS},
    }


def _of_kind(rows: list[Json], kind: str) -> Json:
    chosen = [row for row in rows if row["kind"] == kind]
    return {
        "requests": len(chosen),
        "answered": sum(row["items"] > 0 for row in chosen),
        "ms_p50": round(statistics.median(row["ms"] for row in chosen), 1) if chosen else None,
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


def _change(server: Server, uri: str, version: int, edit: Json) -> None:
    server.notify(
        "textDocument/didChange",
        {"textDocument": {"uri": uri, "version": version}, "contentChanges": [edit]},
    )


def _since(begun: float) -> float:
    return 1000 * (time.perf_counter() - begun)


def table(result: Json) -> str:
    """The result for people."""
    rows = [
        f"{result['file']}, {result['lines']} lines, {result['trigger']} requests, "
        f"{result['machine']}",
        "",
        "| place | requests | answered | p50 ms |",
        "|---|---|---|---|",
    ]
    for kind, part in result["kinds"].items():
        rows.append(f"| {kind} | {part['requests']} | {part['answered']} | {part['ms_p50']} |")
    rows += [
        "",
        f"answered {result['answered']} of {result['requests']}, p50 {result['ms_p50']} ms, "
        f"p95 {result['ms_p95']} ms; initialize {result['initialize_ms']} ms, "
        f"first answer {result['first_answer_ms']} ms",
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
