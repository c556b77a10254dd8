"""What clients give with `diffill/train/*` and `diffill/model/*`, checked.

Everything here raises JsonRpcInvalidParams that names what is wrong.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from diffusion.adapters.home import expanded, home_of
from diffusion.adapters.manifest import check_name
from diffusion.errors import DiffillError

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

_OF_A_RUN = ("minutes", "method", "probeSeconds", "name", "fresh")


def read(ls: DiffillServer, params: Any, *known: str) -> tuple[Path, dict[str, Any]]:
    """The repository, and what else was given and is not null; no other keys than `known`.

    A key that is misspelled must not pass: what it meant would be done to something else.
    """
    if params is not None and not isinstance(params, dict):
        raise JsonRpcInvalidParams("params must be an object, or be left out")
    options = {name: value for name, value in (params or {}).items() if value is not None}
    named = options.pop("repository", None)
    if unknown := [name for name in options if name not in known]:
        raise JsonRpcInvalidParams(
            f"{', '.join(unknown)} would do nothing; give {', '.join(('repository', *known))}"
        )
    if named is not None and not isinstance(named, str):
        raise JsonRpcInvalidParams("repository is not a path")
    try:
        root = expanded(Path(named), "repository") if named else ls.session.root
        if root is None:
            raise JsonRpcInvalidParams("no folder is open; open one, or give repository")
        if not is_folder(root):
            raise JsonRpcInvalidParams(f"repository {root} is no folder")
        home_of(root)
    except DiffillError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    return root, options


def read_run(ls: DiffillServer, params: Any) -> tuple[Path, dict[str, Any]]:
    """The repository and the options of a run or a plan."""
    root, options = read(ls, params, *_OF_A_RUN)
    minutes, probe_s = (options.get(name, 1) for name in ("minutes", "probeSeconds"))
    if not _is_number(minutes) or minutes == 0:
        raise JsonRpcInvalidParams(f"minutes is {minutes!r}; give a number above 0")
    if not _is_number(probe_s):
        raise JsonRpcInvalidParams(f"probeSeconds is {probe_s!r}; give a number from 0 up")
    if options.get("method", "lora") not in ("lora", "full"):
        raise JsonRpcInvalidParams(f"method is {options['method']!r}; give lora or full")
    if not isinstance(options.get("fresh", False), bool):
        raise JsonRpcInvalidParams(f"fresh is {options['fresh']!r}; give true or false")
    if options.get("name"):
        try:
            check_name(str(options["name"]))
        except DiffillError as error:
            raise JsonRpcInvalidParams(str(error)) from None
    return root, options


def is_folder(path: Path) -> bool:
    """Whether there is one; a path may also be one that no disk takes."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_number(value: Any) -> bool:
    """Whether this is a length of time, 0 included."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
    )
