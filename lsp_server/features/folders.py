"""Workspace folders: which documents are left alone, and whose adapter is served.

`workspace/didChangeWorkspaceFolders` adds and removes folders; where the client can watch files,
it tells of changed ignore files. Invariants: after either message the next request sees the new
rules; what changes no rule makes nothing be read again; tuning, and the adapter that is served, are
those of the first folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from diffusion.text.ignored import GITIGNORE, OWN_IGNORE
from lsp_server.features import suspicious
from lsp_server.features.train import open_folder

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
_IGNORE_FILES = (f"/{GITIGNORE}", f"/{OWN_IGNORE}", "/.git/info/exclude")


def take(ls: DiffillServer, params: types.InitializeParams) -> None:
    """The folders that the client opened with; a client of one folder only may name its root."""
    uris = [folder.uri for folder in params.workspace_folders or ()]
    root = params.root_uri or _uri_of(params.root_path)
    if not uris and root:
        uris = [root]
    _set(ls, uris)


def _uri_of(path: str | None) -> str | None:
    """The URI of a root as clients named it before they had URIs."""
    try:
        return Path(path).as_uri() if path else None
    except ValueError:  # no path, or not a whole one
        return None


def _set(ls: DiffillServer, uris: list[str]) -> None:
    ls.session.root = open_folder(uris)
    ls.session.set_folders(uris)


def did_change_folders(ls: DiffillServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    gone = {folder.uri for folder in params.event.removed}
    uris = [uri for uri in ls.session.folders if uri not in gone]
    _set(ls, [*uris, *_uris(params.event.added, uris)])
    ls.session.choose_adapter()
    suspicious.look_again(ls)


def _uris(folders: Iterable[types.WorkspaceFolder], known: list[str]) -> list[str]:
    return [folder.uri for folder in folders if folder.uri not in known]


def did_change_watched_files(ls: DiffillServer, params: types.DidChangeWatchedFilesParams) -> None:
    """A client tells of what other servers want to hear of, too."""
    if any(change.uri.endswith(_IGNORE_FILES) for change in params.changes):
        ls.session.forget_ignored()
        suspicious.look_again(ls)


async def watch(ls: DiffillServer) -> None:
    """Ask a client that can to tell of ignore files that change."""
    workspace = ls.client_capabilities.workspace
    dynamic = workspace and workspace.did_change_watched_files
    if not (dynamic and dynamic.dynamic_registration):
        return
    watchers = [types.FileSystemWatcher(f"**/{name}") for name in (GITIGNORE, OWN_IGNORE)]
    registration = types.Registration(
        id="diffill-ignore-files",
        method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        register_options=types.DidChangeWatchedFilesRegistrationOptions(watchers),
    )
    try:
        await ls.client_register_capability_async(types.RegistrationParams([registration]))
    except JsonRpcException as error:
        logger.warning("the client did not register didChangeWatchedFiles: %s", error.code)


def register(server: DiffillServer) -> None:
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_folders)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
