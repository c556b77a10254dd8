"""The configurations in editors/others can be read, start the server and set what it knows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from diffusion.text import languages
from lsp_server.settings import read

OTHERS = Path(__file__).parents[3] / "editors" / "others"


def parsed(name: str) -> Any:
    """A file as data; JSON may have lines that are comments."""
    text = (OTHERS / name).read_text(encoding="utf-8")
    if name.endswith(".toml"):
        return tomllib.loads(text)
    if name.endswith(".kak"):
        inner = re.search(r"lsp_servers %\{\n(.*?)\n    \}\n", text, re.DOTALL)
        assert inner
        return tomllib.loads(inner[1])
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def dotted(settings: dict[str, Any]) -> dict[str, Any]:
    """`{"diffill.inline.maxLines": 3}` as the editor sends it for the section `diffill`."""
    nested: dict[str, Any] = {}
    for path, value in settings.items():
        *parents, last = path.split(".")
        at = nested
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    section: dict[str, Any] = nested["diffill"]
    return section


def started(name: str) -> tuple[list[str], Any]:
    """The command line and the settings in a configuration."""
    data = parsed(name)
    match name:
        case "helix-languages.toml":
            one = data["language-server"]["diffill"]
            return [one["command"], *one["args"]], one["config"]["diffill"]
        case "kakoune.kak":
            one = data["diffill"]
            return [one["command"], *one["args"]], one["settings"][one["settings_section"]]
        case "sublime-LSP.sublime-settings":
            one = data["clients"]["diffill"]
            return one["command"], dotted(one["settings"])
        case "zed-settings.json":
            one = data["lsp"]["pylsp"]
            assert "pylsp" in data["languages"]["Python"]["language_servers"]
            binary = one["binary"]
            return [binary["path"], *binary["arguments"]], one["initialization_options"]
        case _:
            one = data["languageserver"]["diffill"]
            return [one["command"], *one["args"]], one["settings"]["diffill"]


@pytest.mark.parametrize(
    "name",
    [
        "helix-languages.toml",
        "kakoune.kak",
        "sublime-LSP.sublime-settings",
        "zed-settings.json",
        "coc-settings.json",
    ],
)
def test_a_configuration_starts_the_server_with_settings_it_knows(name: str) -> None:
    command, raw = started(name)
    assert command == ["diffill", "serve"]
    settings, problems = read(raw)
    assert problems == ()
    assert settings.inline.max_lines == 12


def test_the_jetbrains_template_names_languages_that_are_read() -> None:
    template = parsed("jetbrains/template.json")
    assert template["programArgs"]["default"] == 'sh -c "diffill serve"'
    named = {mapping["languageId"] for mapping in template["fileTypeMappings"]}
    assert all(languages.canonical(name) != languages.TEXT for name in named)


def test_helix_has_every_language_that_is_served_to_editors() -> None:
    named = {one["name"] for one in parsed("helix-languages.toml")["language"]}
    served = set(parsed("coc-settings.json")["languageserver"]["diffill"]["filetypes"])
    react = {"javascriptreact": "jsx", "typescriptreact": "tsx"}
    assert named == {react.get(name, name) for name in served}
