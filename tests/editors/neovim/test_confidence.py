"""Ghost text shaded by probability in a real Neovim, with a real server: only where asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

SURE, UNSURE, DOUBTFUL = "DiffillGhost", "DiffillGhostUnsure", "DiffillGhostDoubtful"
TOKENS = [["\n    ", 0.9], ["é", 0.95], [" =", 0.5], [" '漢'", 0.3], ["\n", 0.9], ["\treturn", 0.6]]
TEXT = "".join(text for text, _ in TOKENS)


def started(folder: Path) -> list[str]:
    answer: dict[str, Any] = {
        "before": "def f():", "candidates": [{"text": TEXT, "tokens": TOKENS}, {"text": "\n    1"}]
    }  # fmt: skip
    return server(folder, "--engine", script(folder, answer))


def groups(neovim: Neovim) -> list[list[str]]:
    found = neovim.ghost()
    assert found is not None
    return [[text, group] for text, group in found["groups"] if text.strip()]


def test_shades(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=started(tmp_path), confidence=True) as neovim:
        path = neovim.open("a.py", "\n")
        neovim.keys("idef f():")
        neovim.wait("ghost() and #ghost().groups > 3")
        assert groups(neovim) == [
            ["    é ", SURE], ["= ", UNSURE], ["'漢'", DOUBTFUL], ["return", UNSURE],
        ]  # fmt: skip
        neovim.keys("<C-g>l")
        neovim.wait("vim.fn.line('.') == 2")
        neovim.wait(
            "ghost() and ghost().row == 1 and vim.iter(ghost().groups)"
            f":any(function(group) return group[2] == '{UNSURE}' end)"
        )
        assert groups(neovim) == [["return", UNSURE]]
        neovim.keys("<C-l>")
        neovim.wait("vim.fn.line('.') == 3")
        assert neovim.saved(path).decode() == f"def f():{TEXT}\n"


def test_no_shades_where_nobody_asked_for_them(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=started(tmp_path)) as neovim:
        neovim.open("a.py", "\n")
        neovim.keys("idef f():")
        neovim.wait("ghost() ~= nil")
        assert {group for _, group in groups(neovim)} == {SURE}
        neovim.wait("require('diffill.client').get(0):request_sync('diffill/status', nil, 5000, 0)")
        assert {group for _, group in groups(neovim)} == {SURE}


def test_an_old_server_is_asked_once_and_nobody_is_told(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=started(tmp_path), confidence=True) as neovim:
        neovim.open("a.py", "\n")
        neovim.lua(
            """
            local real = client().request
            _G.times = 0
            client().request = function(self, asked, params, callback, buf)
              if asked == 'diffill/confidence' then
                asked, times = 'diffill/noSuchMethod', times + 1
              end
              return real(self, asked, params, callback, buf)
            end
            """
        )
        neovim.keys("idef f():")
        neovim.wait("ghost() ~= nil and require('diffill.confidence').too_old ~= nil")
        neovim.keys("x<BS>")
        neovim.wait("ghost() ~= nil")
        assert neovim.lua("return times, #said") == 1
        assert neovim.lua("return #said") == 0
        assert {group for _, group in groups(neovim)} == {SURE}


@pytest.mark.model
def test_the_bundled_model_knows_how_sure_it_is(
    version: str, tmp_path: Path, bundled_model_dir: Path
) -> None:
    settings = {"inline": {"minConfidence": 0, "maxLatencyMs": 15_000}}
    text = "class A:\n    def __init__(self, width):\n        \n        self.height = height\n"
    with running(
        version, tmp_path, cmd=server(tmp_path), settings=settings, confidence=True
    ) as neovim:
        neovim.open("shapes.py", text)
        neovim.wait("(told or {}).engine == 'ready'", 90_000)
        neovim.keys("3GAself.width = ")
        neovim.wait("ghost() ~= nil")
        answer = neovim.lua(
            "return client():request_sync('diffill/confidence',"
            " {textDocument = {uri = vim.uri_from_bufnr(0)}}, 5000, 0).result"
        )
        pieces = answer["items"][0]["pieces"]
        written = [piece["p"] for piece in pieces if piece.get("p") is not None]
        assert written and all(0 < p <= 1 for p in written)
        assert "".join(piece["text"] for piece in pieces) == answer["items"][0]["insertText"]
