"""Whether the adapter that was chosen for a repository is the one that the server serves.

Served is one adapter in all open folders: what `diffill.model.adapter` says. Where that is another
than the one that was tuned or chosen just now, the answer says what to write there instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.adapters.home import home_of
from lsp_server.session import ADAPTER_KEY
from lsp_server.training.reload import AUTO

if TYPE_CHECKING:
    from lsp_server.session import Session


def not_served(session: Session, repository: Path, name: str | None) -> str | None:
    """Why the adapter `name` of a repository, or the base model, is not served; None where it is.

    By what the settings say: one that they name and that cannot be loaded is told by the status.
    """
    folder = str(home_of(repository).adapters / name) if name else ""
    chosen, setting = session.adapter, session.settings.model.adapter
    if chosen.folder == folder:
        return None
    if not is_open(session, repository):
        return elsewhere(folder or "none", name or "the base model")
    if chosen.problem is not None:
        return f"{ADAPTER_KEY}: {chosen.problem}"
    if setting == AUTO:
        return "another one was chosen meanwhile"
    return f"{ADAPTER_KEY} is {setting}; write auto there to serve {name or 'the base model'}"


def is_open(session: Session, repository: Path) -> bool:
    """Whether a repository is that of the folder whose adapter is served by itself."""
    return session.root is not None and home_of(session.root) == home_of(repository)


def elsewhere(wanted: str, what: str) -> str:
    """What to write to have something served that does not belong to the first open folder."""
    return (
        "only the tuning of the first open folder is served by itself; "
        f"write {wanted} into {ADAPTER_KEY} to serve {what}"
    )
