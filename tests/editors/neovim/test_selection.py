"""What a command takes for the selection in a real Neovim, also from a map in visual mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

TEXT = "total = first + second\ncount = third + fourth\n"
BLOCK = "a block is selected; select the text by v or by V"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    cmd = server(folder, "--engine", script(folder))
    with running(request.param, folder, cmd=cmd) as neovim:
        for key, command in (("<F3>", "rewrite"), ("<F4>", "fill"), ("<F5>", "pin")):
            neovim.lua("vim.keymap.set('x', ...)", key, f"<Cmd>Diffill {command}<CR>")
        yield neovim


def played(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.lua(
        "_G.asked = nil client().request = function(self, method, params)"
        " if vim.startswith(method, 'diffill/') then"
        " _G.asked = params.range or params.holes[1] end return true, 1 end"
    )


def span(from_line: int, start: int, to_line: int, stop: int) -> dict[str, dict[str, int]]:
    return {
        "start": {"line": from_line, "character": start},
        "end": {"line": to_line, "character": stop},
    }


@pytest.mark.parametrize("key", ["<F3>", "<F4>"])
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("Vj", span(0, 0, 1, 22)),
        ("8lv4l", span(0, 8, 0, 13)),
        ("12lv4h", span(0, 8, 0, 13)),
    ],
)
def test_a_map_that_stays_in_visual_mode_has_the_selection(
    neovim: Neovim, keys: str, expected: dict[str, dict[str, int]], key: str
) -> None:
    played(neovim)
    neovim.keys(f"gg0{keys}{key}")
    neovim.wait("asked ~= nil")
    neovim.lua("client().request = nil")
    assert neovim.lua("return asked") == expected
    assert neovim.lua("return vim.api.nvim_get_mode().mode") == "n"


def test_a_selection_is_pinned_from_visual_mode(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.keys("gg08lv4l<F5>")
    neovim.hears("pinned")
    assert neovim.lua("return require('diffill.pins').all(0)") == [[0, 8, 0, 13]]


@pytest.mark.parametrize("keys", [":Diffill rewrite<CR>", ":Diffill fill<CR>", "<F3>", "<F5>"])
def test_a_block_is_refused(neovim: Neovim, keys: str) -> None:
    """Its lines are not what was selected."""
    played(neovim)
    neovim.keys(f"gg08l<C-v>j4l{keys}")
    neovim.hears(BLOCK)
    neovim.lua("client().request = nil")
    assert neovim.lua("return asked") is None
