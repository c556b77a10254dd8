"""Documents that break naive servers, and hypothesis strategies for more of them."""

from __future__ import annotations

from hypothesis import strategies as st

# Line ends, things that only look like line ends, astral characters, lone surrogates, NUL.
PIECES = (
    "a", "b1", " ", "\t", "(", ")", "\n", "\r", "\r\n", "\x0c", "\x0b", "\x1c", "\x85",
    "\u2028", "\u2029", "é", "ß", "漢", "😀", "👩\u200d🚀", "e\u0301", "\ud83d", "\ude00", "\x00",
    "\ufeff", "def f(x):", "return x",
)  # fmt: skip

documents = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
encodings = st.sampled_from(("utf-8", "utf-16", "utf-32"))


def utf16(text: str) -> bytes:
    """Code units as an editor that counts UTF-16 holds them."""
    return text.encode("utf-16-le", "surrogatepass")


def normal(text: str) -> str:
    """The text with surrogate pairs joined, as any editor reads it."""
    return utf16(text).decode("utf-16-le", "surrogatepass")
