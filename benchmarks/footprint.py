"""What does the server cost a machine: memory, threads, start, idle, and beside a compiler?

Starts the real server over stdio on a real file, waits for the first completion, asks at some
places, then leaves it alone and counts its processor time; last, it asks at the same places while
one busy process per core takes what it can, as a build does. Needs /proc.

The last line on stdout is one JSON document, which --out also writes to a file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lsp_session import INVOKED, Editor, Server, _initialize, some_file

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe

Json = dict[str, Any]
BUSY = "while True: sum(range(100_000))"


class Proc:
    """A process as /proc tells of it."""

    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc") / str(pid)

    def facts(self) -> Json:
        """Resident and peak memory in MB, and threads."""
        lines = (self._folder / "status").read_text("utf-8").splitlines()
        known = dict(line.split(":", 1) for line in lines if ":" in line)
        return {
            "resident_mb": round(int(known["VmRSS"].split()[0]) / 1024),
            "peak_mb": round(int(known["VmHWM"].split()[0]) / 1024),
            "threads": int(known["Threads"]),
        }

    def cpu_s(self) -> float:
        """Processor seconds used so far, by all its threads."""
        fields = (self._folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(arguments: argparse.Namespace) -> Json:
    """One server from its start to its end."""
    text = arguments.file.read_text("utf-8")
    count = text.count("\n")
    lines = [(2 * n + 1) * count // (2 * arguments.positions) for n in range(arguments.positions)]
    with Path(os.devnull).open("wb") as log:
        begun = time.perf_counter()
        server = Server([sys.executable, "-m", "lsp_server"], log)
        proc = Proc(server._process.pid)
        _initialize(server, arguments.model)
        initialize_ms = 1000 * (time.perf_counter() - begun)
        before = proc.facts()
        editor = Editor(server, text)
        editor.ask(0, 0, INVOKED, "load")
        first_s = time.perf_counter() - begun
        loaded = proc.facts()
        quiet_ms = _ask_all(editor, lines)
        used = proc.facts()
        time.sleep(2.0)  # what is encoded ahead of need comes to its end
        cpu_s = proc.cpu_s()
        time.sleep(arguments.idle_s)
        idle_percent = 100 * (proc.cpu_s() - cpu_s) / arguments.idle_s
        others = [
            subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)
        ]
        try:
            loaded_ms = _ask_all(editor, [line + 1 for line in lines])
        finally:
            for other in others:
                other.kill()
                other.wait()
        code = server.stop()
    return {
        "file": arguments.file.name,
        "initialize_ms": round(initialize_ms),
        "start_to_first_completion_s": round(first_s, 2),
        "before_the_model": before,
        "model_loaded": loaded,
        "after_requests": used,
        "idle_cpu_percent": round(idle_percent, 2),
        "answer_ms_p50": round(quiet_ms, 1),
        "answer_ms_p50_beside_busy_processes": round(loaded_ms, 1),
        "exit_code": code,
    }


def _ask_all(editor: Editor, lines: list[int]) -> float:
    """Ask at the start of each line; the median milliseconds."""
    done = len(editor.rows)
    for line in lines:
        editor.ask(line, 0, INVOKED, "ask")
    return statistics.median(row["ms"] for row in editor.rows[done:])


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=some_file(), metavar="FILE.py")
    parser.add_argument("--positions", type=int, default=20, metavar="N")
    parser.add_argument("--idle-s", type=float, default=20.0, metavar="S")
    parser.add_argument("--model", default="", metavar="DIR", help="another model folder")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the result here too")
    arguments = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        sys.exit("error: this system has no /proc to read from; run it on Linux")
    check_places(("--out", arguments.out), read=[arguments.file], what="the file of --file")
    result = {
        "benchmark": "footprint",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        **measure(arguments),
    }
    finish(result, arguments.out)


if __name__ == "__main__":
    main()
