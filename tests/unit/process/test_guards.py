"""Loop guard: words may stand twice in a row, closers and zeros up to eight times."""

from __future__ import annotations

import string

import pytest

from diffusion.process.guards import Guards
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import byte_ids, byte_vocabulary

VOCABULARY = byte_vocabulary()


def loops(text: str, slot: int | None = None) -> bool:
    """Whether setting the last (or the given) character of `text` is refused."""
    ids = list(byte_ids(text))
    slot = len(ids) - 1 if slot is None else slot
    token, ids[slot] = ids[slot], MASK
    return Guards().loops(ids, slot, token, VOCABULARY.wordless, VOCABULARY.line_end)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("aa", False),
        ("aaa", True),
        ("xaaa", True),
        ("ab.ab.ab", False),  # two and a bit
        ("ab.ab.ab.", True),
        ("a, a, ", False),
        ("a, a, a, ", True),
        ("abcdefghabcdefghabcdefgh", True),  # n = 8
        ("abcdefghi" * 2 + "abcd", False),  # n = 9: not yet in the middle of the third
        ("abcdefghi" * 2 + "abcde", True),
        ("    if n == 0:\n" * 2 + "    if ", False),  # n = 15
        ("    if n == 0:\n" * 2 + "    if n ", True),
        ("0x00, 0x00 " * 3, True),
        ("0, 1, 2, 3; " * 8, False),
        (string.printable[:32] * 2 + string.printable[:16], True),
        (string.printable[:33] * 3, False),  # n = 33 is beyond the guard
        (")" * 8, False),
        (")" * 9, True),
        ("0, " * 5, False),
        ("0, " * 9, True),
        ("\n" * 4, False),
        ("\n" * 5, True),
        ("a" + "\n" * 4, False),
        ("    " * 2, False),
    ],
)
def test_third_repetition_is_refused_where_it_has_a_letter(text: str, refused: bool) -> None:
    assert loops(text) is refused


def test_repetition_is_seen_on_both_sides_of_a_slot() -> None:
    assert loops("aaa", slot=1)
    assert loops("aaa", slot=0)
    assert loops("ab.ab.ab.", slot=1)
    assert loops("ab.ab.ab.", slot=4)
    assert not loops("abab", slot=1)


def test_masks_break_a_stretch() -> None:
    a = byte_ids("a")[0]
    assert not Guards().loops([a, MASK, a, MASK], 3, a, VOCABULARY.wordless)
    assert Guards().loops([a, a, MASK, MASK], 2, a, VOCABULARY.wordless)


def test_del_is_no_loop() -> None:
    assert not Guards().loops([DEL, DEL, MASK], 2, DEL, VOCABULARY.wordless)
