"""What must not get into the repository: places of one machine, registries, pickles, bulk."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from tests.repo.tracked import ROOT, python_files, text_files, tracked_files

MAX_WEIGHTS_BYTES = 70_000_000
MAX_FILE_BYTES = 1_000_000

# Joined here so that this file does not contain what it forbids.
_HOMES = (
    "/" + "work/(?:main|shared)",
    "/" + "root/",
    "/" + "Users/",
    "/" + "home/[a-z]",
    "/opt/" + "pypi",
)
_HOSTS = (
    "pypi" + r"\.org",
    "python" + r"hosted\.org",
    "registry" + r"\.npmjs",
    "registry" + r"\.yarnpkg",
    "download" + r"\.pytorch\.org",
    "static" + r"\.crates\.io",
)
_FORBIDDEN = re.compile("|".join((*_HOMES, *_HOSTS)))

_PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_no_machine_path_and_no_registry_host() -> None:
    found = [
        f"{path}:{number}: {match.group()}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _FORBIDDEN.search(line))
    ]
    assert not found, "\n".join(found)


def test_package_locks_name_no_registry() -> None:
    locks = [p for p in tracked_files() if p.name == "package-lock.json"]
    pinned = [
        f"{path}: {name}"
        for path in locks
        for name, entry in json.loads((ROOT / path).read_text())["packages"].items()
        if "resolved" in entry and not entry.get("link")
    ]
    assert not pinned, f"remove 'resolved' from {pinned[:5]}"


def test_weights_fit_and_nothing_else_is_bulky() -> None:
    weights = {p: (ROOT / p).stat().st_size for p in tracked_files() if p.suffix == ".safetensors"}
    assert sum(weights.values()) <= MAX_WEIGHTS_BYTES, weights
    bulky = [
        str(path)
        for path in tracked_files()
        if path not in weights
        and path.name != "tokenizer.json"
        and (ROOT / path).stat().st_size > MAX_FILE_BYTES
    ]
    assert not bulky, f"larger than {MAX_FILE_BYTES} bytes: {bulky}"


def _pickle_uses(path: Path) -> list[str]:
    uses = []
    for node in ast.walk(ast.parse((ROOT / path).read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module.split(".")[0]]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {"torch.load", "torch.save"}:
                uses.append(f"{path}:{node.lineno}: {called}")
            for keyword in node.keywords:
                allowed = keyword.arg != "allow_pickle" or (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                )
                if not allowed:
                    uses.append(f"{path}:{node.lineno}: allow_pickle")
        uses += [f"{path}:{node.lineno}: {name}" for name in names if name in _PICKLERS]
    return uses


def test_no_pickle() -> None:
    uses = [use for path in python_files() for use in _pickle_uses(path)]
    assert not uses, f"a pickle runs code when it is read; use safetensors or JSON: {uses}"


def test_no_exception_is_swallowed_in_silence() -> None:
    silent = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(ast.parse((ROOT / path).read_bytes()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(part, ast.Pass) for part in node.body)
    ]
    assert not silent, f"name the exception, or do something about it: {silent}"
