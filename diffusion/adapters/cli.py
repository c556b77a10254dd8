"""`diffill adapters`: what tuning has made for a repository, and which of it is served."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusion.adapters.home import expanded, home_of
from diffusion.adapters.manifest import Base
from diffusion.adapters.store import SUFFIX, AdapterStore, Listed
from diffusion.errors import ConfigError
from diffusion.infill_cli import answered
from diffusion.json_line import json_line
from diffusion.usage import AnsweringCommand, AnsweringGroup

app = typer.Typer(
    cls=AnsweringGroup,
    help="List, choose, carry and delete what tuning has made for a repository.",
    add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip

Repo = Annotated[Path, typer.Option("--repo", help="the repository; by default where you are")]
Model = Annotated[Path | None, typer.Option("--model", metavar="DIR", help="the base model")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


def _answer(
    as_json: bool, work: Callable[[], tuple[dict[str, Any], list[str]]], *, acts: bool = True
) -> None:
    """Do the work and print its document or its lines; a known failure is one line."""
    with answered(as_json, acts=acts):
        document, lines = work()
    if as_json:
        print(json_line(document))
    else:
        for line in lines:
            print(line)


def _store(repo: Path) -> AdapterStore:
    """The adapters of a repository. Raises ConfigError where there is neither it nor any."""
    home = home_of(repo)
    if not expanded(repo, "--repo").exists() and not home.folder.exists():
        raise ConfigError(f"--repo {repo} is no folder", fix="name a repository")
    return AdapterStore(home)


def _base(model: Path | None) -> Base:
    from diffusion.adapters.base import base_of, model_folder

    return base_of(model_folder(model))


@app.command("list", cls=AnsweringCommand)
def list_adapters(repo: Repo = Path("."), model: Model = None, as_json: Json = False) -> None:
    """Show every adapter with its figures; `*` marks the one that is served."""

    def work() -> tuple[dict[str, Any], list[str]]:
        found = _store(repo).entries(_base(model))
        document = {"adapters": [as_document(item) for item in found]}
        return document, [_line(item) for item in found] or ["no adapter yet"]

    _answer(as_json, work, acts=False)


@app.command("use", cls=AnsweringCommand)
def use(
    name: Annotated[str | None, typer.Argument(help="of the adapter")] = None,
    base: Annotated[bool, typer.Option("--base", help="serve the base model instead")] = False,
    repo: Repo = Path("."),
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Serve an adapter, or the base model again."""

    def work() -> tuple[dict[str, Any], list[str]]:
        if (name is None) == (not base):
            raise ConfigError("it is not clear what to serve", fix="give a name, or --base")
        _store(repo).select(name, _base(model))
        return {"selected": name}, [f"serving {name or 'the base model'}"]

    _answer(as_json, work)


@app.command("rollback", cls=AnsweringCommand)
def rollback(repo: Repo = Path("."), model: Model = None, as_json: Json = False) -> None:
    """Serve what was served before, and can still be."""

    def work() -> tuple[dict[str, Any], list[str]]:
        passed_over: list[str] = []
        name = _store(repo).rollback(_base(model), passed_over.append)
        lines = [f"passed over: {problem}" for problem in passed_over]
        document = {"selected": name, "passed_over": passed_over}
        return document, [*lines, f"serving {name or 'the base model'}"]

    _answer(as_json, work)


@app.command("delete", cls=AnsweringCommand)
def delete(
    names: Annotated[list[str], typer.Argument(help="of adapters")],
    repo: Repo = Path("."),
    as_json: Json = False,
) -> None:
    """Delete adapters for good."""

    def work() -> tuple[dict[str, Any], list[str]]:
        store = _store(repo)
        for name in names:  # all of them are there, or none is deleted
            store.folder_of(name)
        deleted = [*dict.fromkeys(names)]
        for name in deleted:
            store.delete(name)
        return {"deleted": deleted}, [f"deleted {name}" for name in deleted]

    _answer(as_json, work)


@app.command("export", cls=AnsweringCommand)
def export(
    name: Annotated[str, typer.Argument(help="of the adapter")],
    file: Annotated[
        str | None, typer.Argument(help=f"or the folder to put it into; by default NAME{SUFFIX}")
    ] = None,
    repo: Repo = Path("."),
    as_json: Json = False,
) -> None:
    """Write an adapter as one file."""

    def work() -> tuple[dict[str, Any], list[str]]:
        if file and file.endswith(_SEPARATORS) and not os.path.isdir(file):
            raise ConfigError(f"there is no folder {file}", fix="make it, or name a file")
        written = _store(repo).export(name, Path(file or f"{name}{SUFFIX}"))
        return {"file": str(written)}, [f"written to {written}"]

    _answer(as_json, work)


@app.command("import", cls=AnsweringCommand)
def import_file(
    file: Annotated[Path, typer.Argument(help="what export wrote")],
    name: Annotated[str | None, typer.Option(help="instead of its own name")] = None,
    repo: Repo = Path("."),
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Take in an exported adapter, checked whole; `use` serves it."""

    def work() -> tuple[dict[str, Any], list[str]]:
        chosen = _store(repo).import_file(file, _base(model), name)
        return {"name": chosen}, [f"imported as {chosen}"]

    _answer(as_json, work)


def as_document(item: Listed) -> dict[str, Any]:
    """An entry for programs."""
    manifest = asdict(item.manifest) if item.manifest is not None else {}
    return {
        "name": item.name,
        "selected": item.selected,
        "problem": item.problem,
        "bytes": item.size_bytes,
        "created": manifest.get("created"),
        "method": manifest.get("method"),
        "figures": manifest.get("figures", {}),
    }


def _line(item: Listed) -> str:
    mark = "*" if item.selected else " "
    if item.manifest is None:
        return f"{mark} {item.name}  {item.problem}"
    parts = [item.manifest.created, f"{item.size_bytes / 1e6:.1f} MB"]
    for key, title in (("held_out", "held-out"), ("general", "general")):
        match = _exact_match(item.manifest.figures.get(key))
        if match is not None:
            parts.append(f"{title} {100 * match[0]:.1f} -> {100 * match[1]:.1f} %")
    return f"{mark} {item.name}  " + ", ".join(parts)


def _exact_match(figures: Any) -> tuple[float, float] | None:
    """Before and after, of figures that may come from anywhere; None where they do not say."""
    if not isinstance(figures, dict) or not figures.get("cases"):
        return None
    shares = [figures.get(f"exact_match_{when}") for when in ("before", "after")]
    before, after = (s if isinstance(s, (int, float)) and 0 <= s <= 1 else None for s in shares)
    return None if before is None or after is None else (before, after)
