"""Which adapters a repository's runs have published by themselves, and how few of them stay.

`made.json` beside the adapters holds the names and the weights' SHA-256 of those that `--keep-up`
made and named. Only the newest ones stay, since there may be one a day.

Invariant: what is selected, and whatever else lies there (named by a person, imported, or made
anew under the same name), is never deleted here.
"""

from __future__ import annotations

import json

from diffusion.adapters.durable import write_file
from diffusion.adapters.manifest import WEIGHTS_FILE, AdapterManifest
from diffusion.adapters.store import AdapterStore

MADE_FILE = "made.json"
KEPT = 3


def note_made(store: AdapterStore, manifest: AdapterManifest) -> None:
    """Write down that an adapter was made without being asked for. Raises OSError."""
    made = {**_made(store), manifest.name: manifest.files[WEIGHTS_FILE].sha256}
    write_file(store.folder / MADE_FILE, json.dumps(made).encode())


def thin_out(store: AdapterStore, kept: int = KEPT) -> list[str]:
    """Delete all but the newest `kept` of those that were noted; gives back the names of the gone.

    Raises OSError and AdapterError.
    """
    made = _made(store)
    own = [
        entry
        for entry in store.entries()
        if entry.manifest is not None
        and made.get(entry.name) == entry.manifest.files[WEIGHTS_FILE].sha256
    ]
    gone = [entry.name for entry in own[kept:] if not entry.selected]
    for name in gone:
        store.delete(name)
    there = {entry.name: made[entry.name] for entry in own if entry.name not in gone}
    if there != made:
        write_file(store.folder / MADE_FILE, json.dumps(there).encode())
    return gone


def _made(store: AdapterStore) -> dict[str, str]:
    """SHA-256 by name; what cannot be read is nobody's, and stays."""
    try:
        raw = json.loads((store.folder / MADE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    return {name: sha for name, sha in raw.items() if isinstance(sha, str)}
