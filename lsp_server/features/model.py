"""`diffill/model/*`: the base model and the adapters of the open repository.

`list` shows them, `select` serves another one, `delete` removes one for good. A new choice is
loaded beside the model at hand and takes its place between two requests.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from diffusion.adapters.base import base_of, model_folder
from diffusion.adapters.home import home_of
from diffusion.adapters.store import AdapterStore
from diffusion.errors import DiffillError
from lsp_server.features.served import not_served
from lsp_server.features.train_params import read
from lsp_server.protocol import MODEL_DELETE, MODEL_LIST, MODEL_SELECT

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


def list_models(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """The base model, the adapters, and which one is served, or will be once one is loaded."""
    repository, _ = read(ls, params)
    session, store = ls.session, AdapterStore(home_of(repository))
    engine = session.engine.status()
    served = engine.adapter if engine.model else session.adapter.folder
    try:
        found = store.entries(base_of(_model_dir(ls)))
    except DiffillError as error:
        raise JsonRpcInvalidParams(str(error)) from None
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


def select(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """Choose the adapter called `name`, or the base model where it is null, and serve it.

    Where settings say otherwise, it is only chosen; `notServed` says why.
    """
    repository, options = read(ls, params)
    name = options.get("name")
    if name is not None and not isinstance(name, str):
        raise JsonRpcInvalidParams("name is neither an adapter's name nor null")
    try:
        AdapterStore(home_of(repository)).select(name, base_of(_model_dir(ls)))
    except DiffillError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    ls.session.choose_adapter()
    return {"selected": name, "notServed": not_served(ls.session, repository, name)}


def delete(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """Delete the adapter called `name`."""
    repository, options = read(ls, params)
    name = options.get("name")
    if not isinstance(name, str):
        raise JsonRpcInvalidParams("name is not an adapter's name")
    try:
        AdapterStore(home_of(repository)).delete(name)
    except DiffillError as error:
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
