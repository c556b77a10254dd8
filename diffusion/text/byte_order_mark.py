"""The byte order mark that some editors write at the start of a file.

It is no text: whoever asks a model about a document leaves it out, so that the first line is read
as it is without one, and counts its offsets from behind it. Invariant: nothing is ever put before
a mark, nor into it, unless an offset lies there.
"""

from __future__ import annotations

from codecs import BOM_UTF8


def mark_before(data: bytes, at: int) -> int:
    """How many bytes of a mark stand before byte `at` of `data`: 3, or 0."""
    return len(BOM_UTF8) if at >= len(BOM_UTF8) and data.startswith(BOM_UTF8) else 0
