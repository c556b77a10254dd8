"""The server's life as seen from Neovim: missing, broken, killed, restarted, with the model."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.editors.neovim.conftest import answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

TEXT = "def add(left, right):\n    \n"
SHAPES = """\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        return self.width * self.height

    def perimeter(self) -> float:
        # The sum of all four sides.
        

    def scaled(self, factor: float) -> "Rectangle":
        return Rectangle(self.width * factor, self.height * factor)
"""  # noqa: W293


def scripted(folder: Path) -> list[str]:
    return server(folder, "--engine", script(folder, answer("return ", "left + right", "left")))


def health(neovim: Neovim) -> str:
    neovim.command("checkhealth diffill")
    return "\n".join(neovim.lines())


def process_of_the_server(neovim: Neovim) -> int:
    """The process id, by way of the children of Neovim."""
    children: list[int] = neovim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    assert len(children) == 1
    return children[0]


def test_a_command_that_is_not_there(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=["no-such-diffill", "serve"]) as neovim:
        (tmp_path / "a.py").write_text(TEXT)
        neovim.command(f"edit {tmp_path / 'a.py'}")
        neovim.hears('"no-such-diffill" cannot be run: it is not installed or not on PATH.')
        assert neovim.lua("return #said") == 1
        neovim.command(f"edit {tmp_path / 'b.py'}")
        assert neovim.lua("return vim.bo.filetype") == "python"
        assert neovim.lua("return #said") == 1  # once, not for every file
        report = health(neovim)
        assert '"no-such-diffill" cannot be run' in report
        assert "setup({ cmd = " in report


def test_a_python_without_diffill(version: str, tmp_path: Path) -> None:
    cmd = [sys.executable, "-m", "no_such_module_of_diffill", "serve"]
    with running(version, tmp_path, cmd=cmd) as neovim:
        (tmp_path / "a.py").write_text(TEXT)
        neovim.command(f"edit {tmp_path / 'a.py'}")
        neovim.hears("the server ended with code 1; :checkhealth diffill and :Diffill log say why")
        report = health(neovim)
        assert "No module named no_such_module_of_diffill" in report
        assert "another Python" in report


def test_a_server_that_is_older_than_the_plugin(version: str, tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "old_server.py"
    with running(version, tmp_path, cmd=[sys.executable, str(old)]) as neovim:
        neovim.open("a.py", "def f(x):\n    return ___\n")
        neovim.hears("the server is version 0.0.9, this plugin needs 0.1.0 or newer")
        for command in ("fill", "train plan", "model list", "snooze 5"):
            neovim.lua("for i = #said, 1, -1 do said[i] = nil end")
            neovim.command(f"Diffill {command}")
            neovim.hears("the server is too old for ")
        report = health(neovim)
    assert "the server is version 0.0.9, the plugin 0.1.0" in report


def test_options_that_are_none_are_said(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd="diffill", gost="own", ghost="mine") as neovim:
        neovim.hears("setup: cmd must be a table, not a string")
        neovim.hears('ghost is "mine"; use one of auto, native, off, own')
        neovim.hears("gost is no option; there are cmd, confidence, drafts, ghost")


def test_without_ghost_text_the_completion_menu_has_the_candidates(
    version: str, tmp_path: Path
) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path), ghost="off") as neovim:
        neovim.open("a.py", TEXT)
        assert neovim.lua("return client().server_capabilities.completionProvider ~= nil")
        neovim.keys("jAreturn <C-x><C-o>")
        neovim.wait("vim.fn.pumvisible() == 1")
        entries = neovim.lua(
            "return vim.tbl_map(function(item) return item.abbr end, vim.fn.complete_info().items)"
        )
        assert entries == ["left + right", "left"]
        assert neovim.ghost() is None
    with running(version, tmp_path / "on", cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        assert neovim.lua("return client().server_capabilities.completionProvider == nil")


def test_the_settings_are_known_when_the_server_says_what_it_offers(
    version: str, tmp_path: Path
) -> None:
    settings = {"completion": {"enable": "always"}}
    with running(version, tmp_path, cmd=scripted(tmp_path), settings=settings) as neovim:
        neovim.command("set completeopt=menuone,noinsert")
        neovim.lua("vim.lsp.config('diffill', {init_options = {inline = {alternatives = 1}}})")
        neovim.open("a.py", TEXT)
        neovim.keys("jAreturn ")
        neovim.shows("left + right")
        assert neovim.lua("return client().server_capabilities.completionProvider ~= nil")
        neovim.keys("<C-x><C-o>")
        neovim.wait("vim.fn.pumvisible() == 1")
        entries = neovim.lua(
            "return vim.tbl_map(function(item) return item.abbr end, vim.fn.complete_info().items)"
        )
        assert entries == ["left + right"], "what `init_options` ask for holds, too"


def test_neovims_own_ghost_text_stays_where_it_is_switched_on(tmp_path: Path) -> None:
    with running("0.12", tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.lua("vim.lsp.inline_completion.enable(true)")
        neovim.open("a.py", TEXT)
        neovim.keys("jAreturn ")
        neovim.shows("left + right")
        marks = "vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace(...), 0, -1, {})"
        assert neovim.lua(f"return #{marks}", "nvim.lsp.inline_completion") == 1
        assert neovim.lua(f"return #{marks}", "diffill.ghost") == 0
        neovim.keys("<C-l>")
        neovim.wait("vim.api.nvim_get_current_line():find('right')")


def test_a_folder_that_cannot_be_written_to(version: str, tmp_path: Path) -> None:
    """Ghost text needs none; Neovim says that the file cannot be saved."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    (folder / "a.py").write_text(TEXT)
    (folder / "a.py").chmod(0o444)
    folder.chmod(0o555)
    with running(version, tmp_path / "home", cmd=scripted(tmp_path)) as neovim:
        neovim.command(f"edit {folder / 'a.py'}")
        neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
        neovim.keys("jAreturn ")
        neovim.shows("left + right")
        neovim.keys("<C-l>")
        neovim.wait("vim.api.nvim_get_current_line():find('right')")
        assert neovim.lua("return #said") == 0
    folder.chmod(0o755)
    assert [path.name for path in folder.iterdir()] == ["a.py"]


def test_health_of_a_running_server(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        report = health(neovim)
    assert "ERROR" not in report
    assert "drawn by the plugin" in report
    assert f"OK {version}" in report
    assert "diffill 0.1.0" in report
    assert "running in 1 buffer(s)" in report
    assert "<C-L>" in report


def test_killed_early_it_stays_down_until_restarted(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        first = neovim.lua("return client().id")
        os.kill(process_of_the_server(neovim), signal.SIGKILL)
        neovim.hears("the server ended by signal 9; :checkhealth diffill")
        neovim.wait("client() == nil")
        neovim.command("Diffill status")
        neovim.hears("no server runs for this buffer")
        neovim.command("Diffill restart")
        neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
        assert neovim.lua("return client().id") != first
        neovim.keys("jAreturn ")
        neovim.shows("left + right")


def test_killed_later_it_is_started_again(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        neovim.keys("jAreturn ")
        neovim.shows("left + right")
        # Eleven seconds of its life pass at once.
        neovim.lua("local now = vim.uv.now vim.uv.now = function() return now() + 11000 end")
        first = neovim.lua("return client().id")
        os.kill(process_of_the_server(neovim), signal.SIGKILL)
        neovim.hears("the server ended by signal 9 and is started again")
        neovim.wait(f"client() ~= nil and client().id ~= {first} and client().initialized")
        neovim.keys("x<BS>")
        neovim.shows("left + right")


def test_restarting_a_running_server(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        path = neovim.open("a.py", TEXT)
        first = neovim.lua("return client().id")
        neovim.command("Diffill restart")
        neovim.wait(f"client() ~= nil and client().id ~= {first} and client().initialized")
        assert neovim.lua("return said") in ([], {})
        neovim.keys("jAreturn ")
        neovim.shows("left + right")
        neovim.keys("<C-l>")
        neovim.wait("vim.api.nvim_get_current_line():find('right')")
        assert neovim.saved(path) == b"def add(left, right):\n    return left + right\n"


def test_a_server_that_was_stopped_by_force_stays_down(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        neovim.lua("local now = vim.uv.now vim.uv.now = function() return now() + 11000 end")
        neovim.lua("client():stop(true)")
        neovim.wait("client() == nil")
        neovim.wait("true")  # what is done then is done one turn of the loop later
        assert neovim.lua("return said") in ([], {})
        clients = "vim.lsp.get_clients({name = 'diffill', _uninitialized = true})"
        assert neovim.lua(f"return #{clients}") == 0


def test_what_a_server_said_goes_with_it(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        first = neovim.lua("return client().id")
        neovim.lua(
            "client().handlers['diffill/train/progress'](nil, {event = 'train', progress = 0.4},"
            " {client_id = client().id})"
        )
        assert neovim.lua("return require('diffill').statusline()") == "diffill tuning 40%"
        neovim.command("Diffill restart")
        neovim.wait(f"client() ~= nil and client().id ~= {first} and client().initialized")
        neovim.wait("require('diffill').statusline() == 'diffill on'")


def test_a_status_line_tells_of_the_server_of_its_buffer(version: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
    line = "require('diffill').statusline()"
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("one/a.py", TEXT)
        neovim.lua(
            "client().handlers['diffill/train/progress'](nil, {event = 'train', progress = 0.4},"
            " {client_id = client().id})"
        )
        neovim.open("two/b.py", TEXT)
        assert neovim.lua("return #vim.lsp.get_clients({name = 'diffill'})") == 2
        assert neovim.lua(f"return {line}") == "diffill on"
        neovim.command(f"edit! {tmp_path / 'one' / 'a.py'}")
        neovim.wait(f"{line} == 'diffill tuning 40%'")


def test_a_neovim_that_cannot_say_what_is_enabled(version: str, tmp_path: Path) -> None:
    """0.11.0 and 0.11.1 have no `vim.lsp.is_enabled`."""
    with running(version, tmp_path, cmd=["no-such-diffill"]) as neovim:
        neovim.lua("vim.lsp.is_enabled = nil")
        neovim.command(f"edit {tmp_path / 'a.txt'}")
        assert neovim.lua("return vim.bo.filetype") == "text"
        neovim.command(f"edit {tmp_path / 'a.py'}")
        neovim.hears('"no-such-diffill" cannot be run')
        report = health(neovim)
        assert "no server runs yet" in report
        neovim.lua("vim.lsp.enable('diffill', false)")
        assert "the server is not enabled" in health(neovim)


def test_a_command_given_to_neovim_stays(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path) as neovim:
        neovim.lua("vim.lsp.config('diffill', {cmd = ...})", scripted(tmp_path))
        neovim.open("a.py", TEXT)
        neovim.command("Diffill toggle")
        neovim.command("Diffill toggle")
        assert neovim.lua("return vim.lsp.config.diffill.cmd") == scripted(tmp_path)


def test_a_document_that_no_server_serves_is_not_asked_about(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        neovim.command(f"edit {tmp_path / 'a.md'}")
        for command in ("fill", "rewrite", "bridge", "comment", "explain"):
            neovim.lua("for i = #said, 1, -1 do said[i] = nil end")
            neovim.command(f"Diffill {command}")
            neovim.hears("no server runs for this buffer; :checkhealth diffill says why")
            assert neovim.lua("return #said") == 1
        neovim.command("Diffill status")  # is about no document
        neovim.wait("(window() or ''):find('Normal:', 1, true)")


def test_states_of_the_engine_reach_the_status_line(version: str, tmp_path: Path) -> None:
    """A model that cannot be loaded: Loading, then Error, as notified."""
    engine = script(tmp_path, load_error="no weights here")
    with running(version, tmp_path, cmd=server(tmp_path, "--engine", engine)) as neovim:
        neovim.lua(
            "_G.lines = {} vim.api.nvim_create_autocmd('User', {pattern = 'DiffillStatus',"
            " callback = function() table.insert(lines, require('diffill').statusline()) end})"
        )
        neovim.open("a.py", TEXT)
        neovim.wait("lines[#lines] == 'diffill error'")
        neovim.command("Diffill status")
        neovim.wait("(window() or ''):find('no weights here', 1, true)")


@pytest.mark.model
@pytest.mark.parametrize("ghost", ["auto", "native"])
def test_the_bundled_model(
    version: str, ghost: str, tmp_path: Path, bundled_model_dir: Path
) -> None:
    """Ghost text of the real model, accepted and taken back."""
    settings = {"inline": {"minConfidence": 0, "maxLatencyMs": 15_000}}
    with running(version, tmp_path, cmd=server(tmp_path), ghost=ghost, settings=settings) as neovim:
        path = neovim.open("shapes.py", SHAPES)
        neovim.wait("(told or {}).engine == 'ready'", 90_000)
        neovim.keys("11GAreturn ")
        neovim.wait("ghost() ~= nil")
        found = neovim.ghost()
        assert found is not None
        assert (found["row"], found["col"]) == (10, len("        return "))
        shown = "\n".join(found["lines"])
        neovim.keys("<C-l>")
        neovim.wait("vim.fn.col('.') > 16")
        head, _, tail = SHAPES.partition("        \n")
        expected = f"{head}        return {shown}\n{tail}"
        assert neovim.saved(path).decode() == expected
        neovim.command("undo")
        assert neovim.lines()[10] == "        return "
