"""The demo's two screens say the same; the plain one never moves nor colours."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from diffusion.demo.cells import Cell, CellState
from diffusion.demo.holes import bundled_examples, load_holes
from diffusion.demo.screen import LiveScreen, Outcome, PlainScreen, row_text
from diffusion.terminal import ENDED_GLYPH, MASK_GLYPH, NEWLINE_GLYPH, printable

HOLE = load_holes(bundled_examples())[0]
PINNED = Cell(b"\n        ", CellState.PINNED)
MASKED = Cell(b"", CellState.MASKED)
ENDED = Cell(b"", CellState.ENDED)


def _said(text: str, p: float = 0.9) -> Cell:
    return Cell(text.encode(), CellState.COMMITTED, p)


def _outcome(answer: str | None) -> Outcome:
    return Outcome(
        hole=HOLE,
        frames=[
            ((PINNED, MASKED, MASKED, MASKED),),
            ((PINNED, _said("self"), MASKED, MASKED),),
            ((PINNED, _said("self"), _said("[bold]x"), ENDED),),
        ],
        row=0,
        quote=(),
        answer=answer,
        reason="the model offered nothing",
        exact=answer == HOLE.removed.decode(),
        score=0.75,
        parses=True,
        context_ms=40.4,
        steps=2,
        total_ms=61.6,
        typed_ms=None if answer is None else 12.3,
    )


OUTCOMES = [_outcome("self[bold]x"), _outcome(HOLE.removed.decode()), _outcome(None)]


QUOTED = replace(_outcome("self.x"), quote=(_said("self", 0.8), _said(".x", 0.25)))


def test_a_quote_is_told_from_what_a_canvas_said() -> None:
    plain, live = io.StringIO(), io.StringIO()
    PlainScreen(Console(file=plain, color_system=None, width=80)).hole(1, 1, QUOTED)
    LiveScreen(Console(file=live, width=80), fast=True).hole(1, 1, QUOTED)
    assert "quoted from the program; score 0.75" in plain.getvalue()
    assert "self 80%  .x 25%" in plain.getvalue()
    assert "quoted from the program" in live.getvalue()
    assert "\u275d " in live.getvalue()


@pytest.mark.parametrize("no_color", [True, False])
def test_the_scale_is_told_where_there_are_colours(no_color: bool) -> None:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, color_system="standard", no_color=no_color, width=100
    )
    LiveScreen(console, fast=True).opening("bundled", 1)
    assert ("confidence" in out.getvalue()) is not no_color and MASK_GLYPH in out.getvalue()


def _plain() -> str:
    out = io.StringIO()
    screen = PlainScreen(Console(file=out, color_system=None, force_terminal=False, width=60))
    screen.opening("bundled", len(OUTCOMES))
    for number, outcome in enumerate(OUTCOMES, 1):
        screen.hole(number, len(OUTCOMES), outcome)
    screen.closing(OUTCOMES)
    return out.getvalue()


def _live(width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=width)
    screen = LiveScreen(console, fast=True)
    screen.opening("bundled", len(OUTCOMES))
    for number, outcome in enumerate(OUTCOMES, 1):
        screen.hole(number, len(OUTCOMES), outcome)
    screen.closing(OUTCOMES)
    return out.getvalue()


def test_the_plain_screen_writes_no_escape_sequence_and_never_goes_back() -> None:
    shown = _plain()
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\b" not in shown


def test_every_step_is_one_line() -> None:
    lines = _plain().splitlines()
    assert f"     0  {MASK_GLYPH * 3}" in lines
    assert f"     1  self{MASK_GLYPH * 2}" in lines
    assert f"     2  self[bold]x{ENDED_GLYPH}" in lines


@pytest.mark.parametrize("shown", [_plain, _live])
def test_right_wrong_and_nothing_are_said_as_they_are(shown) -> None:
    text = shown()
    assert "1 of 3 exactly as written" in text
    assert "differs; score 0.75; parses; 2 steps, 62 ms" in text
    assert "exact; score 0.75; parses; 2 steps, 62 ms" in text
    assert "nothing offered: the model offered nothing" in text
    assert "self[bold]x" in text  # text of a program is never markup


def test_the_plain_screen_tells_how_sure_the_model_is_of_every_token() -> None:
    assert "  sure:   self 90%  [bold]x 90%" in _plain().splitlines()


def test_a_step_that_changed_nothing_is_no_line() -> None:
    out = io.StringIO()
    first, last = _outcome(None).frames[0], _outcome(None).frames[-1]
    stalled = replace(_outcome(None), frames=[first, *[last] * 40])
    PlainScreen(Console(file=out)).hole(1, 1, stalled)
    assert [line.split()[0] for line in out.getvalue().splitlines()[2:4]] == ["0", "1"]
    assert out.getvalue().count("self[bold]x") == 1


def test_the_table_has_a_line_for_each_hole() -> None:
    table = _plain().split("context ms")[1].splitlines()[1:4]
    assert [line.split()[1:5] for line in table[:2]] == [["40", "2", "62", "12"]] * 2
    assert table[2].split()[1:5] == ["40", "2", "62", "-"]


@pytest.mark.parametrize("width", [20, 40, 200])
def test_the_live_screen_fits_any_width(width: int) -> None:
    assert _live(width)


def test_a_run_without_frames_is_shown() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    LiveScreen(console, fast=True).hole(1, 1, replace(_outcome(None), frames=[]))
    PlainScreen(Console(file=out)).hole(1, 1, replace(_outcome(None), frames=[]))
    assert "nothing offered" in out.getvalue()


def test_line_breaks_are_glyphs_and_control_characters_never_reach_the_terminal() -> None:
    row = (PINNED, Cell(b"  ", CellState.PINNED), _said("a\r\n\t  b"), _said("\x1b[2J"))
    assert row_text(row).plain == f"a{NEWLINE_GLYPH}b\ufffd[2J"
    assert printable("tab\tnewline\n\x07") == "tab\tnewline\n\ufffd"
