"""Other files of the workspace on their way to the model, and those that stay away from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffusion.text.cross_file import CrossFile
from tests.support.lsp_wire import WAIT_S, Wire, answer, scripted

HELPER = "def helper(count):\n    return count\n"
TEXT = "from helpers import helper\n\nhelper(\n"
HEAD = b"def helper(count)\n"
ON = {"context": {"crossFile": True}}


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(scripted([answer("3)")]))
    yield wire
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def begin(wire: Wire, root: Path, settings: dict[str, Any] = ON) -> None:
    folder = {"uri": root.as_uri(), "name": root.name}
    await wire.initialize(workspaceFolders=[folder], initializationOptions=settings)


async def seen(wire: Wire, file: Path, line: int = 2) -> CrossFile | None:
    """What the model is given of other files, once what was begun has been read."""
    assert wire.server.session.neighbours.settle(WAIT_S)
    await wire.inline(line, 0, uri=file.as_uri(), automatic=False)
    assert wire.engine.filler.asked is not None
    return wire.engine.filler.asked.cross_file


def read_for(wire: Wire, file: Path, line: int) -> CrossFile:
    """What is read for a request from `line`."""
    session = wire.server.session
    session.cross_file(session.documents[file.as_uri()], line)
    assert session.neighbours.settle(WAIT_S)
    return session.neighbours.of(file.as_uri())


async def test_what_is_imported_reaches_the_model(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file) == CrossFile((HEAD,), (HELPER.encode(),))
    explained = await wire.ask("diffill/explainLast")
    assert explained["otherFiles"] == {"imported": 1, "read": 1}


async def test_off_reads_nothing(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path, {})
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file) is None
    assert "otherFiles" not in await wire.ask("diffill/explainLast")
    assert wire.server.session.neighbours._thread is None, "nothing that could read was begun"


async def test_switched_off_it_is_forgotten_and_on_it_comes_back(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file)
    wire.notify("workspace/didChangeConfiguration", {"settings": {"context": {"crossFile": False}}})
    wire.type("\n", 2, 7, 2, file.as_uri())
    assert await seen(wire, file) is None
    wire.notify("workspace/didChangeConfiguration", {"settings": ON})
    assert read_for(wire, file, 3).signatures == (HEAD,)


async def test_files_that_are_left_alone_never_reach_the_model(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    (tmp_path / ".env.py").write_text(TEXT)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file)
    (tmp_path / ".diffillignore").write_text("helpers.py\n")
    wire.notify("workspace/didChangeWatchedFiles", {"changes": []})
    wire.type("\n", 2, 7, 2, file.as_uri())
    assert await seen(wire, file) == CrossFile()
    wire.open(TEXT, uri=(tmp_path / ".env.py").as_uri())
    session = wire.server.session
    assert session.cross_file(session.documents[(tmp_path / ".env.py").as_uri()], 9) is None


async def test_an_open_file_is_taken_as_the_editor_has_it(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open("def helper(other):\n    pass\n", uri=(tmp_path / "helpers.py").as_uri())
    wire.open(TEXT, uri=file.as_uri())
    found = await seen(wire, file)
    assert found is not None and found.signatures == (b"def helper(other)\n",)


async def test_a_file_that_was_edited_and_closed_is_read(wire: Wire, tmp_path: Path) -> None:
    edited, read, file = (tmp_path / name for name in ("b.py", "c.py", "a.py"))
    edited.write_text("saved = 1\n")
    read.write_text("other = 1\n")
    await begin(wire, tmp_path)
    for path in (edited, read):
        wire.open("old = 1\n", uri=path.as_uri())
    wire.type("x", 0, 0, 2, edited.as_uri())
    for path in (edited, read):
        wire.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
    wire.open("new = 1\n\n\n", uri=file.as_uri())
    assert await seen(wire, file) == CrossFile((), (b"saved = 1\n",))
    wire.open("old = 1\n", uri=edited.as_uri())
    wire.type("\n", 0, 0, 2, file.as_uri())
    assert read_for(wire, file, 1) == CrossFile(), "it is open again"


async def test_typing_on_a_line_reads_nothing_again(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file)
    first = read_for(wire, file, 2)
    (tmp_path / "helpers.py").write_text("def helper(much, more):\n    pass\n")
    wire.type("n", 2, 7, 2, file.as_uri())
    assert read_for(wire, file, 2) == first
    assert read_for(wire, file, 1).signatures == (b"def helper(much, more)\n",)
