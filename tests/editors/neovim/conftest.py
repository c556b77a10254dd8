"""One Neovim and one scripted server for each way of drawing ghost text, shared by the tests.

`0.11` and `0.12` draw by the plugin, `0.12-native` by Neovim.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

WAYS = {"0.11": ("0.11", "auto"), "0.12": ("0.12", "auto"), "0.12-native": ("0.12", "native")}
VERSIONS = ("0.11", "0.12")

SUM = ("left + right", "left - right", "left")
LOOP = "\n    total = 0\n    for item in items:\n        total += item\n    return total"
ARGUMENTS = "\n    one,\n    two,\n"


def answer(before: str, *texts: str, **more: Any) -> dict[str, Any]:
    """One rule of the script."""
    return {"before": before, "candidates": [{"text": text} for text in texts], **more}


ANSWERS = (
    answer("return ", *SUM),
    answer("call(", "first, 'é漢😀'", after=")"),
    answer("sum_all(items):", LOOP),
    answer("make(", ARGUMENTS, after=")"),
    answer("old(", "fresh", after="stale)", replace=5),
    answer("value = ", "one\n    other = two"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives an editor."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.editor)


@pytest.fixture(scope="module")
def rules() -> tuple[dict[str, Any], ...]:
    """What the engine of a module says."""
    return ANSWERS


@pytest.fixture(scope="module", params=WAYS)
def shared(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    rules: tuple[dict[str, Any], ...],
) -> Iterator[Neovim]:
    version, ghost = WAYS[request.param]
    folder = tmp_path_factory.mktemp("neovim")
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(version, folder, cmd=cmd, ghost=ghost) as neovim:
        yield neovim


@pytest.fixture
def neovim(shared: Neovim) -> Neovim:
    """An editor with nothing open and nothing said."""
    shared.fresh()
    return shared


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A Neovim of its own is started by the test."""
    found: str = request.param
    return found
