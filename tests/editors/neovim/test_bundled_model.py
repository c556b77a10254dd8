"""The bundled model in a real Neovim: it offers, it rewrites, it fills, and pictures are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.conftest import VERSIONS
from tests.editors.neovim.test_commands import window
from tests.editors.neovim.test_ghost_text import column_right_of
from tests.editors.vscode.test_bundled_model import SHOP
from tests.support.neovim import ROOT, Neovim, running, server
from tests.support.neovim_screen import Screen

pytestmark = pytest.mark.model
ARTEFACTS = ROOT / ".editors" / "artefacts" / "neovim"
LINE = SHOP.splitlines().index("        |") + 1
LOADED_MS = 60_000
GHOST = "ghost() ~= nil"


@pytest.fixture(scope="module", params=VERSIONS)
def real(
    request: pytest.FixtureRequest,
    bundled_model_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Neovim, Screen, str]]:
    """Neovim with the bundled model and time to answer on a busy machine."""
    folder = tmp_path_factory.mktemp("neovim")
    patient = {"inline": {"maxLatencyMs": 10_000}}
    with running(request.param, folder, cmd=server(folder), settings=patient) as neovim:
        screen = Screen(neovim, 84, 27)
        neovim.lua("vim.o.number, vim.o.laststatus, vim.o.termguicolors = true, 0, true")
        yield neovim, screen, request.param


def begun(neovim: Neovim, name: str, text: str, keys: str) -> Path:
    neovim.fresh()
    path = neovim.open(name, text)
    neovim.command("syntax on")
    neovim.keys(keys)
    return path


def test_it_offers_and_what_was_offered_is_taken(real: tuple[Neovim, Screen, str]) -> None:
    neovim, screen, version = real
    path = begun(neovim, "shop.py", SHOP.replace("|", ""), f"{LINE}GAreturn max(")
    neovim.keys("<C-g>t")
    neovim.wait(GHOST, LOADED_MS)
    mark = neovim.ghost()
    assert mark is not None
    offered = re.sub(r" \d/\d$", "", mark["lines"][0])  # which of how many it is
    assert f"return max({offered}" in screen.text()
    screen.save(ARTEFACTS / f"ghost-text-{version}.svg", f"{offered} in grey after return max(")
    neovim.keys("<C-l>")
    column_right_of(neovim, offered)
    assert f"return max({offered}".encode() in neovim.saved(path)


def test_it_rewrites_and_the_file_has_what_was_previewed(real: tuple[Neovim, Screen, str]) -> None:
    neovim, screen, version = real
    line = "        return max(self._items)"
    path = begun(neovim, "again.py", SHOP.replace("        |", line), f"{LINE}G0f(lvi(")
    neovim.wait("vim.api.nvim_get_mode().mode == 'v'")
    neovim.keys(":Diffill rewrite 1.0<CR>")
    text = window(neovim, f"-{line}", "+        return max(")
    screen.save(ARTEFACTS / f"rewrite-{version}.svg", "a diff of one line, before and after")
    written = re.findall(r"^\+(.*)$", text, re.M)
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    saved = neovim.saved(path).decode()
    assert all(one in saved.splitlines() for one in written) and line not in saved.splitlines()


def test_it_fills_holes_and_nothing_else_changes(real: tuple[Neovim, Screen, str]) -> None:
    neovim, screen, version = real
    body = "return max(___)\n\n    def ___(self, item):\n        return ___"
    path = begun(neovim, "holes.py", SHOP.replace("|", body), ":Diffill fill<CR>")
    neovim.wait("#drafts().texts > 0", LOADED_MS)
    screen.save(ARTEFACTS / f"fill-{version}.svg", "three holes with drafts of what goes there")
    no_hole = "not table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true)):find('___')"
    neovim.wait(no_hole, LOADED_MS)
    holes = "(.*?)".join(map(re.escape, SHOP.replace("|", body).split("___")))
    filled = re.fullmatch(holes, neovim.saved(path).decode(), re.S)
    assert filled and all("___" not in hole for hole in filled.groups())
