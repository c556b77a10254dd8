"""The documents name what exists, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repo.tracked import ROOT, python_files, tracked_files

_LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")
_TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _read(name: str) -> str:
    path = ROOT / name
    assert path.is_file(), f"{name} is missing"
    return path.read_text(encoding="utf-8")


def test_the_readme_names_every_top_level_entry() -> None:
    readme = _read("README.md")
    tops = {path.parts[0] + ("/" if len(path.parts) > 1 else "") for path in tracked_files()}
    missing = sorted(top for top in tops if f"`{top}`" not in readme)
    assert not missing, f"one line per file or folder in README.md: {missing}"


def test_the_readme_names_every_module_at_the_top_of_both_packages() -> None:
    readme = _read("README.md")
    parts = {
        path.parts[:2]
        for path in python_files()
        if path.parts[0] in {"diffusion", "lsp_server"} and path.parts[1] != "__init__.py"
    }
    names = {"/".join(p) + ("" if p[1].endswith(".py") else "/") for p in parts}
    missing = sorted(name for name in names if f"`{name}`" not in readme)
    assert not missing, f"one line per file or folder in README.md: {missing}"


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_named_paths_exist(name: str) -> None:
    paths = re.findall(
        r"`((?:diffusion|lsp_server|tests|docs|editors|examples)/[\w./-]*)`", _read(name)
    )
    gone = sorted({path for path in paths if not (ROOT / path).exists()})
    assert not gone, f"{name} names what is not there: {gone}"


def test_every_invariant_names_a_test_that_exists() -> None:
    text = _read("ARCHITECTURE.md")
    section = text.split("## Invariants", 1)[1].split("\n## ", 1)[0]
    rules = re.split(r"\n(?=\d+\. )", section)[1:]
    assert rules
    for rule in rules:
        named = _TEST_NAME.findall(rule)
        assert named, f"no test named for: {rule.strip()[:80]}"
        for file, function in named:
            path = ROOT / file
            assert path.is_file(), f"{file} is named in ARCHITECTURE.md but is missing"
            if function:
                assert f"def {function}(" in path.read_text(encoding="utf-8"), f"{file}: {function}"


def test_the_mathematics_names_functions_that_exist() -> None:
    named = re.findall(r"`(\w+)` in `([\w/]+\.py)`", _read("docs/diffusion.md"))
    assert len(named) > 10
    gone = [
        f"{name} in {file}"
        for name, file in named
        if not re.search(rf"^\s*(?:def|class) {name}\b", _read(file), re.M)
    ]
    assert not gone


def test_debugging_lists_every_reason() -> None:
    reasons = pytest.importorskip("lsp_server.reasons")
    page = _read("docs/debugging.md")
    missing = [
        reason.value
        for reason in reasons.Reason
        if f"| `{reason.value}` | {reasons.SENTENCES[reason]} |" not in page
    ]
    assert not missing, f"docs/debugging.md lacks, or says otherwise: {missing}"


def test_protocol_extensions_name_every_method_of_our_own() -> None:
    methods = re.findall(r'"(diffill/\w+)"', _read("lsp_server/protocol.py"))
    page = _read("docs/lsp-extensions.md")
    assert methods
    assert [method for method in methods if f"## `{method}`" not in page] == []


def test_relative_links_lead_somewhere() -> None:
    broken = [
        f"{path}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in _LINK.findall((ROOT / path).read_text(encoding="utf-8"))
        if not (ROOT / path.parent / target).exists()
    ]
    assert not broken, broken


def test_configuration_lists_every_setting_as_it_is() -> None:
    settings = pytest.importorskip("lsp_server.settings")
    page = _read("docs/configuration.md")
    for path, default, help_text in settings.describe():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{path}` |")), None)
        assert row is not None, f"docs/configuration.md has no row for {path}"
        shown = setting_default(default)
        assert f"| `{shown}` |" in row, f"{path}: default is {shown}, the page says: {row}"
        assert help_text.replace("|", r"\|") in row, f"{path}: help differs from settings.py: {row}"


def test_configuration_lists_no_setting_that_is_gone() -> None:
    settings = pytest.importorskip("lsp_server.settings")
    known = {path for path, _, _ in settings.describe()}
    listed = re.findall(r"^\| `(diffill\.[\w.]+)` \|", _read("docs/configuration.md"), re.M)
    assert sorted(set(listed) - known) == []


def setting_default(value: object) -> str:
    """A default as the page shows it: as JSON, the way it is written in an editor's settings."""
    import json

    return json.dumps(value)


def test_changelog_has_the_current_version() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"', pyproject, re.M)
    assert version
    assert version[1] in _read("CHANGELOG.md")
    server = ROOT / Path("lsp_server/__init__.py")
    assert f'VERSION = "{version[1]}"' in server.read_text(encoding="utf-8")
