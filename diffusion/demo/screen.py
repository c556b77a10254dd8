"""Drawing the demo: in place on a terminal, line by line into a pipe.

Invariant: a `PlainScreen` writes no escape sequence and never goes back; both screens show
the same facts in the same order. Text of programs is never read as markup.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from diffusion.demo.cells import Cell, CellState, Frame, Row
from diffusion.demo.holes import ExampleHole
from diffusion.terminal import (
    ENDED_GLYPH,
    MASK_GLYPH,
    PINNED_STYLE,
    confidence_style,
    has_colours,
    in_numbers,
    legend,
    one_line,
    printable,
)

FRAME_S = 0.07
_AROUND = 2
_PLAIN_STEPS = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one hole."""

    hole: ExampleHole
    frames: list[Frame]
    row: int
    """The row of the frames that became the answer or, of a quote, the best beside it."""
    quote: Row
    """The answer, where it stands elsewhere in the program; else no cells."""
    answer: str | None
    """None: nothing was offered, and `reason` says why."""
    reason: str
    exact: bool
    score: float
    parses: bool
    context_ms: float
    steps: int
    total_ms: float
    typed_ms: float | None
    """The next answer after one more typed character, with the context cached."""


class Screen(Protocol):
    """Shows one hole after the other, then the table."""

    def opening(self, model: str, count: int) -> None: ...

    def hole(self, number: int, count: int, outcome: Outcome) -> None: ...

    def closing(self, outcomes: list[Outcome]) -> None: ...


def row_text(row: Row) -> Text:
    """A canvas on one line; a line break is a glyph, without the indentation after it.

    The line break and indentation that a canvas begins with say nothing and are left out.
    """
    shown = Text(no_wrap=True, overflow="ellipsis")
    for cell in row:
        text = _cell_text(cell) if shown.plain else _cell_text(cell).lstrip()
        shown.append(one_line(text), _style(cell))
    return shown


def _cell_text(cell: Cell) -> str:
    if cell.state is CellState.MASKED:
        return MASK_GLYPH
    if cell.state is CellState.ENDED:
        return ENDED_GLYPH
    return printable(cell.data.decode("utf-8", "replace"))


def _style(cell: Cell) -> str:
    if cell.state is CellState.COMMITTED:
        return confidence_style(cell.p)
    return PINNED_STYLE


def _title(model: str, count: int) -> str:
    return f"Diffill fills {count} hole{'' if count == 1 else 's'} with the {model} model."


def _confidences(row: Row) -> str:
    """Every token that the model said, with its probability."""
    said = (cell for cell in row if cell.state is CellState.COMMITTED)
    return in_numbers((_cell_text(cell), cell.p) for cell in said)


def _verdict(outcome: Outcome) -> str:
    if outcome.answer is None:
        return "nothing offered"
    return "exact" if outcome.exact else "differs"


def _source(outcome: Outcome) -> str:
    return "quoted from the program; " if outcome.quote else ""


def facts(outcome: Outcome) -> str:
    """The outcome on one line."""
    if outcome.answer is None:
        return f"nothing offered: {outcome.reason}"
    parses = "parses" if outcome.parses else "does not parse"
    return (
        f"{_verdict(outcome)}; {_source(outcome)}score {outcome.score:.2f}; {parses}; "
        f"{outcome.steps} steps, {outcome.total_ms:.0f} ms"
    )


class PlainScreen:
    """A few steps of the winning canvas, one line each; nothing moves, nothing is coloured."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def opening(self, model: str, count: int) -> None:
        self._line(_title(model, count))
        self._line(f"{MASK_GLYPH} is a masked token, {ENDED_GLYPH} one after the end of the hole.")

    def hole(self, number: int, count: int, outcome: Outcome) -> None:
        hole = outcome.hole
        self._line(f"\n[{number}/{count}] {hole.title} ({hole.language}): {hole.note}")
        for step in _some_steps([frame[outcome.row] for frame in outcome.frames]):
            self._line(f"  {step:>4}  {row_text(outcome.frames[step][outcome.row]).plain}")
        self._line(f"  wanted: {one_line(hole.removed.decode('utf-8'))}")
        if outcome.answer is not None:
            self._line(f"  answer: {one_line(outcome.answer)}")
            for frame in outcome.frames[-1:]:
                self._line(f"  sure:   {_confidences(outcome.quote or frame[outcome.row])}")
        self._line(f"  {facts(outcome)}")

    def closing(self, outcomes: list[Outcome]) -> None:
        self._line("")
        heads = ("hole", "context ms", "steps", "total ms", "typed on ms", "result")
        rows = [heads, *(_table_row(outcome) for outcome in outcomes)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [c.rjust(w) for c, w in zip(row[1:-1], widths[1:-1], strict=True)]
            self._line("  ".join([*cells, row[-1]]))
        self._line(_summary(outcomes))


class LiveScreen:
    """Draws every canvas in place, frame after frame, then the answer below."""

    def __init__(self, console: Console, *, fast: bool) -> None:
        self._console = console
        self._fast = fast

    def opening(self, model: str, count: int) -> None:
        self._console.print(Text(_title(model, count), "bold"))
        glyphs = Text(f"{MASK_GLYPH} masked  {ENDED_GLYPH} past the end of the hole  ")
        self._console.print(
            glyphs.append_text(legend()) if has_colours(self._console) else glyphs
        )

    def hole(self, number: int, count: int, outcome: Outcome) -> None:
        hole = outcome.hole
        self._console.print()
        title = Text(f"{number}/{count} {hole.title} ", "bold").append(hole.note, "not bold dim")
        self._console.print(Rule(title, align="left", style="dim"))
        frames = outcome.frames or [()]
        with Live(console=self._console, auto_refresh=False, vertical_overflow="visible") as live:
            for step, frame in enumerate(frames):
                last = step == len(frames) - 1
                live.update(picture(outcome, step, frame, last), refresh=True)
                if not self._fast:
                    time.sleep(FRAME_S)
        style = "green" if outcome.exact else "yellow"
        if not outcome.exact:
            self._console.print(
                Text("  original  ", "dim").append(one_line(hole.removed.decode("utf-8")))
            )
        if outcome.answer is not None and not outcome.exact:
            self._console.print(Text("  answer    ", "dim").append(one_line(outcome.answer)))
        self._console.print(Text(f"  {facts(outcome)}", style))

    def closing(self, outcomes: list[Outcome]) -> None:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("hole")
        for head in ("context ms", "steps", "total ms", "typed on ms"):
            table.add_column(head, justify="right")
        table.add_column("result")
        for outcome in outcomes:
            *cells, result = _table_row(outcome)
            style = "green" if outcome.exact else "yellow"
            table.add_row(*(Text(cell) for cell in cells), Text(result, style))
        self._console.print()
        self._console.print(table)
        self._console.print(Text(_summary(outcomes), "bold"))


def picture(outcome: Outcome, step: int, frame: Frame, last: bool) -> Group:
    """The lines around a hole with all canvases as they are at one step."""
    above, tail, below = _around(outcome.hole)
    lines = [Text(f"  {line}", "dim", no_wrap=True, overflow="ellipsis") for line in above]
    for number, row in enumerate(frame):
        chosen = last and number == outcome.row and not outcome.quote
        lead = "\u25b8 " if chosen or len(frame) == 1 else "  "
        shown = Text(lead, no_wrap=True, overflow="ellipsis")
        shown.append(_indentation(outcome.hole)).append_text(row_text(row))
        shown.append(tail, PINNED_STYLE)
        if last and not chosen:
            shown.stylize("dim")
        lines.append(shown)
    if last and outcome.quote:
        shown = Text("\u275d ", no_wrap=True, overflow="ellipsis")
        shown.append(_indentation(outcome.hole)).append_text(row_text(outcome.quote))
        lines.append(shown.append(tail, PINNED_STYLE))
    lines += [Text(f"  {line}", "dim", no_wrap=True, overflow="ellipsis") for line in below]
    lines.append(Text(f"  step {step}", "dim"))
    return Group(*lines)


def _some_steps(rows: list[Row]) -> list[int]:
    """Of the steps that changed the row, the first, the last, and some evenly between."""
    steps = [i for i, row in enumerate(rows) if i == 0 or row != rows[i - 1]]
    if len(steps) <= _PLAIN_STEPS:
        return steps
    last = len(steps) - 1
    return [steps[round(i * last / (_PLAIN_STEPS - 1))] for i in range(_PLAIN_STEPS)]


def _around(hole: ExampleHole) -> tuple[list[str], str, list[str]]:
    """A few lines of the program before the hole's line, the rest of that line, lines after."""
    line_start = hole.original.rfind(b"\n", 0, hole.start) + 1
    end = hole.start + len(hole.removed)
    above = hole.original[:line_start].decode("utf-8").splitlines()[-_AROUND:]
    tail, *below = hole.original[end:].decode("utf-8").split("\n")[: 1 + _AROUND]
    return (
        [printable(line).expandtabs(4) for line in above],
        printable(tail),
        [printable(line).expandtabs(4) for line in below],
    )


def _indentation(hole: ExampleHole) -> str:
    line_start = hole.original.rfind(b"\n", 0, hole.start) + 1
    line = hole.original[line_start : hole.start].decode("utf-8")
    return line[: len(line) - len(line.lstrip())].expandtabs(4)


def _table_row(outcome: Outcome) -> tuple[str, ...]:
    typed = "-" if outcome.typed_ms is None else f"{outcome.typed_ms:.0f}"
    return (
        outcome.hole.title,
        f"{outcome.context_ms:.0f}",
        str(outcome.steps),
        f"{outcome.total_ms:.0f}",
        typed,
        _verdict(outcome),
    )


def _summary(outcomes: list[Outcome]) -> str:
    exact = sum(outcome.exact for outcome in outcomes)
    totals = sorted(outcome.total_ms for outcome in outcomes)
    typed = sorted(o.typed_ms for o in outcomes if o.typed_ms is not None)
    median = totals[len(totals) // 2]
    text = f"{exact} of {len(outcomes)} exactly as written; median {median:.0f} ms"
    if typed:
        text += f", and {typed[len(typed) // 2]:.0f} ms after one more character (context cached)"
    return text + "."
