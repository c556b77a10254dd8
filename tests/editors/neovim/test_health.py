""":checkhealth diffill in a real Neovim: the server as it is started, each one, and the keys."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

TEXT = "x = 1\n"


def health(neovim: Neovim) -> str:
    neovim.command("checkhealth diffill")
    return "\n".join(neovim.lines())


def test_a_server_that_ended_at_its_start(version: str, tmp_path: Path) -> None:
    """Its command tells its version, so nothing else in the report knows."""
    dies = "import sys\nif '--version' in sys.argv: sys.exit(print('diffill 0.1.0'))\nno_such_name"
    log = tmp_path / "server.log"
    log.write_text("of another day\n")
    cmd = [sys.executable, "-c", dies, "serve", "--log-file", str(log)]
    with running(version, tmp_path, cmd=cmd) as neovim:
        (tmp_path / "a.py").write_text(TEXT)
        neovim.command(f"edit {tmp_path / 'a.py'}")
        neovim.hears("the server ended with code 1; :checkhealth diffill and :Diffill log say why")
        report = health(neovim)
        assert "ERROR the server ended with code 1" in report
        assert "no server runs yet" not in report
        neovim.command("Diffill log")
        assert "no_such_name" in "\n".join(neovim.lines())


def test_the_log_of_a_server_that_was_killed_is_its_own(version: str, tmp_path: Path) -> None:
    cmd = server(tmp_path, "--engine", script(tmp_path))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.open("a.py", TEXT)
        children = neovim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
        os.kill(children[0], signal.SIGKILL)
        neovim.hears("the server ended by signal 9")
        assert "ERROR the server ended by signal 9" in health(neovim)
        neovim.command("Diffill log")
        assert neovim.lua("return vim.api.nvim_buf_get_name(0)") == str(tmp_path / "server.log")
        neovim.command("bwipeout")
        neovim.command("Diffill restart")
        neovim.wait("client() ~= nil and client().initialized")
        assert "the server ended" not in health(neovim)


def test_every_server_is_told_of(version: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
    cmd = server(tmp_path, "--engine", script(tmp_path))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.command("set hidden")
        for name in ("one", "two"):
            neovim.open(f"{name}/a.py", TEXT)
        report = health(neovim)
    for name in ("one", "two"):
        assert f"running in 1 buffer(s) of {tmp_path / name}. Normal" in report


def test_the_command_is_tried_as_it_is_started(version: str, tmp_path: Path) -> None:
    """With the variables that `vim.lsp.config` was given."""
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\n[ -n "$NEEDED" ] || exit 3\nexec "$@"\n')
    wrapper.chmod(0o755)
    cmd = [str(wrapper), *server(tmp_path, "--engine", script(tmp_path))]
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.lua("vim.lsp.config('diffill', {cmd_env = {NEEDED = '1'}})")
        neovim.open("a.py", TEXT)
        assert "ERROR" not in health(neovim)


def test_keys_that_are_only_described_and_those_of_buffers(version: str, tmp_path: Path) -> None:
    cmd = server(tmp_path, "--engine", script(tmp_path))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.open("a.py", TEXT)
        neovim.lua(
            "for _, map in ipairs(vim.api.nvim_get_keymap('i')) do"
            " if (map.rhs or ''):find('diffill') and not map.lhs:find('^<Plug>') then"
            " vim.keymap.del('i', map.lhs) end end"
        )
        neovim.lua("vim.keymap.set('i', '<C-y>', '<Plug>(diffill-accept)', {buffer = 0})")
        assert "insert mode: <Tab>, <C-Y>" in health(neovim)  # <Tab> as the help has it
