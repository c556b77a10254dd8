"""A change to a file, printed as a diff: coloured for people, and in a pipe what `patch` takes.

Invariants: into a pipe or a file go the bytes of both texts as they are; on a terminal no control
character but tab and newline arrives, and tabs stay tabs.
"""

from __future__ import annotations

import difflib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from diffusion.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_diff(console: Console, old: bytes, new: bytes, name: str, made: str) -> None:
    """Print on stdout, which is the console's, what makes `old`, the file `name`, into `new`."""
    from rich.segment import Segment, Segments

    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.writelines(_diff(old, new, name, made))
        sys.stdout.buffer.flush()
        return
    for line in _diff(old, new, name, made):
        shown = printable(line.decode("utf-8", "replace"))
        style = console.get_style(_STYLES.get(shown[:1], "dim"))
        # A Text would expand its tabs.
        console.print(Segments([Segment(shown, style)]), end="", soft_wrap=True)


def _diff(old: bytes, new: bytes, name: str, made: str) -> Iterator[bytes]:
    """The lines of a diff, each with its end."""
    # A line ends at "\n" only, as for `patch`.
    before, after = (io.BytesIO(text).readlines() for text in (old, new))
    names = (os.fsencode(name), os.fsencode(made))
    for line in difflib.diff_bytes(difflib.unified_diff, before, after, *names, n=1):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
