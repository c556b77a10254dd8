"""What is the user's stays so with a server attached: keys that Neovim gives to servers."""

from __future__ import annotations

from pathlib import Path

from tests.support.lsp_process import script
from tests.support.neovim import running, server

K = "vim.fn.maparg('K', 'n', false, true).desc"


def test_K_is_taken_only_while_words_are_marked(version: str, tmp_path: Path) -> None:
    """In C, say, it opens the manual; Neovim gives it to a server that announces hover."""
    cmd = server(tmp_path, "--engine", script(tmp_path))
    with running(version, tmp_path, cmd=cmd) as neovim:
        neovim.open("a.c", "int main(void) { return 0; }\n")
        neovim.lua("client():request_sync('diffill/status', nil, 10000, 0)")
        assert neovim.lua(f"return {K}") is None
        assert neovim.lua("return client():supports_method('textDocument/hover')") is False
        neovim.lua("require('diffill').configure({diagnostics = {enable = true}})")
        neovim.wait(f"{K} == 'vim.lsp.buf.hover()'")
