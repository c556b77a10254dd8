"""Errors of the corpus pipeline, below `diffusion.errors.CorpusError`.

Every message names the package, file or option that is wrong, and the fix.
"""

from __future__ import annotations

from diffusion.errors import CorpusError


class RecipeError(CorpusError):
    """The recipe or its lock file is missing or malformed."""


class FetchError(CorpusError):
    """A package could not be downloaded or does not match the lock."""


class ShardError(CorpusError):
    """Shard files are missing, truncated or inconsistent."""
