"""Which adapter a name or a path means: for the command line, and for the server's setting.

A name is one of the repository's adapters. A path is an adapter's folder, or a folder of several,
as a team shares it (read-only, or a checkout): there, the newest one that fits the model. Nothing
here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffusion.adapters.base import base_of, model_folder
from diffusion.adapters.checked import checked
from diffusion.adapters.home import expanded, home_of
from diffusion.adapters.manifest import MANIFEST_FILE, Base, check, check_base, look
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError


def is_path(text: str) -> bool:
    """Whether this is no adapter's name, which holds no separator."""
    return "/" in text or "\\" in text or text in (".", "..", "~")


def adapter_folder(text: str, root: Path | None, base: Callable[[], Base]) -> Path:
    """The folder of the adapter that `text` names, near the repository `root`.

    Checked only where several may be meant, which is also where `base` is asked for. Raises
    AdapterError where there is none, and what `base` raises.
    """
    if is_path(text):
        folder = expanded(Path(text), "adapter")
        return folder if (folder / MANIFEST_FILE).exists() else newest_in(folder, base())
    if root is None:
        raise AdapterError(
            f"adapter {text} belongs to a repository, and no folder is open",
            fix="open the repository, or give the adapter's folder",
        )
    return AdapterStore(home_of(root)).folder_of(text)


def newest_in(shared: Path, base: Base) -> Path:
    """The newest sound adapter in a folder of adapters that fits `base`.

    Raises AdapterError where none will do, with the reason against one of them.
    """
    try:
        folders = [p for p in shared.iterdir() if (p / MANIFEST_FILE).is_file()]
    except OSError as error:
        raise AdapterError(
            f"{shared} is no folder of adapters ({error.strerror})",
            fix="name an adapter's folder, or one that holds such folders",
        ) from error
    found: list[tuple[str, str, Path]] = []
    problem: AdapterError | None = None
    for folder in sorted(folders):
        try:
            manifest = look(folder)
            check_base(manifest, base)
        except AdapterError as error:
            problem = error
        else:
            found.append((manifest.created, folder.name, folder))
    for _, _, folder in sorted(found, reverse=True):
        try:
            checked(folder)
        except AdapterError as error:
            problem = error
        else:
            return folder
    raise problem or AdapterError(
        f"{shared} holds no adapter", fix="name an adapter's folder, or one that holds such folders"
    )


def asked_adapter(text: str | None, model: Path | None, file: Path) -> Path | None:
    """The checked folder of what `--adapter` says, None where it was not given.

    A name is looked for in the repository that `file` is in. Raises AdapterError, in particular
    for an adapter of another model than `model` (None: the bundled one).
    """
    if text is None:
        return None
    base = base_of(model_folder(model))
    folder = adapter_folder(text, file, lambda: base)
    check(folder, base)
    return folder
