"""`setup` in a real Neovim: the last one holds, beside what `vim.lsp.config` was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

CONFIG = "return {cmd = vim.lsp.config.diffill.cmd, settings = vim.lsp.config.diffill.settings}"


def setup(neovim: Neovim, options: str) -> dict[str, Any]:
    """What Neovim would start then."""
    neovim.lua(f"require('diffill').setup({options})")
    found: dict[str, Any] = neovim.lua(CONFIG)
    return found


def test_the_last_setup_holds(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path) as neovim:
        default = neovim.lua(CONFIG)
        assert default["cmd"][:2] == ["diffill", "serve"]
        first = setup(neovim, "{settings = {inline = {maxLines = 1}}, cmd = {'foo'}}")
        assert first == {"cmd": ["foo"], "settings": {"diffill": {"inline": {"maxLines": 1}}}}
        assert setup(neovim, "{}") == default
        assert neovim.lua("return vim.json.encode(vim.lsp.config.diffill.settings.diffill)") == "{}"


def test_what_neovim_was_told_stays(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path) as neovim:
        neovim.lua(
            "vim.lsp.config('diffill', {cmd = {'mine'},"
            " init_options = {inline = {alternatives = 1}},"
            " settings = {diffill = {inline = {trigger = 'manual'}, enable = false}}})"
        )
        setup(neovim, "{settings = {inline = {maxLines = 1}, model = {path = 'm'}}}")
        inline = {"trigger": "manual", "maxLines": 2}
        assert setup(neovim, "{settings = {inline = {maxLines = 2}}}") == {
            "cmd": ["mine"],
            "settings": {"diffill": {"enable": False, "inline": inline}},
        }
        assert neovim.lua("return vim.lsp.config.diffill.init_options.inline.alternatives") == 1


def test_a_server_that_runs_takes_what_setup_says(version: str, tmp_path: Path) -> None:
    rule = {"before": "return ", "candidates": [{"text": "left + right"}]}
    cmd = server(tmp_path, "--engine", script(tmp_path, rule))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.open("a.py", "\n")
        neovim.lua("require('diffill').setup({settings = {inline = {trigger = 'manual'}}})")
        neovim.keys("Ireturn ")
        neovim.wait("vim.api.nvim_get_current_line() == 'return '")
        trail = "client():request_sync('diffill/explainLast', {}, 10000, 0).result"
        neovim.wait(f"(({trail} or {{}}).reason or '') == 'manualOnly'")
        assert neovim.ghost() is None
        neovim.lua("require('diffill').setup({cmd = ...})", cmd)
        neovim.keys("x<BS>")
        neovim.shows("left + right")


def test_the_log_is_opened(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path) as neovim:
        log = tmp_path / "state" / "nvim" / "diffill.log"
        neovim.command("Diffill log")
        neovim.hears(f"there is no log yet; it will be {log}")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("a line\n")
        neovim.command("Diffill log")
        assert neovim.lines() == ["a line"]


def test_the_log_is_the_one_that_the_command_names(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path) as neovim:
        for options in (["--log-file", str(tmp_path / "a.log")], [f"--log-file={tmp_path}/a.log"]):
            neovim.lua("vim.lsp.config('diffill', {cmd = ...})", ["no-such", "serve", *options])
            neovim.command("Diffill log")
            neovim.hears(f"it will be {tmp_path / 'a.log'}")
            neovim.lua("for i = #said, 1, -1 do said[i] = nil end")
            neovim.command("checkhealth diffill")
            assert str(tmp_path / "a.log") in "\n".join(neovim.lines())
        neovim.lua("vim.lsp.config('diffill', {cmd = ...})", ["no-such", "--log-file", "~/a.log"])
        assert neovim.lua("return require('diffill.client').log_file()") == str(
            Path("~/a.log").expanduser()
        )
        neovim.lua("vim.lsp.config('diffill', {cmd = {'no-such', 'serve'}})")
        noted = Path(neovim.lua("return vim.lsp.log.get_filename()"))
        noted.parent.mkdir(parents=True, exist_ok=True)
        noted.write_text("noted\n")
        neovim.command("Diffill log")
        assert neovim.lines() == ["noted"]


def test_columns_can_be_counted_as_other_servers_do(version: str, tmp_path: Path) -> None:
    """As `:help diffill-install` has it."""
    rule = {"before": "b = '😀' + ", "candidates": [{"text": "'é'"}]}
    cmd = server(tmp_path, "--engine", script(tmp_path, rule))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.lua(
            "vim.lsp.config('diffill', {capabilities = {general = {"
            " positionEncodings = {'utf-16'}}}})"
        )
        neovim.open("a.py", "b = '😀' + ___  # é\n")
        assert neovim.lua("return client().offset_encoding") == "utf-16"
        neovim.command("Diffill fill")
        neovim.hears("1 hole filled")
        assert neovim.lines() == ["b = '😀' + 'é'  # é"]
