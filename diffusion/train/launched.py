"""What a launcher (`torchrun`, `accelerate launch`) says in the environment of its processes.

A variable that is not set, or is empty, says that there is one process. No torch is loaded.
"""

from __future__ import annotations

import os

from diffusion.errors import ConfigError


def processes() -> int:
    """How many processes work together. Raises ConfigError for what is no number of them."""
    return _number("WORLD_SIZE", "1", least=1)


def alone() -> bool:
    """Whether there is one. Raises ConfigError as `processes` does."""
    return processes() == 1


def processes_here() -> int:
    """How many of them run on this machine. Raises ConfigError for what is no number of them."""
    return _number("LOCAL_WORLD_SIZE", "1", least=1)


def is_first() -> bool:
    """Whether this process decides, writes and reports. Raises ConfigError for no number."""
    return _number("RANK", "0", least=0) == 0


def _number(name: str, unset: str, *, least: int) -> int:
    text = os.environ.get(name) or unset
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise ConfigError(
            f"{name} is {text!r}",
            fix="unset it, or start with `torchrun` or `accelerate launch`, which set it",
        )
    return number
