"""What the system refuses, as one line: the thing and what to check.

Invariant: "the output" is named only where stdout has failed; of a stdout without a buffer
(PYTHONUNBUFFERED) that cannot be known.
"""

from __future__ import annotations

import os
import sys

from diffusion.errors import ConfigError


def refusal(error: OSError) -> str:
    """What went wrong, for people."""
    where = error.filename
    if where is None and isinstance(error, FileNotFoundError) and _folder_is_gone():
        return "the current folder is gone; change to one that exists"
    if where is None:
        kept = not getattr(sys.stdout, "write_through", False)
        where = "the output" if of_output(error) else "a file" if kept else "a file or the output"
    return (
        f"cannot read or write {where} ({error.strerror or error}); "
        "check its name, its permissions and the space on the disk"
    )


def check_stdout() -> None:
    """For what does nothing but answer there. Raises ConfigError where stdout is closed."""
    if sys.stdout is None:
        raise ConfigError("stdout is closed", fix="leave it open, or send it to a file")


def of_output(error: Exception) -> bool:
    """Whether nobody reads any more, or stdout keeps in its buffer what it could not write."""
    if isinstance(error, BrokenPipeError):
        return True
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return isinstance(error, OSError)
    return False


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
