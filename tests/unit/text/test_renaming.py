"""Names exchanged: what two lines say of a third text, and when they say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.renaming import renamed

PIECES = st.sampled_from([b"min", b"max", b"_", b"X", b"Width", b" = ", b"(", b"1", b"\n"])
TEXTS = st.lists(PIECES, max_size=12).map(b"".join)


@pytest.mark.parametrize(
    ("text", "there", "here", "expected"),
    [
        (b"return width", b"self.width = ", b"self.height = ", b"return height"),
        (b"swap(a, b)", b"swap(b, a)", b"swap(d, c)", b"swap(c, d)"),
        (b"set_min(lo)", b"get_min()", b"get_max()", b"set_max(lo)"),
        (b"minDepth = MIN_DEPTH", b"min_x = 0", b"max_x = 0", b"maxDepth = MAX_DEPTH"),
        (b"readString(s)", b"readInt(i)", b"writeInt(i)", b"writeString(s)"),
        (b"HTTPError", b"HTTPServer", b"FTPServer", b"FTPError"),
        (b"minimum", b"get_min()", b"get_max()", None),  # part of no name: it is one part
        (b"width", b"f(1)", b"f(2)", None),  # no name differs
        (b"width", b"f(width)", b"f(width, height)", None),  # more than names differs
        (b"a + b + c", b"f(a, b, c)", b"f(x, y, z)", None),  # too many names
        (b"set_min(lo)", b"get_min_lo()", b"put_max_hi()", None),  # too many parts of one
        (b"set_min(lo)", b"get_min(lo_x)", b"put_max(hi_y)", None),  # too many of two
        (b"a", b"f(a, a)", b"f(x, y)", None),  # one name cannot be two
        (b"other", b"f(a)", b"f(b)", None),  # nothing to change
        (b"width", b"f(x)", b"f(x)", None),
        ("стоять(д)".encode(), 'print("да")'.encode(), 'print("на")'.encode(), None),
        ("größe()".encode(), "größe = 1".encode(), "grüße = 1".encode(), "grüße()".encode()),
        ("größer()".encode(), "größe = 1".encode(), "grüße = 1".encode(), None),
        (b"setWidth(1)", b"width = 1", "größe = 1".encode(), "setGröße(1)".encode()),
    ],
)
def test_names_that_differ_are_exchanged(
    text: bytes, there: bytes, here: bytes, expected: bytes | None
) -> None:
    assert renamed(text, there, here) == expected


@given(TEXTS, TEXTS, TEXTS)
def test_a_renaming_changes_something_and_only_names(
    text: bytes, there: bytes, here: bytes
) -> None:
    found = renamed(text, there, here)
    assert found != text
    if found is not None:
        assert there != here
        signs = [byte for byte in text if not chr(byte).isalnum() and byte < 0x80 and byte != 95]
        assert signs == [b for b in found if not chr(b).isalnum() and b < 0x80 and b != 95]
