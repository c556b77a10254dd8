"""Notebook cells: opened, edited, added, removed and closed like documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diffusion.text.ignored import Ignored, IgnoreRules
from lsp_server.session import OTHERS
from tests.support.lsp_wire import Wire, answer

CLIENT = {"notebookDocument": {"synchronization": {"dynamicRegistration": False}}}


SCRIPT = [answer("a + b", before="return ")]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that ignore rules were asked about, each as often as they were."""
    paths: list[Path] = []
    check = IgnoreRules.check

    def counted(rules: IgnoreRules, path: Path) -> Ignored | None:
        paths.append(path)
        return check(rules, path)

    monkeypatch.setattr(IgnoreRules, "check", counted)
    return paths


def cell(notebook: str, number: int) -> str:
    return notebook.replace("file:", "vscode-notebook-cell:") + f"#W{number}"


def item(uri: str, text: str) -> dict[str, Any]:
    return {"uri": uri, "languageId": "python", "version": 1, "text": text}


def open_notebook(wire: Wire, notebook: str, *texts: str) -> list[str]:
    """Open a notebook with cells; the cells' URIs."""
    uris = [cell(notebook, number) for number in range(len(texts))]
    wire.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": notebook, "notebookType": "jupyter-notebook", "version": 1,
                "cells": [{"kind": 2, "document": uri} for uri in uris],
            },
            "cellTextDocuments": [item(*both) for both in zip(uris, texts, strict=True)],
        },
    )  # fmt: skip
    return uris


def change(wire: Wire, notebook: str, **cells: Any) -> None:
    wire.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": notebook, "version": 2}, "change": {"cells": cells}},
    )


NOTEBOOK = "file:///w/n.ipynb"


async def test_cells_are_announced_and_completed(wire: Wire) -> None:
    result = await wire.initialize(CLIENT)
    selector = result["capabilities"]["notebookDocumentSync"]["notebookSelector"]
    assert selector == [{"notebook": "*"}]
    _, second = open_notebook(wire, NOTEBOOK, "x = 1\n", "return ")
    assert await wire.inline(0, 7, uri=second) == ["return a + b"]
    asked = wire.engine.filler.asked
    assert asked is not None and asked.elsewhere == (b"x = 1\n",)


async def test_a_cell_is_edited_with_units_of_the_client(wire: Wire) -> None:
    await wire.initialize(CLIENT)
    (uri,) = open_notebook(wire, NOTEBOOK, "s = '😀'\u2028; \n")
    where = {"line": 0, "character": 11}
    edit = {"range": {"start": where, "end": where}, "text": "return "}
    document = {"uri": uri, "version": 2}
    change(wire, NOTEBOOK, textContent=[{"document": document, "changes": [edit]}])
    assert wire.server.session.documents[uri].version == 2
    assert await wire.inline(0, 18, uri=uri) == ["s = '😀'\u2028; return a + b"]


async def test_cells_come_and_go(wire: Wire) -> None:
    await wire.initialize(CLIENT)
    first, second = open_notebook(wire, NOTEBOOK, "x = 1\n", "y = 2\n")
    third = cell(NOTEBOOK, 7)
    change(
        wire,
        NOTEBOOK,
        structure={
            "array": {"start": 0, "deleteCount": 1, "cells": [{"kind": 2, "document": third}]},
            "didOpen": [item(third, "return ")],
            "didClose": [{"uri": first}],
        },
    )
    assert set(wire.server.session.documents) == {second, third}
    change(wire, NOTEBOOK, textContent=[{"document": {"uri": first, "version": 3}, "changes": []}])
    change(wire, NOTEBOOK, data=[])
    assert await wire.inline(0, 7, uri=third) == ["return a + b"]
    closing = {"notebookDocument": {"uri": NOTEBOOK},
               "cellTextDocuments": [{"uri": uri} for uri in (second, third)]}  # fmt: skip
    wire.notify("notebookDocument/didClose", closing)
    assert wire.server.session.documents == {}


async def test_an_edit_of_a_cell_stops_the_request_for_it(wire: Wire) -> None:
    await wire.initialize(CLIENT)
    (uri,) = open_notebook(wire, NOTEBOOK, "return ")
    msg_id = wire.ask_inline(0, 7, uri=uri)
    change(wire, NOTEBOOK, textContent=[{"document": {"uri": uri, "version": 2}, "changes": [
        {"text": "x"}]}])  # fmt: skip
    assert (await wire.response(msg_id))["result"]["items"] == []
    assert await wire.reason() == "stale"


async def test_cells_of_an_ignored_notebook_are_left_alone(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.ipynb\n")
    await wire.initialize(CLIENT, rootUri=tmp_path.as_uri())
    (uri,) = open_notebook(wire, (tmp_path / "n.ipynb").as_uri(), "return ")
    assert await wire.inline(0, 7, uri=uri) == []
    assert await wire.reason() == "ignoredFile"


async def test_a_notebook_is_looked_up_once_not_for_every_cell(
    wire: Wire, tmp_path: Path, looked_at: list[Path]
) -> None:
    await wire.initialize(CLIENT, rootUri=tmp_path.as_uri())
    notebook = tmp_path / "n.ipynb"
    *_, last = open_notebook(wire, notebook.as_uri(), *["x = 1\n"] * 30, "return ")
    assert await wire.inline(0, 7, uri=last) == ["return a + b"]
    assert looked_at.count(notebook) == 1
    added = [item(cell(notebook.as_uri(), number), "y = 2\n") for number in range(40, 60)]
    structure = {"array": {"start": 31, "deleteCount": 0}, "didOpen": added}
    change(wire, notebook.as_uri(), structure=structure)
    assert await wire.inline(0, 7, uri=last) == ["return a + b"]
    assert looked_at.count(notebook) == 2, "an ignore file may have changed since"


async def test_no_more_open_files_are_looked_up_than_may_be_quoted(
    wire: Wire, looked_at: list[Path]
) -> None:
    await wire.initialize(CLIENT)
    for number in range(30):
        wire.open("return ", uri=f"file:///w/a{number}.py")
    looked_at.clear()
    wire.open("return ", uri="file:///w/last.py")
    assert await wire.inline(0, 7, uri="file:///w/last.py") == ["return a + b"]
    assert len(looked_at) == 1 + OTHERS


async def test_a_change_of_a_cell_is_read_whatever_stands_beside_it(wire: Wire) -> None:
    await wire.initialize(CLIENT)
    first, second = open_notebook(wire, NOTEBOOK, "x", "y")
    new = cell(NOTEBOOK, 5)
    wire.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": NOTEBOOK, "version": None},
            "change": {
                "metadata": 5,
                "cells": {
                    "data": [{"kind": 3}],
                    "structure": {"array": {}, "didOpen": [{"uri": new, "text": "z"}, None]},
                    "textContent": [
                        {"document": {"uri": first}, "changes": [{"text": "return "}]},
                        {"document": {"uri": second, "version": 2}, "changes": [{"text": None}]},
                        {"document": {"uri": new, "version": 2}, "changes": [{"text": 5}]},
                    ],
                },
            },
        },
    )
    assert await wire.inline(0, 7, uri=first) == ["return a + b"]
    for uri in (second, new):
        assert await wire.inline(0, 1, uri=uri) == []
        assert await wire.reason() == "outOfSync"
    again = {"document": {"uri": second}, "changes": [{"text": "return "}]}
    change(wire, NOTEBOOK, textContent=[again])
    assert await wire.inline(0, 7, uri=second) == ["return a + b"]


async def test_a_cell_that_is_opened_again_unreadably_is_out_of_sync(wire: Wire) -> None:
    await wire.initialize(CLIENT)
    (uri,) = open_notebook(wire, NOTEBOOK, "return ")
    change(wire, NOTEBOOK, structure={"didOpen": [{"uri": uri, "text": None}]})
    assert await wire.inline(0, 7, uri=uri) == []
    assert await wire.reason() == "outOfSync"
