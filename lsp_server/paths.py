"""The file that a URI names.

Invariant: no character of what comes back makes the system's calls raise anything but OSError.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lsp_server.lenient import is_text


@lru_cache(maxsize=256)  # asked for at every key, of every open document
def path_of(uri: str) -> Path | None:
    """The file that a URI names, of any scheme (a notebook's cell is in its file); else None."""
    try:
        path = unquote(urlsplit(uri).path)
    except ValueError:
        return None
    if not path.startswith("/") or "\0" in path or not is_text(path):
        return None
    drive = re.match(r"/[A-Za-z]:", path)
    return Path(path[1:] if drive else path)
