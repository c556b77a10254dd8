"""Whole sessions with the recorded capabilities of VS Code, Neovim and Emacs (pytest-lsp).

pytest-lsp checks each answer against those capabilities and warns; warnings are errors here.
Its recordings know no inlineCompletion, so the test adds it where the editor has it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from tests.support import lsp_reference as editor
from tests.support.lsp_process import ROOT, script

CLIENTS = {"visual-studio-code": "utf-16", "neovim@0.11": "utf-8", "emacs": "utf-32"}
URI = "file:///work/a.py"
# Columns differ in all three encodings.
LINE = "    s = 'é漢😀'; return add(x, )  # 😀"
TEXT = f"def f(x):\r\n\x0c\r\n{LINE}\r\n"
AT = TEXT.index(")  #")
ANSWER = {"before": "add(x, ", "candidates": [{"text": "'😀'"}, {"text": "x"}]}


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LanguageClient]:
    client = make_test_lsp_client()
    engine = script(tmp_path, ANSWER)
    await client.start_io(
        sys.executable, "-m", "lsp_server", "--stdio", "--engine", engine, cwd=ROOT
    )
    client.name = request.param  # type: ignore[attr-defined]
    client.feature(types.CLIENT_REGISTER_CAPABILITY)(registered)
    yield client
    await client.shutdown_session()
    assert client._server is not None
    assert client._server.returncode == 0
    await client.stop()


def registered(params: types.RegistrationParams) -> None:
    """The answer of a client that registers whatever it is asked to."""


async def start(client: LanguageClient, *, inline: bool) -> types.ServerCapabilities:
    name: str = client.name  # type: ignore[attr-defined]
    capabilities = client_capabilities(name)
    assert capabilities.text_document is not None
    if inline:
        capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    params = types.InitializeParams(capabilities=capabilities, root_uri="file:///work")
    result = await client.initialize_session(params)
    assert result.capabilities.position_encoding == CLIENTS[name]
    item = types.TextDocumentItem(URI, "python", 1, TEXT)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return result.capabilities


async def ask(client: LanguageClient, at: types.Position) -> list[types.InlineCompletionItem]:
    result = await client.text_document_inline_completion_async(
        types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            types.TextDocumentIdentifier(URI),
            at,
        )
    )
    assert isinstance(result, types.InlineCompletionList)
    return list(result.items)


def encoding(client: LanguageClient) -> str:
    return CLIENTS[client.name]  # type: ignore[attr-defined]


async def test_inline_completion_typing_and_accepting(client: LanguageClient) -> None:
    announced = await start(client, inline=True)
    assert announced.inline_completion_provider is not None
    assert announced.completion_provider is None
    assert announced.text_document_sync is not None
    units, text, at = encoding(client), TEXT, AT
    for version, typed in enumerate(("'", "😀", "'"), start=2):
        items = await ask(client, editor.position_of(text, at, units))
        assert items
        item = items[0]
        assert isinstance(item.insert_text, str) and item.range is not None
        accepted = editor.apply(text, item.range, item.insert_text, units)
        assert accepted == TEXT[:AT] + "'😀'" + TEXT[AT:]
        where = editor.position_of(text, at, units)
        change = types.TextDocumentContentChangePartial(types.Range(where, where), typed)
        client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, URI), [change]
            )
        )
        text, at = text[:at] + typed + text[at:], at + len(typed)


async def test_completion_for_a_client_without_inline_completion(client: LanguageClient) -> None:
    """And settings: all three can be asked for them, and this one gets a single alternative."""
    client.set_configuration({"inline": {"alternatives": 1}}, section="diffill")
    announced = await start(client, inline=False)
    assert announced.completion_provider is not None
    # The client answers the server's question before it sees this answer, so the settings
    # are there when the next request is.
    await client.protocol.send_request_async("diffill/status", None)
    units = encoding(client)
    result = await client.text_document_completion_async(
        types.CompletionParams(
            types.TextDocumentIdentifier(URI), editor.position_of(TEXT, AT, units)
        )
    )
    assert isinstance(result, types.CompletionList) and result.is_incomplete
    assert [item.label for item in result.items] == ["'😀'"]
    edit = result.items[0].text_edit
    assert isinstance(edit, types.TextEdit)
    assert editor.apply(TEXT, edit.range, edit.new_text, units) == TEXT[:AT] + "'😀'" + TEXT[AT:]


async def test_a_code_action_rewrites_the_selection(client: LanguageClient) -> None:
    """Resolved where the editor can, applied by the server where it cannot."""
    await start(client, inline=True)
    applied: list[types.WorkspaceEdit] = []

    def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        applied.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    client.feature(types.WORKSPACE_APPLY_EDIT)(apply)
    units = encoding(client)
    where = types.Range(
        editor.position_of(TEXT, AT, units), editor.position_of(TEXT, AT + 1, units)
    )
    found = await client.text_document_code_action_async(
        types.CodeActionParams(
            types.TextDocumentIdentifier(URI), where, types.CodeActionContext(diagnostics=[])
        )
    )
    assert found
    action = found[0]
    assert action.title == "Rewrite selection (light 0.3)"
    command = action if isinstance(action, types.Command) else action.command
    if command is not None and command.command.startswith("{"):
        # lsprotocol reads an action that has a command as a command named by that one's text.
        inner = ast.literal_eval(command.command)
        command = types.Command(inner["title"], inner["command"], arguments=inner["arguments"])
    if command is None:
        assert isinstance(action, types.CodeAction)
        resolved = await client.code_action_resolve_async(action)
        assert resolved.edit is not None
        applied.append(resolved.edit)
    else:
        assert isinstance(command, types.Command)
        await client.workspace_execute_command_async(
            types.ExecuteCommandParams(command.command, command.arguments)
        )
    [edit] = applied
    if edit.document_changes:
        [change] = edit.document_changes
        assert isinstance(change, types.TextDocumentEdit) and change.text_document.version == 1
        [text_edit] = change.edits
    else:
        assert edit.changes is not None
        [text_edit] = edit.changes[URI]
    assert isinstance(text_edit, types.TextEdit)
    text = editor.apply(TEXT, text_edit.range, text_edit.new_text, units)
    assert text == TEXT[:AT] + "'😀'" + TEXT[AT + 1 :]
