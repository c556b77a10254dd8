"""Drafts: what is told of canvases while they are unmasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.bridging import carry_out
from diffusion.drafts import CanvasWatch, Draft, Outline, Piece, joined, pieces_of
from diffusion.filling import FillRequest, fill
from diffusion.infill import Infiller
from diffusion.process.canvas_state import StepSnapshot
from diffusion.rewriting import RewriteRequest, rewrite
from diffusion.text.canvas import Placement
from diffusion.text.line_tasks import bridge_task
from diffusion.text.parts import find_markers, split
from diffusion.text.tokenizer import DEL, MASK

TEXT = b"class Box:\n    def __init__(self, ___):\n        self.size = ___\n"
HOLES = tuple(find_markers(TEXT))


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def shown(
    infiller: Infiller, text: bytes, constraint: bytes = b"", *more: int
) -> tuple[Piece, ...]:
    return pieces_of(infiller.tokenizer, [*infiller.tokenizer.encode(text), *more], constraint)


def test_open_slots_are_counted_and_a_del_ends_it(infiller: Infiller) -> None:
    assert shown(infiller, b"return", b"", MASK, MASK) == ("return", 2)
    assert shown(infiller, b"return", b"", DEL, MASK) == ("return",)
    assert shown(infiller, b"", b"", MASK) == (1,)


def test_what_was_typed_is_left_out(infiller: Infiller) -> None:
    assert shown(infiller, b"return", b"re") == ("turn",)
    assert shown(infiller, b"r", b"re", MASK) == (1,), "the word is not yet complete"


def test_half_a_character_is_not_shown(infiller: Infiller) -> None:
    ids = infiller.tokenizer.encode("é€".encode())
    for kept in range(len(ids) + 1):
        for piece in pieces_of(infiller.tokenizer, ids[:kept], b""):
            assert isinstance(piece, str) and "\ufffd" not in piece


def test_the_canvas_that_has_got_furthest_is_shown_and_kept(infiller: Infiller) -> None:
    told: list[tuple[tuple[Piece, ...], float]] = []
    watch = CanvasWatch(
        infiller.tokenizer, [Placement(0, 0, (), b"")],
        lambda pieces, done: told.append((tuple(pieces[0]), done)),
    )  # fmt: skip
    a, b = infiller.tokenizer.encode(b"(")[0], infiller.tokenizer.encode(b")")[0]

    def step(*rows: tuple[int, ...]) -> None:
        watch(StepSnapshot(1, rows, ((),) * len(rows), (None,) * len(rows), ((),) * len(rows)))

    step((a, MASK), (b, MASK))
    step((a, MASK), (b, b))
    step((a, a), (b, b))
    assert told == [(("(", 1), 0.5), (("))",), 0.75), (("))",), 1.0)]


def test_parts_become_holes_with_their_pins() -> None:
    data = b"[ab, keep, cd] ___"
    holes = ((0, 14), (15, 18))
    outline = Outline(data, holes, tuple(split(data, holes, ((5, 9),))))
    assert outline.draft([b"[x, "], [("y", 2)], 0.5) == Draft((("[x, keepy", 2), (0,)), 0.5)


def test_neighbouring_texts_are_one() -> None:
    assert joined(["a", "", "b", 2, 1, "c"]) == ("ab", 2, 1, "c")


def check(drafts: list[Draft], holes: int) -> None:
    assert len(drafts) > 1
    assert all(len(draft.holes) == holes and 0 < draft.done <= 1 for draft in drafts)
    assert [d.done for d in drafts] == sorted(d.done for d in drafts)
    assert any(isinstance(piece, int) for draft in drafts for hole in draft.holes for piece in hole)
    assert any(isinstance(piece, str) for draft in drafts for hole in draft.holes for piece in hole)


@pytest.mark.parametrize("holes", [HOLES, HOLES[:1]])
def test_a_fill_tells_how_far_it_is(
    infiller: Infiller, holes: tuple[tuple[int, int], ...]
) -> None:
    request = FillRequest(TEXT, holes, "python")
    drafts: list[Draft] = []
    result = fill(infiller, request, on_draft=drafts.append)
    check(drafts, len(holes))
    assert result.fills == fill(infiller, request).fills, "to be watched changes nothing"


def test_a_rewrite_tells_how_far_it_is(infiller: Infiller) -> None:
    text = "total = one + two + three * four\n"
    request = RewriteRequest(text, 8, len(text) - 1, "python", strength=1.0)
    drafts: list[Draft] = []
    result = rewrite(infiller, request, on_draft=drafts.append)
    check(drafts, 1)
    assert result.rewrites == rewrite(infiller, request).rewrites


def test_a_bridge_tells_of_the_range_that_it_replaces(infiller: Infiller) -> None:
    data = b"rows = read()\nprint(total)\n"
    task = replace(bridge_task(data, 13), before="<", after=">")
    drafts: list[Draft] = []
    carry_out(infiller, task, FillRequest(data, (), "python"), on_draft=drafts.append)
    assert len(drafts) > 1
    for draft in drafts:
        first, last = draft.holes[0][0], draft.holes[0][-1]
        assert isinstance(first, str) and first.startswith("<")
        assert isinstance(last, str) and last.endswith(">")
