"""The context in two parts, drawn: `⟦⟧` marks the hole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.config import InfillConfig
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import GAP, Context, lay_out, place, window_around
from diffusion.text.near_lines import (
    READ_AGAIN,
    STRIDE,
    SURELY_NEAR,
    ContextInParts,
    in_parts,
    share_far,
)
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
        (lines(8), ""),
        (lines(9), "\na8 = 8"),
        (lines(15), "\n" + lines(7, 8).rstrip()),
        (lines(16), ""),
        (lines(17), "\na16 = 16"),
        (lines(17).replace("\n", "\r\n"), "\r\na16 = 16"),
        (lines(8) + "\n" + lines(1), "\n\na0 = 0"),
        ("", ""),
    ],
)
def test_near_lines_begin_at_every_eighth(above: str, near: str) -> None:
    found = parts_of(f"{above}    ⟦x⟧\nb = 1\n")
    assert found is not None
    assert spelled(found.near_ids) == near


def test_long_lines_are_near_in_smaller_numbers() -> None:
    long = "".join(f"a{n} = f({', '.join(f'b{n}{k}' for k in range(8))})\n" for n in range(7))
    found = parts_of(f"{long}⟦x⟧\n")
    assert found is not None
    assert spelled(found.near_ids) == "\n" + long.splitlines()[6]
    assert parts_of(f"{long}⟦x⟧\n", budget=60) is None, "one such line is too long already"


class _Watched(Tokenizer):
    longest = 0

    def encode(self, data: bytes) -> list[int]:
        self.longest = max(self.longest, len(data))
        return super().encode(data)

    def encode_with_ends(self, data: bytes) -> tuple[list[int], list[int]]:
        self.longest = max(self.longest, len(data))
        return super().encode_with_ends(data)


@pytest.mark.parametrize(("above", "near"), [("", None), (lines(4), "\na3 = 3")])
def test_of_a_long_line_little_is_tokenized(above: str, near: str | None) -> None:
    """A font or a picture in a string, above the cursor: every key would pay for it."""
    tokenizer = _Watched.load(bundled_tokenizer_path())
    assert isinstance(tokenizer, _Watched)
    blob = "".join(f"{n:x}" for n in range(16_000))
    data, start, end = cut(f"FONT = '{blob}'\n{above}⟦x⟧\n")
    placed = place(tokenizer, data, start, end)
    found = in_parts(tokenizer, data, placed, "python", WIDE)
    assert (found and spelled(found.near_ids)) == near
    assert tokenizer.longest <= 8 * WIDE


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


@pytest.mark.parametrize("outside", [0, 400])
def test_line_after_line_keeps_the_far_part(outside: int) -> None:
    """What somebody types from a boundary to the second one; the text below stays.

    Also where the document is larger than the window.
    """
    fars = []
    for typed in range(2 * STRIDE):
        above = lines(outside) + lines(8) + lines(typed, 8)
        found = parts_of(f"{above}    ⟦⟧\n{lines(30 + outside, 50)}")
        assert found is not None
        fars.append(found.far)
    first, second = fars[:STRIDE], fars[STRIDE:]
    assert len(set(first)) == len(set(second)) == 1 and first[0] != second[0]


def test_lines_too_long_for_eight_share_a_far_part_by_fours() -> None:
    """The first of four has nothing near either, so it reads what the others need."""
    long = [f"a{n} = f({', '.join(f'b{n}{k}' for k in range(5))})\n" for n in range(STRIDE)]
    fars = []
    for typed in range(STRIDE):
        found = parts_of(f"{lines(400)}{''.join(long[:typed])}⟦⟧\n{lines(400)}")
        assert found is not None
        fars.append(found.far)
    assert fars == [fars[0]] * 4 + [fars[4]] * 4 and fars[0] != fars[4]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (f"{lines(8)}b = ⟦⟧\n{lines(9)}", True),
        (f"{lines(9)}b = ⟦⟧\n{lines(9)}", True),
        (f"{lines(15)}    ⟦⟧\n{lines(9)}", True),
        (f"{lines(8)}a = 1  # the line that Enter left\n⟦⟧\n{lines(9)}", True),
        (f"{lines(16)}⟦⟧\n{lines(9)}", False),
        (f"{lines(7)}⟦⟧\n{lines(9)}", False),
        (f"b\n{lines(7)}⟦⟧\n{lines(9)}", False),
        (f"{lines(9)}⟦⟧\n{lines(8)}", False),
        (f"{lines(8)}{'long ' * 20}\n⟦⟧\n{lines(9)}", False),
    ],
)
def test_which_holes_share_the_far_part_of_the_first_of_eight_lines(
    other: str, same: bool
) -> None:
    first = f"{lines(8)}⟦⟧\n{lines(9)}"
    (one, at, _), (another, there, _) = cut(first), cut(other)
    assert share_far(one, at, another, there) is same
    assert share_far(another, there, one, at) is same
    found, wanted = parts_of(other), parts_of(first)
    assert found is not None and wanted is not None
    assert found.far == wanted.far or not same


def test_before_code_only_the_same_line_shares_it() -> None:
    """With the cursor in the first column, a line end would be put before the code."""
    one, two, three = b"a\nb(1)", b"a\n b(1)", b"a\n\n b(1)"
    assert share_far(one, 2, two, 3)
    assert not share_far(two, 3, three, 4)


def test_what_is_surely_near_is_so_as_served() -> None:
    assert InfillConfig().context_tokens == WIDE
    digits = "1" * (SURELY_NEAR - 1)
    found = parts_of(f"{digits[:40]}\n{digits[40:]}\n⟦⟧\n")
    assert found is not None
    assert len(found.near_ids) == SURELY_NEAR


line = st.sampled_from(["a = 1", "", "    b(c)", "é = 'ü'", "x" * 200, "\t{", "}", "1" * 40])
document = st.lists(line, max_size=40)


@given(
    document, st.lists(st.lists(line, max_size=9), min_size=2, max_size=2), document,
    st.sampled_from(["\n", "\r\n"]), st.lists(st.sampled_from(["", "c = ", "}", "é"]), min_size=2),
)  # fmt: skip
def test_where_it_is_said_that_holes_share_the_far_part_they_do(
    above: list[str], between: list[list[str]], below: list[str], end: str, typed: list[str]
) -> None:
    """Both have the same text far above and below, and lines of their own."""
    asked = []
    for lines_between, last in zip(between, typed, strict=False):
        before = "".join(text + end for text in above + lines_between) + last
        asked.append((f"{before}{end}{end.join(below)}".encode(), len(before.encode())))
    (one, at), (other, there) = asked
    if share_far(one, at, other, there):
        placed = (place(TOKENIZER, data, start, start) for data, start in asked)
        found = [
            in_parts(TOKENIZER, data, hole, "python", WIDE)
            for (data, _), hole in zip(asked, placed, strict=True)
        ]
        if between[0] != between[1]:
            assert None not in found
        assert len({parts.far if parts else None for parts in found}) == 1


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
    assert len(found.near_ids) <= WIDE // 5
    assert list(whole.positions) == sorted(set(whole.positions))
    text = {False: b"", True: b""}
    for token, position in zip(whole.ids, whole.positions, strict=True):
        text[position >= whole.hole_positions[0]] += TOKENIZER.decode([token])
    assert data[: placed.anchor].endswith(text[False])
    assert data[placed.end :].startswith(text[True])
    gap = next((p for p in whole.positions if p >= whole.hole_positions[0]), None)
    assert gap in (None, whole.hole_positions[0] + GAP)
