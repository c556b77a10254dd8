"""Who may import whom: invariants 1, 2 and 4 of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.tracked import ROOT, python_files

# The only parts of the server that know the protocol's types (invariant 1).
SPEAKS_LSP = ("server", "protocol", "convert", "cli", "features", "observe/log")
HEAVY = ("torch", "transformers")


def _imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _may_speak_lsp(path: Path) -> bool:
    inside = path.relative_to("lsp_server").with_suffix("").as_posix()
    return any(inside == part or inside.startswith(part + "/") for part in SPEAKS_LSP)


def test_only_the_protocol_side_of_the_server_imports_lsp_packages() -> None:
    offenders = [
        str(path)
        for path in python_files()
        if path.parts[0] == "lsp_server"
        and not _may_speak_lsp(path)
        and _imported(path) & {"pygls", "lsprotocol"}
    ]
    assert not offenders, f"these may not import pygls or lsprotocol: {offenders}"


def test_the_import_contracts_of_pyproject_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module",
    [
        "diffusion.text.span",
        "diffusion.text.canvas",
        "diffusion.text.tokenizer",
        "diffusion.cli",
        "lsp_server.commands",
        "lsp_server.server",
    ],
)
def test_start_up_loads_no_torch(module: str) -> None:
    program = (
        "import importlib, sys; importlib.import_module(sys.argv[1]); "
        "print(*sorted(set(sys.argv[2:]) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, module, *HEAVY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], f"importing {module} loads {done.stdout.strip()}"


def test_completion_reaches_no_torch_through_its_imports() -> None:
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in python_files()
        if path.is_relative_to("lsp_server/completion")
    ]
    if not modules:
        pytest.skip("lsp_server/completion is not tracked yet")
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(*sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
