"""How long from a key to ghost text on the screen in Neovim?

Starts Neovim with the plugin (tests/editors/install_neovim.py installs it), attaches a screen, and
writes `return` at the end of a method; the clock runs from the space after it until the screen has
text right of the cursor that nobody typed. Each round is a new document and nothing was asked
before that key, so no answer is known and the model encodes the whole context: the slowest case.
Ways of drawing: `0.11` and `0.12` by the plugin, `0.12-native` by Neovim (which waits 200 ms after
a key before it asks). Engines: `scripted` answers at once, so what is left is Neovim, the plugin
and the protocol; `model` is the bundled one.

The last line on stdout is one JSON document, which --out also writes to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from diffusion.evaluate.benchmark import as_script, check_places, finish  # noqa: E402
from diffusion.evaluate.machine import describe  # noqa: E402
from diffusion.evaluate.percentile import percentile  # noqa: E402
from tests.support.lsp_process import script  # noqa: E402
from tests.support.neovim import Neovim, running, server  # noqa: E402

WAYS = {"0.11": ("0.11", "auto"), "0.12": ("0.12", "auto"), "0.12-native": ("0.12", "native")}
COLUMNS, LINES = 100, 30
ROUND_S = 5.0
TEXT = """\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def show_{number}(self) -> None:
        print(self.width, self.height)

    def perimeter_{number}(self) -> float:
        perimeter = 2 * (self.width + self.height)
"""


class Screen:
    """The cells of a Neovim screen, from its redraw events."""

    def __init__(self, neovim: Neovim) -> None:
        self._rpc = neovim.rpc
        self._rows: dict[int, list[str]] = {}
        options = {"rgb": True, "ext_linegrid": True}
        neovim.aside = self._told
        self._rpc.request("nvim_ui_attach", COLUMNS, LINES, options)

    def until(self, beyond: str, limit_s: float) -> float | None:
        """When a row first began with this text and went on; None when it never did."""
        end = time.perf_counter() + limit_s
        while time.perf_counter() < end:
            name, batches = self._rpc.notification()
            self._told(name, batches)
            rows = ("".join(row).rstrip() for row in self._rows.values())
            if any(row.startswith(beyond) and len(row) > len(beyond) for row in rows):
                return time.perf_counter()
        return None

    def _told(self, name: str, batches: list[Any]) -> None:
        for kind, *events in batches if name == "redraw" else ():
            for event in events:
                if kind == "grid_line":
                    self._line(event[1], event[2], event[3])
                elif kind == "grid_clear":
                    self._rows.clear()
                elif kind == "grid_scroll":
                    self._scroll(event[1], event[2], event[5])

    def _line(self, row: int, column: int, cells: list[Any]) -> None:
        line = self._rows.setdefault(row, [" "] * COLUMNS)
        for cell in cells:
            for _ in range(cell[2] if len(cell) > 2 else 1):
                line[column] = cell[0]
                column += 1

    def _scroll(self, top: int, bottom: int, rows: int) -> None:
        before = {row: list(line) for row, line in self._rows.items()}
        for row in range(top, bottom):
            if top <= row + rows < bottom:
                self._rows[row] = before.get(row + rows, [" "] * COLUMNS)


def trigger(neovim: Neovim, value: str) -> None:
    """Change `inline.trigger`, and wait until the server has it."""
    neovim.lua(
        """
        _G.told = false
        local tell = function() told = true end
        local once = { pattern = "DiffillStatus", once = true, callback = tell }
        vim.api.nvim_create_autocmd("User", once)
        require("diffill").configure({ inline = { trigger = ... } })
        """,
        value,
    )
    neovim.wait("told")


def one_round(neovim: Neovim, screen: Screen, number: int) -> float | None:
    """Milliseconds from the key to the ghost text; None when none came."""
    neovim.keys("<Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    text = [*TEXT.format(number=number).splitlines(), "        retur"]
    neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, true, ...)", text)
    trigger(neovim, "manual")  # nothing may be shown already when the clock starts
    neovim.keys("GAn")
    # A person pauses too: what was asked for along the way is answered, and the clock of
    # Neovim's own waiting has run out.
    neovim.lua("_G.since = vim.uv.now()")
    neovim.wait("vim.api.nvim_get_current_line():find('return$') and vim.uv.now() - since > 700")
    trigger(neovim, "auto")
    # Neovim tells nothing while nothing is drawn; this wakes the reader at the end of the limit.
    neovim.lua(
        "local channel = ... vim.defer_fn(function() vim.rpcnotify(channel, 'late') end, 6000)",
        neovim.rpc.channel_id,
    )
    start = time.perf_counter()
    neovim.keys(" ")
    seen = screen.until("        return ", ROUND_S)
    return None if seen is None else 1000 * (seen - start)


def measure(way: str, engine: str, rounds: int, folder: Path) -> dict[str, Any]:
    """One way of drawing with one engine."""
    version, ghost = WAYS[way]
    folder.mkdir(parents=True)
    options: list[str] = []
    if engine == "scripted":
        rule = {"before": "return ", "candidates": [{"text": "perimeter"}]}
        options = ["--engine", script(folder, rule)]
    command = server(folder, *options)
    with running(version, folder, cmd=command, ghost=ghost) as neovim:
        neovim.open("shapes.py", "\n")
        neovim.wait("(told or {}).engine == 'ready'", 90_000)
        screen = Screen(neovim)
        one_round(neovim, screen, 0)  # not counted: everything is cold
        times = [one_round(neovim, screen, number) for number in range(1, rounds + 1)]
    shown = sorted(ms for ms in times if ms is not None)
    return {
        "way": way,
        "engine": engine,
        "rounds": rounds,
        "shown": len(shown),
        "ms_p50": round(statistics.median(shown), 1) if shown else None,
        "ms_p95": round(percentile(shown, 95), 1) if shown else None,
        "ms_max": round(shown[-1], 1) if shown else None,
    }


@as_script
def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--engines", nargs="+", default=["scripted", "model"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    check_places(("--out", options.out))
    load_before = os.getloadavg()[0]
    results = []
    with tempfile.TemporaryDirectory() as name:
        for engine in options.engines:
            for way in options.ways:
                folder = Path(name) / f"{way}-{engine}"
                found = measure(way, engine, options.rounds, folder)
                print(json.dumps(found), file=sys.stderr)
                results.append(found)
    document = {
        "benchmark": "neovim_ghost",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": describe(),
        "load_average_before": round(load_before, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
        "results": results,
    }
    finish(document, options.out)


if __name__ == "__main__":
    main()
