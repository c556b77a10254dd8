"""Tunes on repositories and says what it brought: exact match before and after, minutes, memory.

    python benchmarks/tune_repository.py REPO... --minutes 10 --methods lora full

Each run is the command that users start, in a process of its own, with an empty data folder. The
held-out files are those that the command holds out; "general" are holes of the bundled pack that
no run trains on. `learning_rates` compares rates at equal minutes. The last line of stdout is one
JSON document; `--out` keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process wrote, and the most memory that it, or a process that it started, held."""

    stdout: str
    stderr: str
    peak_mb: int


def run(command: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Run a command to its end, whatever that is."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        try:
            # Of this process alone: `getrusage` knows only the largest of all that have ended.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Ended(texts[0], texts[1], round(usage.ru_maxrss / 1024))


def tune(repository: Path, method: str, rate: float | None, options: Any) -> dict[str, Any]:
    """One run; its last event, its validation curve and its peak memory."""
    with tempfile.TemporaryDirectory() as data:
        command = [
            sys.executable, "-m", "diffusion", "train", str(repository), "--json", "--method",
            method, "--minutes", str(options.minutes), "--cases", str(options.cases),
            "--threads", str(options.threads), "--nice", "0",
        ]  # fmt: skip
        if rate is not None:
            command += ["--learning-rate", str(rate)]
        env = {**os.environ, "DIFFILL_DATA": data}
        done = run(command, env)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    last = events[-1] if events else {"event": "failed", "message": done.stderr[-500:]}
    last.pop("folder", None)
    speeds = [e["tokens_per_s"] for e in events if e["event"] == "train"]
    plan = next((e for e in events if e["event"] == "plan"), {})
    return {
        "repository": repository.name,
        "method": method,
        "learning_rate": rate,
        "plan": {k: plan.get(k) for k in ("files", "tokens", "held_out_tokens", "excluded")},
        "curve": [[e["step"], e["loss"]] for e in events if e["event"] == "validation"],
        "tokens_per_s": round(speeds[-1]) if speeds else None,
        "peak_mb": done.peak_mb,
        "result": last,
    }


@as_script
def main() -> None:
    """Run every method on every repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--methods", nargs="+", default=["lora"])
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[None])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    check_places(("--out", options.out))
    runs = []
    for repository in options.repositories:
        for method in options.methods:
            for rate in options.learning_rates:
                runs.append(tune(repository, method, rate, options))
                print(json.dumps(runs[-1]), file=sys.stderr)
    found = {
        "machine": describe(), "date": date.today().isoformat(), "minutes": options.minutes,
        "threads": options.threads, "runs": runs,
    }  # fmt: skip
    finish(found, options.out)


if __name__ == "__main__":
    main()
