"""What a run that is not over was begun with: what starts that nobody asked for must know of it.

They go on with no run of another model, which would begin anew and lose what it has: an editor and
a hook may be set to different ones. Where the same folder holds another model now, as after an
update, nobody could go on with the run, so it may begin anew. Imports no torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from diffusion.adapters.base import base_of, model_folder
from diffusion.pretrained import bundled_model_dir

CONFIG_FILE = "config.json"
"""What a run has begun with (`tune_stored`)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Of a run in its folder; what is not known is None."""

    base: str | None = None
    """SHA-256 of its base model's weights."""
    model: str | None = None
    """The model's folder, as `spelled`."""
    by_itself: bool = False
    """Nobody asked for it, so it keeps to the day's minutes."""

    def other_model(self, model: Path | None) -> str | None:
        """The run's model in words, where `model` (None: the bundled one) is another.

        Raises DiffillError where that is none.
        """
        if self.base is None or self.model in (None, spelled(model)):
            return None
        if base_of(model_folder(model)).weights_sha256 == self.base:
            return None
        return self.model or "the bundled one"


def begun(run: Path) -> Begun:
    """What the run in a folder was begun with. Never raises."""
    try:
        raw = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8"))
        base, model = raw["base"], raw.get("model")
        by_itself = raw.get("by_itself") is True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Begun()
    if not isinstance(base, str) or not isinstance(model, str):
        return Begun(by_itself=by_itself)
    return Begun(base, model, by_itself)


def spelled(model: Path | None) -> str:
    """A model's folder, however it was named; "" for the bundled one. Raises ConfigError."""
    folder = model_folder(model).resolve()
    return "" if folder == bundled_model_dir().resolve() else str(folder)
