"""Which adapter a server serves: what the setting says, for the folder that is open.

`auto` is the adapter that is selected for the repository, `none` the base model, a name one of the
repository's adapters, a path any adapter's folder, or one that holds several (a team's, say), of
which the newest is meant. What cannot be served is told as a problem, and the base model is served;
so it is by `auto` where most files that the adapter was tuned on are gone, as where another
repository lies in the folder now. Nothing here imports torch.

Called on the event loop, so that weights are not read: whoever loads them refuses what is damaged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from diffusion.adapters.base import base_of, model_folder
from diffusion.adapters.chosen import adapter_folder, is_path
from diffusion.adapters.home import holds_another, home_of
from diffusion.adapters.manifest import WEIGHTS_FILE, look
from diffusion.adapters.store import AdapterStore
from diffusion.errors import DiffillError

AUTO, NONE = "auto", "none"
_ANOTHER = (
    "most files that adapter {name} was tuned on are gone from {folder}, so it is not served "
    "there; tune again, or write its name here to serve it all the same"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The folder of the adapter to serve, "" for the base model."""

    folder: str = ""
    name: str = ""
    problem: str | None = None
    sha256: str = ""
    """Of its weights."""


def chosen_adapter(setting: str, root: Path | None, model: str = "") -> Chosen:
    """What `diffill.model.adapter` means for the folder `root` and `diffill.model.path`."""
    if setting == NONE or (root is None and setting == AUTO):
        return Chosen()
    try:
        name: str | None = setting
        if is_path(setting):  # one that is not absolute is meant from the open folder
            name = os.path.abspath((root or Path()) / Path(setting).expanduser())
        if setting == AUTO and root is not None:
            home = home_of(root)
            name = AdapterStore(home).selected()
            if name is not None and holds_another(home, name):
                return Chosen(problem=_ANOTHER.format(folder=home.root, name=name))
        if name is None:
            return Chosen()
        model_dir = model_folder(Path(model) if model else None)
        folder = adapter_folder(name, root, lambda: base_of(model_dir))
        manifest = look(folder)
    except (DiffillError, OSError) as error:
        return Chosen(problem=str(error))
    except (RuntimeError, ValueError) as error:  # `~nobody/...`, NUL: what no path may hold
        return Chosen(problem=f"{setting!r} cannot be looked for ({error}); write the path out")
    return Chosen(str(folder), manifest.name, sha256=manifest.files[WEIGHTS_FILE].sha256)
