"""A change to a file, printed as a diff: coloured for people, and in a pipe what `patch` takes.

Invariants: into a pipe or a file go the bytes of both texts as they are, and of several changes to
one file `patch` makes the first, whatever the file is called; on a terminal no control character
but tab and newline arrives, and tabs stay tabs.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from diffusion.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_ODD = re.compile(rb'[\x00-\x1f"\\\x7f]|^ | $')
"""What `patch` would misread in a name: blanks around it, too."""


def show_diff(
    console: Console, old: bytes, new: bytes, name: str, made: str, *, other: bool = False
) -> None:
    """Print on stdout, which is the console's, what makes `old`, the file `name`, into `new`.

    Args:
        made: how the new text was made, for people.
        other: another change was printed before; in a pipe, this one is a comment.
    """
    from rich.segment import Segment, Segments

    if sys.stdout is None:  # closed by whoever started this
        return
    if not sys.stdout.isatty():
        mark = b"# " if other else b""  # patch skips such lines; spaces alone it would take off
        sys.stdout.flush()
        sys.stdout.buffer.writelines(mark + line for line in _diff(old, new, name, made))
        sys.stdout.buffer.flush()
        return
    for line in _diff(old, new, name, made):
        shown = printable(line.decode("utf-8", "replace"))
        style = console.get_style(_STYLES.get(shown[:1], "dim"))
        # A Text would expand its tabs.
        console.print(Segments([Segment(shown, style)]), end="", soft_wrap=True)


def _diff(old: bytes, new: bytes, name: str, made: str) -> Iterator[bytes]:
    """The lines of a diff, each with its end. Both names are the file's: `patch` picks one."""
    # A line ends at "\n" only, as for `patch`.
    before, after = (io.BytesIO(text).readlines() for text in (old, new))
    file, label = _named(os.fsencode(name)), os.fsencode(made)
    heads = (file + b"\t" * (b" " in file), file, b"", label)
    for line in difflib.diff_bytes(difflib.unified_diff, before, after, *heads, n=1):
        if line.endswith(b"\n"):
            yield line
        else:
            yield line + b"\n"
            yield b"\\ No newline at end of file\n"


def _named(name: bytes) -> bytes:
    """A name as it stands in a diff; an odd one in quotation marks, as git writes it."""
    if _ODD.search(name) is None:
        return name
    return b'"%b"' % _ODD.sub(lambda odd: b"\\%03o" % ord(odd[0]), name)
