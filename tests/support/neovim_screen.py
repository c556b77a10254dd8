"""What Neovim draws, kept as a grid of cells and written as a picture (SVG).

Job: attach a user interface to the connection that the tests drive (`ext_linegrid`, `:help
ui-linegrid`), follow the events that change the grid, and draw it.

Invariants: the grid is Neovim's own, nothing is added to it; a cell is a text and a highlight, and
the second half of a wide character is an empty text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.support.neovim import Neovim

CELL_WIDTH, CELL_HEIGHT, PADDING, FONT_PX = 8.4, 19, 12, 14
_WORDS = re.compile(r"\S+(?: \S+)*")
"""What is drawn at once: pictures lose a space beside another one."""
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell looks: colours as `#rrggbb`."""

    ink: str
    paper: str
    bold: bool = False
    italic: bool = False


class Screen:
    """The grid of one Neovim from now on."""

    def __init__(self, neovim: Neovim, columns: int, rows: int) -> None:
        self._neovim = neovim
        self._cells: list[list[tuple[str, int]]] = []
        self._highlights: dict[int, dict[str, Any]] = {}
        self._default = Look("#000000", "#ffffff")
        self._cursor = (0, 0)
        neovim.aside = self._hear
        options = {"rgb": True, "ext_linegrid": True}
        neovim.rpc.request("nvim_ui_attach", columns, rows, options)

    def text(self) -> str:
        """The grid as lines of text, as it is once all that was asked for has been drawn."""
        self._neovim.command("redraw")
        self._neovim.wait("true")
        return "\n".join("".join(text for text, _ in row).rstrip() for row in self._cells)

    def save(self, path: Path, label: str) -> None:
        """Write a picture; `label` says what it shows to who cannot see it."""
        self.text()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._svg(label), "utf-8")

    # Events, by name: `:help ui-linegrid`.

    def _hear(self, name: str, batches: list[Any]) -> None:
        if name != "redraw":
            return
        for event, *calls in batches:
            handler = getattr(self, f"_{event}", None)
            for call in calls if handler is not None else ():
                handler(*call)

    def _grid_resize(self, grid: int, columns: int, rows: int) -> None:
        self._cells = [[(" ", 0)] * columns for _ in range(rows)]

    def _grid_clear(self, grid: int) -> None:
        self._cells = [[(" ", 0)] * len(row) for row in self._cells]

    def _default_colors_set(self, ink: int, paper: int, *rest: int) -> None:
        self._default = Look(_colour(ink, "#000000"), _colour(paper, "#ffffff"))

    def _hl_attr_define(self, number: int, rgb: dict[str, Any], *rest: Any) -> None:
        self._highlights[number] = rgb

    def _grid_cursor_goto(self, grid: int, row: int, column: int) -> None:
        self._cursor = (row, column)

    def _grid_line(self, grid: int, row: int, column: int, cells: list[Any], *rest: Any) -> None:
        highlight = 0
        for text, *more in cells:
            highlight = more[0] if more else highlight
            for _ in range(more[1] if len(more) > 1 else 1):
                self._cells[row][column] = (text, highlight)
                column += 1

    def _grid_scroll(
        self, grid: int, top: int, bottom: int, left: int, right: int, rows: int, columns: int
    ) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self._cells[row][left:right] = self._cells[row + rows][left:right]

    # The picture

    def _look(self, highlight: int) -> Look:
        rgb = self._highlights.get(highlight, {})
        ink = _colour(rgb.get("foreground", -1), self._default.ink)
        paper = _colour(rgb.get("background", -1), self._default.paper)
        if rgb.get("reverse"):
            ink, paper = paper, ink
        return Look(ink, paper, bool(rgb.get("bold")), bool(rgb.get("italic")))

    def _svg(self, label: str) -> str:
        columns = max(len(row) for row in self._cells)
        width = columns * CELL_WIDTH + 2 * PADDING
        height = len(self._cells) * CELL_HEIGHT + 2 * PADDING
        drawn = []
        for y, row in enumerate(self._cells):
            at = 0
            for look, run in groupby(row, lambda cell: self._look(cell[1])):
                cells = [text for text, _ in run]
                drawn += self._run(look, "".join(cells), at, y, len(cells))
                at += len(cells)
        x, y = self._cursor[1] * CELL_WIDTH + PADDING, self._cursor[0] * CELL_HEIGHT + PADDING
        drawn.append(
            f'<rect x="{x:.1f}" y="{y}" width="2" height="{CELL_HEIGHT}"'
            f' fill="{self._default.ink}"/>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}"'
            f' viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{escape(label)}">\n'
            f'<rect width="100%" height="100%" rx="8" fill="{self._default.paper}"/>\n'
            f'<g font-family="{FONT}" font-size="{FONT_PX}" xml:space="preserve">\n'
            + "\n".join(drawn)
            + "\n</g>\n</svg>\n"
        )

    def _run(self, look: Look, text: str, column: int, row: int, cells: int) -> list[str]:
        x, y = column * CELL_WIDTH + PADDING, row * CELL_HEIGHT + PADDING
        found = []
        if look.paper != self._default.paper:
            found.append(
                f'<rect x="{x:.1f}" y="{y}" width="{cells * CELL_WIDTH:.1f}"'
                f' height="{CELL_HEIGHT}" fill="{look.paper}"/>'
            )
        style = (' font-weight="bold"' if look.bold else "") + (
            ' font-style="italic"' if look.italic else ""
        )
        for words in _WORDS.finditer(text):
            left = x + words.start() * CELL_WIDTH
            found.append(
                f'<text x="{left:.1f}" y="{y + FONT_PX}" fill="{look.ink}"'
                f' textLength="{len(words[0]) * CELL_WIDTH:.1f}"{style}>{escape(words[0])}</text>'
            )
        return found


def _colour(rgb: int, otherwise: str) -> str:
    return f"#{rgb:06x}" if rgb >= 0 else otherwise
