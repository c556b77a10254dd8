"""The context in two parts, drawn: `⟦⟧` marks the hole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import GAP, Context, lay_out, place, window_around
from diffusion.text.near_lines import READ_AGAIN, STRIDE, ContextInParts, in_parts
from diffusion.text.tokenizer import Tokenizer
from tests.unit.text.test_canvas import cut

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
WIDE = 480


def parts_of(drawn: str, budget: int = WIDE) -> ContextInParts | None:
    data, start, end = cut(drawn)
    return in_parts(TOKENIZER, data, place(TOKENIZER, data, start, end), "python", budget)


def whole_of(drawn: str, budget: int = WIDE) -> Context:
    data, start, end = cut(drawn)
    placed = place(TOKENIZER, data, start, end)
    window = window_around(TOKENIZER, data, placed, budget)
    return lay_out(TOKENIZER, data, window, [placed], "python")


def lines(count: int, first: int = 0) -> str:
    return "".join(f"a{n} = {n}\n" for n in range(first, first + count))


def spelled(ids: tuple[int, ...]) -> str:
    return TOKENIZER.decode(ids).decode()


@pytest.mark.parametrize(
    ("above", "near"),
    [
        (lines(7), lines(7).rstrip()),
        (lines(8), None),
        (lines(9), "\na8 = 8"),
        (lines(15), "\n" + lines(7, 8).rstrip()),
        (lines(16), None),
        (lines(17), "\na16 = 16"),
        (lines(17).replace("\n", "\r\n"), "\r\na16 = 16"),
        (lines(8) + "\n" + lines(1), "\n\na0 = 0"),
        ("", None),
    ],
)
def test_near_lines_begin_at_every_eighth(above: str, near: str | None) -> None:
    found = parts_of(f"{above}    ⟦x⟧\nb = 1\n")
    if near is None:
        assert found is None
    else:
        assert found is not None
        assert spelled(found.near_ids) == near


def test_long_lines_are_near_in_smaller_numbers() -> None:
    long = "".join(f"a{n} = f({', '.join(f'b{n}{k}' for k in range(8))})\n" for n in range(7))
    found = parts_of(f"{long}⟦x⟧\n")
    assert found is not None
    assert spelled(found.near_ids) == "\n" + long.splitlines()[6]
    assert parts_of(f"{long}⟦x⟧\n", budget=60) is None, "one such line is too long already"


def test_where_the_canvas_begins_inside_a_line_nothing_is_near() -> None:
    typed = " + ".join(f"b{n}" for n in range(40))
    assert parts_of(f"{lines(9)}c = {typed} + ⟦x⟧\n") is None


def test_both_parts_together_are_the_context() -> None:
    drawn = f"{lines(12)}    c = ⟦x⟧\n{lines(12)}"
    found = parts_of(drawn)
    assert found is not None
    assert found.whole() == whole_of(drawn)


def test_what_is_read_stands_where_it_stands_in_the_whole() -> None:
    found = parts_of(f"{lines(12)}    c = ⟦x⟧)\n{lines(12)}")
    assert found is not None
    whole, far = found.whole(), found.far
    read = dict(zip(found.read_positions, found.read_ids, strict=True))
    kept = dict(zip(far.positions[: found.before], far.ids[: found.before], strict=True))
    behind = zip(far.positions[found.kept_after :], far.ids[found.kept_after :], strict=True)
    kept |= {at + found.moved: token for at, token in behind}
    assert not read.keys() & kept.keys()
    assert read | kept == dict(zip(whole.positions, whole.ids, strict=True))
    assert len(found.read_ids) == len(found.near_ids) + READ_AGAIN


@pytest.mark.parametrize("behind", ["", "\n", "\nb"])
def test_a_short_end_is_read_again_as_a_whole(behind: str) -> None:
    found = parts_of(f"{lines(9)}⟦x⟧{behind}")
    assert found is not None
    assert found.kept_after == len(found.far.ids)
    assert len(found.read_ids) - len(found.near_ids) == len(found.far.ids) - found.before


def test_line_after_line_keeps_the_far_part() -> None:
    """What somebody types between two boundaries; the text below stays."""
    fars = []
    for typed in range(2 * STRIDE):
        found = parts_of(f"{lines(8)}{lines(typed, 8)}    ⟦⟧\n{lines(30, 50)}")
        if found is not None:
            fars.append(found.far)
    assert len(fars) == 2 * (STRIDE - 1) and len(set(fars)) == 2


document = st.lists(
    st.sampled_from(["a = 1", "", "    b(c)", "é = 'ü'", "x" * 200, "\t{", "}"]), max_size=40
)


@given(document, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_the_parts_spell_what_stands_around_the_hole(parts: list[str], end: str, draw) -> None:
    data = end.join(parts).encode()
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, min(len(data), start + 9)))
    placed = place(TOKENIZER, data, start, stop)
    found = in_parts(TOKENIZER, data, placed, "python", WIDE)
    if found is None:
        return
    whole = found.whole()
    assert found.near_ids and len(found.near_ids) <= WIDE // 5
    assert list(whole.positions) == sorted(set(whole.positions))
    text = {False: b"", True: b""}
    for token, position in zip(whole.ids, whole.positions, strict=True):
        text[position >= whole.hole_positions[0]] += TOKENIZER.decode([token])
    assert data[: placed.anchor].endswith(text[False])
    assert data[placed.end :].startswith(text[True])
    gap = next((p for p in whole.positions if p >= whole.hole_positions[0]), None)
    assert gap in (None, whole.hole_positions[0] + GAP)
