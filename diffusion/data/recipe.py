"""The recipe: which published packages the corpus is made of, and the lock that pins them.

`recipe.toml` is written by hand and names every package, the client that fetches it, its licence
and the paths to leave out. `recipe.lock.json` is written by the fetcher on the first download and
pins version, archive names and SHA-256 digests; later fetches must reproduce it exactly.
Neither file holds a host name or a path of any machine.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusion.data.errors import RecipeError

CLIENTS = ("pip-wheel", "pip-sdist", "npm", "apt-source", "interpreter")
PERMISSIVE = frozenset(
    {
        "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0", "Zlib", "BSL-1.0",
        "PostgreSQL", "curl", "TCL", "Python-2.0", "LLVM-exception", "HPND", "blessing", "0BSD",
        "HDF5", "CC0-1.0", "X11", "Biopython", "MIT-0",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One package of the recipe. `exclude` and `only` are path globs inside the archive."""

    name: str
    client: str
    package: str
    licence: str
    version: str | None = None
    languages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """All sources plus the limits that hold for the whole corpus."""

    sources: tuple[Source, ...]
    package_share: float = 0.08
    language_shares: dict[str, float] = field(default_factory=dict)
    validation_share: float = 0.007
    survey_limits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Archive:
    """One downloaded file of a source: its name and hex SHA-256."""

    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Lock:
    """What a source resolved to. Written once, then enforced."""

    version: str
    archives: tuple[Archive, ...]


def _source(entry: dict[str, Any], where: Path) -> Source:
    try:
        name = entry.get("name", entry["package"].replace("@", "").replace("/", "-"))
        source = Source(
            name=name,
            client=entry["client"],
            package=entry["package"],
            licence=entry["licence"],
            version=entry.get("version"),
            languages=tuple(entry.get("languages", ())),
            exclude=tuple(entry.get("exclude", ())),
            only=tuple(entry.get("only", ())),
        )
    except KeyError as error:
        raise RecipeError(f"{where}: a [[source]] lacks the key {error}; entry: {entry}") from error
    if source.client not in CLIENTS:
        raise RecipeError(
            f"{where}: source {name!r} names the client {source.client!r}; "
            f"use one of {', '.join(CLIENTS)}"
        )
    licences = [
        part.strip("() ") for part in source.licence.replace(" WITH ", " AND ").split(" AND ")
    ]
    for licence in licences:
        if not any(choice.strip("() ") in PERMISSIVE for choice in licence.split(" OR ")):
            raise RecipeError(
                f"{where}: source {name!r} has the licence {licence!r}, which is not on the list "
                "of permissive licences; remove the source"
            )
    return source


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises RecipeError naming the entry that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"there is no recipe at {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from error
    sources = tuple(_source(entry, path) for entry in data.get("source", ()))
    seen: set[str] = set()
    for source in sources:
        if source.name in seen:
            raise RecipeError(f"{path}: two sources are called {source.name!r}; rename one")
        seen.add(source.name)
    limits = data.get("limits", {})
    return Recipe(
        sources=sources,
        package_share=float(limits.get("package_share", 0.08)),
        validation_share=float(limits.get("validation_share", 0.007)),
        survey_limits={k: int(v) for k, v in data.get("survey_limits", {}).items()},
        language_shares={k: float(v) for k, v in data.get("language_shares", {}).items()},
    )


def load_lock(path: Path) -> dict[str, Lock]:
    """Read the lock file; an absent one is an empty lock."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Lock(entry["version"], tuple(Archive(**archive) for archive in entry["archives"]))
            for name, entry in data.items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{path} is damaged ({error}); restore it or delete it to re-pin"
        ) from error


def save_lock(path: Path, locks: dict[str, Lock]) -> None:
    """Write the lock file atomically, sources in alphabetical order, one line per source."""
    lines = []
    for name in sorted(locks):
        lock = locks[name]
        archives = [
            {"file": a.file, "sha256": a.sha256, "size_bytes": a.size_bytes} for a in lock.archives
        ]
        entry = {"version": lock.version, "archives": archives}
        lines.append(f"{json.dumps(name)}: {json.dumps(entry)}")
    part = path.with_name(path.name + ".part")
    part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    os.replace(part, path)
