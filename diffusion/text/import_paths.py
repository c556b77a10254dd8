"""Where the files behind an import may lie: names of files, tried in order by whoever reads them.

Job: the customs of each language, without its build system: relative names from the file's own
folder, absolute ones from every folder between it and the root (and its `src`, `lib`, `include`),
Go by the module name in `go.mod`, Rust by the crate's `src`. Path aliases of bundlers, include
paths of compilers and installed packages are not known.

Invariants: nothing is read or looked up here; names may be of files that do not exist, and may
lie outside of the root: the reader must check (`workspace`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from diffusion.text.imports import Import

SOURCE_FOLDERS: Final = ("src", "lib", "include", "src/main/java")
"""Folders that hold sources, tried below every folder on the way up."""
_SCRIPT_ENDS: Final = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
ALL_OF: Final = "*"
"""Last part of a name that stands for every file of the language in a folder."""


def import_paths(
    item: Import, language: str, file: Path, root: Path, go_module: str = ""
) -> Iterator[Path]:
    """Files that `item`, imported in `file`, may be in; the likeliest first.

    The last part may be `ALL_OF`. `go_module`: the module that `go.mod` in `root` names.
    """
    if language == "go":
        inside = item.source.removeprefix(go_module).strip("/")
        if go_module and (item.source == go_module or item.source.startswith(go_module + "/")):
            yield root / inside / ALL_OF
        return
    places = _PLACES.get(language)
    if places is not None:
        yield from places(item, file, root)


def _upward(file: Path, root: Path) -> Iterator[Path]:
    """Folders from the file's own up to the root, each with those that hold sources."""
    for folder in file.parents:
        yield folder
        yield from (folder / name for name in SOURCE_FOLDERS)
        if folder == root or root not in folder.parents:
            return


def _python(item: Import, file: Path, root: Path) -> Iterator[Path]:
    parts = [part for part in item.source.split(".") if part]
    if item.up:
        folders = [file.parents[item.up - 1]] if item.up <= len(file.parents) else []
    else:
        folders = list(_upward(file, root))
    for folder in folders:
        module = folder.joinpath(*parts)
        for name in item.names:  # a name may be a module of the package
            if name.isidentifier() and (parts or item.up) and name != item.source:
                yield module / f"{name}.py"
        if parts:
            yield module.with_name(module.name + ".py")
            yield module.with_name(module.name + ".pyi")
        yield module / "__init__.py"


def _script(item: Import, file: Path, root: Path) -> Iterator[Path]:
    if not item.source.startswith("."):
        return
    target = file.parent / PurePosixPath(item.source)
    yield target
    stem = target.with_suffix("") if target.suffix in (".js", ".jsx", ".mjs", ".cjs") else target
    for end in _SCRIPT_ENDS:
        yield stem.with_name(stem.name + end) if stem.name else stem / f"index{end}"
    for end in _SCRIPT_ENDS:
        yield target / f"index{end}"


def _rust(item: Import, file: Path, root: Path) -> Iterator[Path]:
    parts = item.source.split("::")
    own = file.parent if file.stem in ("mod", "lib", "main") else file.with_suffix("")
    if parts[0] == "crate":
        above = [folder for folder in file.parents if folder.name == "src"]
        base, parts = (above[0] if above else file.parent), parts[1:]
    elif parts[0] == "self":
        base, parts = own, parts[1:]
    elif parts[0] == "super":
        base = own
        while parts and parts[0] == "super":
            base, parts = base.parent, parts[1:]
    else:
        base = own  # a module beside this one, or a crate: then nothing is there
    for name in (*item.names, None):
        longest = [*parts, name] if name is not None else parts
        for kept in range(len(longest), 0, -1):
            module = base.joinpath(*longest[:kept])
            yield module.with_name(module.name + ".rs")
            yield module / "mod.rs"
    if not parts:
        yield base.with_name(base.name + ".rs")
        yield from (base / name for name in ("mod.rs", "lib.rs", "main.rs"))


def _java(item: Import, file: Path, root: Path) -> Iterator[Path]:
    parts = item.source.split(".")
    for folder in _upward(file, root):
        if not item.names:
            yield folder.joinpath(*parts, ALL_OF)
        for kept in (len(parts), len(parts) - 1):  # the last part may be a static member
            if kept > 0:
                yield folder.joinpath(*parts[:kept]).with_suffix(".java")


def _c(item: Import, file: Path, root: Path) -> Iterator[Path]:
    named = PurePosixPath(item.source)
    if named.is_absolute():
        return
    for folder in _upward(file, root):
        yield folder / named


_PLACES: Mapping[str, Callable[[Import, Path, Path], Iterator[Path]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "rust": _rust,
    "java": _java,
    "c": _c,
    "cpp": _c,
}
