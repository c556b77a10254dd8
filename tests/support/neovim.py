"""A real Neovim with the plugin, driven over its own RPC: keys in, buffers and marks out.

Invariants: nothing of the user's is read or written (all folders are the test's); waiting is for a
condition, with a limit; the process is gone at the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.editors.install_neovim import program

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "editors" / "neovim"
INIT = ROOT / "tests" / "editors" / "neovim" / "init.lua"
WAIT_MS = 20_000


def server(folder: Path, *options: str) -> list[str]:
    """The command line of a server that logs into a folder."""
    log = str(folder / "server.log")
    return [sys.executable, "-m", "lsp_server", "serve", "--log-file", log, *options]


class Neovim:
    """One Neovim."""

    def __init__(self, rpc: Any, folder: Path) -> None:
        self.rpc, self.folder = rpc, folder
        self.aside: Callable[[str, list[Any]], None] = lambda name, arguments: None
        """Told of what comes while something else is waited for."""
        self._waits = 0

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.rpc.request("nvim_exec_lua", code, list(arguments))

    def command(self, command: str) -> None:
        self.rpc.request("nvim_command", command)

    def keys(self, keys: str) -> None:
        """Type; `<CR>` and the like are keys."""
        self.rpc.request("nvim_input", keys)

    def wait(self, condition: str, limit_ms: int = WAIT_MS) -> None:
        """Return when a piece of Lua is true; fail with what the editor shows if it never is."""
        self._waits += 1
        name = f"held-{self._waits}"
        whole = condition.lstrip().startswith(("return", "local"))
        code = condition if whole else f"return {condition}"
        self.lua("when(...)", self.rpc.channel_id, name, code, limit_ms)
        told, arguments = "", [False, ""]
        while told != name:
            if told:
                self.aside(told, arguments)
            told, arguments = self.rpc.notification()
        holds, error = arguments
        assert holds, f"never: {condition} {error}\n{self.state()}"

    def state(self) -> str:
        """What a person would look at when a test fails."""
        log = self.folder / "server.log"
        tail = log.read_text().splitlines()[-15:] if log.is_file() else ["no log of a server"]
        shown = self.lua(
            "return {mode = vim.api.nvim_get_mode().mode, said = said, ghost = ghost(),"
            " lines = vim.api.nvim_buf_get_lines(0, 0, -1, true),"
            " messages = vim.api.nvim_exec2('messages', {output = true}).output}"
        )
        return json.dumps(shown, indent=1, ensure_ascii=False) + "\n" + "\n".join(tail)

    def open(self, name: str, text: str) -> Path:
        """Write a file, edit it, and wait for the server."""
        path = self.folder / name
        path.write_bytes(text.encode())
        self.command(f"edit {path}")
        self.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
        return path

    def lines(self) -> list[str]:
        return list(self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))

    def ghost(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.lua("return ghost()")
        return found

    def shows(self, *lines: str) -> dict[str, Any]:
        """Wait for ghost text; its mark."""
        self.wait(f"shown({json.dumps(chr(10).join(lines), ensure_ascii=False)})")
        found = self.ghost()
        assert found is not None
        return found

    def hears(self, text: str) -> None:
        """Wait for a message to the user."""
        self.wait(f"heard({json.dumps(text, ensure_ascii=False)})")

    def saved(self, path: Path) -> bytes:
        """The bytes of the file after writing the buffer."""
        self.keys("<Esc>")
        self.wait("vim.api.nvim_get_mode().mode == 'n'")
        self.command("write")
        return path.read_bytes()

    def fresh(self) -> None:
        """Back to normal mode with no buffer and no message."""
        self.keys("<Esc><Esc>")
        self.wait("vim.api.nvim_get_mode().mode == 'n'")
        self.lua("vim.cmd('silent! %bwipeout!') for i = #said, 1, -1 do said[i] = nil end")


@contextmanager
def running(version: str, folder: Path, **options: Any) -> Iterator[Neovim]:
    """A Neovim with the plugin's options; skips where that version or msgpack is not installed."""
    pytest.importorskip("msgpack", reason="msgpack is not installed: make setup")
    from tests.support.neovim_rpc import Rpc

    nvim = program(version)
    if not nvim.is_file():
        pytest.skip(f"no Neovim {version}: python tests/editors/install_neovim.py {version}")
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("CONFIG", "DATA", "STATE", "CACHE")
    env = {
        **os.environ,
        **{f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in kinds},
        "DIFFILL_TEST": json.dumps({"plugin": str(PLUGIN), "options": options}),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    argv = [str(nvim), "--embed", "--headless", "-n", "-i", "NONE", "-u", str(INIT)]
    rpc = Rpc(argv, env)
    try:
        yield Neovim(rpc, folder)
    finally:
        rpc.close()
