"""Which adapter a server serves: what the setting says, for the folder that is open.

`auto` is the adapter that is selected for the repository, `none` the base model, a name one of the
repository's adapters, a path any adapter's folder (a shared one, say). What cannot be served is
told as a problem, and the base model is served. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import check
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError

AUTO, NONE = "auto", "none"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The folder of the adapter to serve, "" for the base model."""

    folder: str = ""
    name: str = ""
    problem: str | None = None


def chosen_adapter(setting: str, root: Path | None) -> Chosen:
    """What `diffill.model.adapter` means for the folder `root`."""
    if setting == NONE or (root is None and setting == AUTO):
        return Chosen()
    try:
        if "/" in setting or "\\" in setting:
            folder = Path(setting).expanduser()
        else:
            if root is None:
                raise AdapterError(
                    f"adapter {setting} belongs to a repository, and no folder is open",
                    fix="open the repository, or give the adapter's folder",
                )
            store = AdapterStore(home_of(root))
            name = store.selected() if setting == AUTO else setting
            if name is None:
                return Chosen()
            folder = store.folder_of(name)
        manifest = check(folder)
    except (AdapterError, OSError) as error:
        return Chosen(problem=str(error))
    return Chosen(str(folder), manifest.name)
