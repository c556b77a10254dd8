"""The lines of other files on their way to the model, and those that stay away from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diffusion.text.line_index import LineIndex
from tests.support.lsp_wire import WAIT_S, Wire, answer

HELPER = "def helper(count):\n    return count\n"
TEXT = "from helpers import helper\n\nhelper(\n"
OFF = {"context": {"crossFile": False}}


SCRIPT = [answer("3)")]


async def begin(wire: Wire, root: Path, settings: dict[str, Any] | None = None) -> None:
    folder = {"uri": root.as_uri(), "name": root.name}
    await wire.initialize(workspaceFolders=[folder], initializationOptions=settings or {})


async def seen(wire: Wire, file: Path, line: int = 2) -> LineIndex | None:
    """What the model is given of other files, once what was begun has been read."""
    assert wire.server.session.neighbours.settle(WAIT_S)
    await wire.inline(line, 0, uri=file.as_uri(), automatic=False)
    assert wire.engine.filler.asked is not None
    found: LineIndex | None = wire.engine.filler.asked.repository
    return found


def names(index: LineIndex | None) -> set[str]:
    """The files that are looked at."""
    assert index is not None
    return {Path(n).name for i, n in enumerate(index.names) if i not in index.hidden}


async def test_what_other_files_say_reaches_the_model(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    file.write_text("old = 1\n")
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    found = await seen(wire, file)
    assert names(found) == {"helpers.py"}, "of the document itself only what the editor has"
    assert found is not None and b"return count" in found.text
    explained = await wire.ask("diffill/explainLast")
    assert explained["otherFiles"] == {"files": 1, "lines": 2}


@pytest.mark.parametrize("method", ["diffill/fill", "diffill/bridge", "diffill/fromComment"])
async def test_fills_may_quote_what_completions_may(
    wire: Wire, tmp_path: Path, method: str
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    await begin(wire, tmp_path)
    file, opened = tmp_path / "a.py", tmp_path / "open.py"
    wire.open("opened = 1\n", uri=opened.as_uri())
    wire.open("# what\n___\n", uri=file.as_uri())
    assert wire.server.session.neighbours.settle(WAIT_S)
    place = {"textDocument": {"uri": file.as_uri()}, "position": {"line": 0, "character": 2}}
    await wire.ask(method, place)
    asked = wire.engine.filler.asked
    assert asked is not None and asked.elsewhere == (b"opened = 1\n",)
    assert names(asked.repository) == {"helpers.py"}


async def test_off_reads_nothing(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path, OFF)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file) is None
    assert "otherFiles" not in await wire.ask("diffill/explainLast")
    assert wire.server.session.neighbours._thread is None, "nothing that could read was begun"


@pytest.mark.parametrize("off", [{"enable": False}, {"languages": {"python": False}}])
async def test_where_nothing_is_offered_nothing_is_read(
    wire: Wire, tmp_path: Path, off: dict[str, Any]
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    await begin(wire, tmp_path, off)
    wire.open(TEXT, uri=(tmp_path / "a.py").as_uri())
    await wire.inline(2, 0, uri=(tmp_path / "a.py").as_uri(), automatic=False)
    assert wire.server.session.neighbours._thread is None


async def test_an_open_file_that_is_not_quoted_as_it_is_open_is_as_it_was_saved(
    wire: Wire, tmp_path: Path
) -> None:
    files = [tmp_path / f"{n}.py" for n in range(7)]
    for path in files:
        path.write_text(HELPER)
    await begin(wire, tmp_path)
    for path in files:
        wire.open(HELPER, uri=path.as_uri())
    assert names(await seen(wire, files[-1])) == {"0.py", "1.py"}, "four others are quoted"


async def test_a_file_outside_of_every_folder_has_no_neighbours(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    (tmp_path / "open").mkdir()
    file = tmp_path / "a.py"
    await begin(wire, tmp_path / "open")
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file) is None
    assert wire.server.session.neighbours._thread is None


async def test_switched_off_it_is_forgotten_and_on_it_comes_back(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert await seen(wire, file)
    wire.notify("workspace/didChangeConfiguration", {"settings": OFF})
    wire.type("\n", 2, 7, 2, file.as_uri())
    assert await seen(wire, file) is None
    wire.notify("workspace/didChangeConfiguration", {"settings": {"context": {"crossFile": True}}})
    wire.type("\n", 2, 7, 3, file.as_uri())
    assert names(await seen(wire, file)) == {"helpers.py"}


async def test_files_that_are_left_alone_never_reach_the_model(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    (tmp_path / ".env.py").write_text(TEXT)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    assert names(await seen(wire, file)) == {"helpers.py"}
    ignore = tmp_path / ".diffillignore"
    ignore.write_text("helpers.py\n")
    changed = {"changes": [{"uri": ignore.as_uri(), "type": 1}]}
    wire.notify("workspace/didChangeWatchedFiles", changed)
    wire.type("\n", 2, 7, 2, file.as_uri())
    assert names(await seen(wire, file)) == set()
    wire.open(TEXT, uri=(tmp_path / ".env.py").as_uri())
    session = wire.server.session
    assert session.repository(session.documents[(tmp_path / ".env.py").as_uri()]) is None


async def test_what_changes_no_rule_makes_nothing_be_read_again(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path, {"privacy": {"ignore": ["mine_*"]}})
    wire.open(TEXT, uri=file.as_uri())
    first = await seen(wire, file)
    session = wire.server.session
    read = session.left_alone._rules._specs
    assert first is not None and read, "ignore files were read"
    settings = {"diffill": {"enable": True, "privacy": {"ignore": ["mine_*"]}}}
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    settings["diffill"]["inline"] = {"maxLines": 3}
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    built = {"uri": (tmp_path / "build" / "x.o").as_uri(), "type": 2}
    wire.notify("workspace/didChangeWatchedFiles", {"changes": [built]})
    wire.type("n", 2, 7, 2, file.as_uri())
    await wire.inline(2, 0, uri=file.as_uri(), automatic=False)
    assert wire.engine.filler.asked is not None
    found = wire.engine.filler.asked.repository
    assert found is not None and found.text is first.text, "at once, without a wait"
    assert session.left_alone._rules._specs is read and read
    settings["diffill"]["privacy"] = {"ignore": ["helpers.py"]}
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert names(await seen(wire, file)) == set()


async def test_an_open_file_is_taken_as_the_editor_has_it(wire: Wire, tmp_path: Path) -> None:
    other, file = tmp_path / "helpers.py", tmp_path / "a.py"
    other.write_text(HELPER)
    await begin(wire, tmp_path)
    wire.open("def helper(other):\n    pass\n", uri=other.as_uri())
    wire.open(TEXT, uri=file.as_uri())
    assert names(await seen(wire, file)) == set()
    assert wire.engine.filler.asked is not None
    assert wire.engine.filler.asked.elsewhere == (b"def helper(other):\n    pass\n",)


async def test_what_was_edited_is_read_again_once_it_is_closed(wire: Wire, tmp_path: Path) -> None:
    other, file = tmp_path / "helpers.py", tmp_path / "a.py"
    other.write_text(HELPER)
    await begin(wire, tmp_path)
    wire.open(HELPER, uri=other.as_uri())
    wire.open(TEXT, uri=file.as_uri())
    assert names(await seen(wire, file)) == set()
    wire.type("x", 0, 0, 2, other.as_uri())
    other.write_text("x" + HELPER)
    wire.notify("textDocument/didClose", {"textDocument": {"uri": other.as_uri()}})
    wire.type("\n", 2, 7, 2, file.as_uri())
    assert names(await seen(wire, file)) == {"helpers.py"}, "as it was, until it has been read"
    wire.type("\n", 2, 7, 3, file.as_uri())
    found = await seen(wire, file)
    assert found is not None and b"xdef helper" in found.text


async def test_typing_reads_nothing_again(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(HELPER)
    file = tmp_path / "a.py"
    await begin(wire, tmp_path)
    wire.open(TEXT, uri=file.as_uri())
    first = await seen(wire, file)
    (tmp_path / "helpers.py").write_text("def helper(much, more):\n    pass\n")
    wire.type("n", 2, 7, 2, file.as_uri())
    found = await seen(wire, file)
    assert found is not None and first is not None and found.text is first.text
