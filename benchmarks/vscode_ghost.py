"""How long after a key does ghost text stand in VS Code?

    python benchmarks/vscode_ghost.py --out benchmarks/results/vscode_ghost_DATE.json

Drives the packaged extension in code-server and Chromium (`make test-editors` installs them).
Twice: with a scripted server, whose answer takes no time, which is what editor, browser and
extension cost; and with the bundled model, while lines are typed into a real file. Before each key
the old ghost text is hidden, so that what is seen is new. The clock runs in the page, from the
keydown event to the first frame that has ghost text.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from diffusion.evaluate.benchmark import as_script, check_places, finish  # noqa: E402
from diffusion.evaluate.machine import describe  # noqa: E402
from diffusion.evaluate.percentile import percentile  # noqa: E402
from tests.editors.vscode.workbench import Workbench  # noqa: E402

Json = dict[str, Any]
LINES = (
    "for name in sorted(self._entries):",
    "    value = self._entries[name]",
    "    if value is not None:",
    "        result.append(value)",
    "return result",
)
FILE = """class Table:
    def __init__(self):
        self._entries = {}

    def add(self, name, value):
        self._entries[name] = value

    def names(self):
        result = []
        for name in sorted(self._entries):
            result.append(name)
        return result

    def values(self):
        result = []

"""
LAST_LINE, INDENT = 16, "        "
WAIT_MS = 1500


def typed(workbench: Workbench, lines: tuple[str, ...]) -> list[Json]:
    """Type lines key by key; what each key brought."""
    seen = []
    for line in lines:
        workbench.do("type", text=INDENT)
        for character in line:
            workbench.keys("Escape")
            workbench.do("noGhost")
            ms = workbench.do("timeGhost", key=_key(character), ms=WAIT_MS)
            seen.append({"ms": ms, "text": "" if ms is None else workbench.do("peekGhost")})
        workbench.keys("Escape", "Enter", "Home")
        workbench.keys("Shift+End", "Delete")
    return seen


def _key(character: str) -> str:
    return {" ": "Space"}.get(character, character)


def measure(home: Path, arguments: list[str], lines: tuple[str, ...]) -> Json:
    """Open the file in a VS Code of its own and type; the figures."""
    folder = home / "project"
    folder.mkdir(parents=True)
    (folder / "table.py").write_text(FILE)
    settings = {"diffill.server.interpreter": sys.executable, "diffill.server.args": arguments}
    workbench = Workbench(folder, home, settings)
    try:
        workbench.do("open", name="table.py")
        workbench.do("status", contains="Diffill: model")
        workbench.do("goto", line=LAST_LINE, column=1)
        workbench.keys("Alt+\\")
        workbench.do("status", contains="Last answer", ms=60_000)  # the model is loaded now
        seen = typed(workbench, lines)
    finally:
        workbench.close()
    times = [one["ms"] for one in seen if one["ms"] is not None]
    texts = {one["text"] for one in seen if one["text"]}
    return {"keys": len(seen), "shown": len(times), "texts": len(texts), **_spread(times)}


def _spread(times: list[float]) -> Json:
    shares = {"p50_ms": 50, "p95_ms": 95, "max_ms": 100}
    return {
        name: round(percentile(times, share)) if times else None for name, share in shares.items()
    }


@as_script
def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    check_places(("--out", options.out))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        script = home / "script.json"
        script.write_text(json.dumps({"answers": [{"candidates": [{"text": "_end()"}]}]}))
        report: Json = {
            "benchmark": "vscode_ghost",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": describe(),
            "load_before": round(os.getloadavg()[0], 1),
            "scripted": measure(home / "scripted", ["--engine", f"scripted:{script}"], LINES[:2]),
            "model": measure(home / "model", [], LINES),
        }
    for kind in ("scripted", "model"):
        print(kind, report[kind])
    finish(report, options.out)


if __name__ == "__main__":
    main()
