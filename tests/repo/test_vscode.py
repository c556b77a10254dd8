"""The VS Code extension's package.json agrees with the server's settings and with its own code."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType
from typing import Any

import pytest

from lsp_server import VERSION
from lsp_server.settings import describe, read
from tests.repo.tracked import ROOT

HOME = ROOT / "editors" / "vscode"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    path = HOME / "scripts" / "settings.py"
    spec = importlib.util.spec_from_file_location("vscode_settings", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def package() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "package.json").read_text(encoding="utf-8"))
    return found


def _sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(HOME.glob("src/**/*.ts")))


def test_the_settings_are_the_servers(generator: ModuleType, package: dict[str, Any]) -> None:
    found = package["contributes"]["configuration"]["properties"]
    assert found == json.loads(json.dumps(generator.properties())), (
        "run: python editors/vscode/scripts/settings.py"
    )
    missing = [path for path, _, _ in describe() if path not in found]
    assert not missing


def test_bounds_and_choices_reach_the_schema(generator: ModuleType) -> None:
    schema = generator.properties()
    latency = schema["diffill.inline.maxLatencyMs"]
    assert (latency["type"], latency["minimum"], latency["maximum"]) == ("integer", 20, 60_000)
    assert schema["diffill.inline.trigger"]["enum"] == ["auto", "manual"]
    kinds = schema["diffill.performance.threads"]["anyOf"]
    assert {"type": "integer", "minimum": 1, "maximum": 256} in kinds


def test_no_default_is_laid_under_what_a_person_sets(package: dict[str, Any]) -> None:
    """VS Code merges an object with its default, so `{"go": true}` would not be Go alone."""
    properties = package["contributes"]["configuration"]["properties"]
    objects = {p: one["default"] for p, one in properties.items() if one.get("type") == "object"}
    assert objects == {"diffill.languages": {}}
    assert read(objects)[0].serves("go")


def test_the_extensions_own_settings_are_kept_from_the_server(generator: ModuleType) -> None:
    text = (HOME / "src" / "settings.ts").read_text(encoding="utf-8")
    listed = re.search(r"OURS = \[([^\]]*)\]", text)
    assert listed
    kept = set(re.findall(r'"(\w+)"', listed[1]))
    servers = {path for path, _, _ in describe()}
    own = {path.split(".")[1] for path in generator.properties() if path not in servers}
    assert own == kept
    assert not kept & {path.split(".")[1] for path in servers}


def test_every_command_is_contributed_and_registered(package: dict[str, Any]) -> None:
    contributed = {one["command"] for one in package["contributes"]["commands"]}
    registered = {f"diffill.{name}" for name in re.findall(r'register\("([\w.]+)"', _sources())}
    assert contributed == registered
    keys = {one["command"] for one in package["contributes"]["keybindings"]}
    assert keys <= contributed


def test_commands_named_in_the_texts_exist(package: dict[str, Any]) -> None:
    contributed = {one["command"] for one in package["contributes"]["commands"]}
    walkthrough = json.dumps(package["contributes"]["walkthroughs"])
    named = set(re.findall(r"command:(diffill\.[\w.]+)", walkthrough))
    named |= set(re.findall(r"onCommand:(diffill\.[\w.]+)", walkthrough))
    named |= set(re.findall(r'executeCommand\("(diffill\.[\w.]+)"', _sources()))
    assert named and named <= contributed


def test_the_extension_has_the_version_of_the_server(package: dict[str, Any]) -> None:
    assert package["version"] == VERSION


def test_nothing_is_installed_by_a_name_that_is_on_no_index(package: dict[str, Any]) -> None:
    """Whoever registered it would be run on the users' machines."""
    properties = package["contributes"]["configuration"]["properties"]
    assert properties["diffill.server.package"]["default"] == ""


def test_what_a_trace_needs_is_said(package: dict[str, Any]) -> None:
    """The client writes messages only into a log whose level is Trace, whatever is set here."""
    properties = package["contributes"]["configuration"]["properties"]
    assert "Set Log Level" in properties["diffill.trace.server"]["description"]


def test_what_tunes_is_off_in_a_folder_that_is_not_trusted(package: dict[str, Any]) -> None:
    commands = {one["command"]: one for one in package["contributes"]["commands"]}
    for name in ("diffill.tune", "diffill.tuneControl"):
        assert commands[name].get("enablement") == "isWorkspaceTrusted"


def test_what_a_folder_may_not_set_is_restricted(package: dict[str, Any]) -> None:
    properties = package["contributes"]["configuration"]["properties"]
    restricted = set(package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    runs_something = {p for p in properties if p.startswith("diffill.server.")}
    loads_something = {"diffill.model.path", "diffill.model.adapter"}
    tunes_by_itself = {"diffill.train.autoResume", "diffill.train.keepUp"}
    private = ("diffill.privacy.", "diffill.context.", "diffill.trace.")
    lets_code_out = {p for p in properties if p.startswith(private)}
    assert runs_something | loads_something | tunes_by_itself | lets_code_out <= restricted
    assert restricted <= set(properties)
