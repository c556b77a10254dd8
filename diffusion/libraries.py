"""What the libraries underneath are told before any of them is imported.

Job: nothing is looked up on the network by name, and nothing is printed that is meant for people
who train models in a notebook. What the environment says already, it keeps saying.
"""

from __future__ import annotations

import os
from typing import Final

_TOLD: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


def offline_and_quiet() -> None:
    """Tell them. Cheap; called first by every process of this program."""
    for name, value in _TOLD.items():
        os.environ.setdefault(name, value)
