"""`diffill/model/*`: the base model and the adapters of the open repository.

`list` shows them, `select` serves another one, `delete` removes one for good. A new choice is
loaded beside the model at hand and takes its place between two requests. Whatever the disk refuses
is answered as InvalidParams, too. Weights are read on a thread: that may take a second.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from diffusion.adapters.base import base_of, model_folder
from diffusion.adapters.checked import checked
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import Base
from diffusion.adapters.store import AdapterStore, Listed
from diffusion.errors import DiffillError
from lsp_server.features.served import not_served
from lsp_server.features.train_params import read
from lsp_server.protocol import MODEL_DELETE, MODEL_LIST, MODEL_SELECT

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


async def list_models(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """The base model, the adapters, and which one is served, or will be once one is loaded."""
    repository, _ = read(ls, params)
    session, store = ls.session, AdapterStore(home_of(repository))

    def entries() -> list[Listed]:
        return store.entries(base_of(_model_dir(ls)))

    try:
        found = await asyncio.to_thread(entries)
    except (DiffillError, OSError) as error:
        raise JsonRpcInvalidParams(str(error)) from None
    engine = session.engine.status()
    served = engine.adapter if engine.model else session.adapter.folder
    return {
        "base": session.settings.model.path or "bundled",
        "served": engine.model,
        "baseServed": not served,
        "problem": engine.problem or session.adapter.problem,
        "adapters": [
            {
                "name": item.name,
                "selected": item.selected,
                "served": served == str(store.folder / item.name),
                "problem": item.problem,
                "bytes": item.size_bytes,
                "created": item.manifest.created if item.manifest else None,
                "figures": asdict(item.manifest)["figures"] if item.manifest else {},
            }
            for item in found
        ],
    }


async def select(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """Choose the adapter called `name`, or the base model where it is null, and serve it.

    Where settings say otherwise, it is only chosen; `notServed` says why.
    """
    repository, options = read(ls, params, "name")
    name = options.get("name")
    if "name" not in (params or {}) or not isinstance(name, (str, type(None))):
        raise JsonRpcInvalidParams("name is neither an adapter's name nor null; give one of them")
    store = AdapterStore(home_of(repository))

    def read_whole() -> Base:
        base = base_of(_model_dir(ls))
        if name is not None:
            checked(store.folder_of(name), base)
        return base

    async with ls.choosing:
        try:
            store.select(name, await asyncio.to_thread(read_whole))
        except (DiffillError, OSError) as error:
            raise JsonRpcInvalidParams(str(error)) from None
        ls.session.choose_adapter(again=True)
        return {"selected": name, "notServed": not_served(ls.session, repository, name)}


async def delete(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """Delete the adapter called `name`."""
    repository, options = read(ls, params, "name")
    name = options.get("name")
    if not isinstance(name, str):
        raise JsonRpcInvalidParams("name is not an adapter's name")
    async with ls.choosing:
        try:
            AdapterStore(home_of(repository)).delete(name)
        except (DiffillError, OSError) as error:
            raise JsonRpcInvalidParams(str(error)) from None
        ls.session.choose_adapter()
    return {"deleted": name}


def _model_dir(ls: DiffillServer) -> Path:
    """Raises ConfigError for `~nobody`."""
    path = ls.session.settings.model.path
    return model_folder(Path(path) if path else None)


def register(server: DiffillServer) -> None:
    server.feature(MODEL_LIST)(list_models)
    server.feature(MODEL_SELECT)(select)
    server.feature(MODEL_DELETE)(delete)
