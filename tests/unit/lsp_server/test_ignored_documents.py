"""Documents that are left alone: by name, by ignore files, by settings, in several folders."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lsp_server.paths import path_of
from tests.support.lsp_wire import WAIT_S, Wire, answer, scripted

SCRIPT = [answer("a + b", before="return ")]


async def offered(wire: Wire, path: Path) -> tuple[bool, str | None]:
    """Whether a document of this name gets a suggestion by key, and if not why."""
    uri = path.as_uri()
    wire.open("return ", uri=uri)
    found = await wire.inline(0, 7, uri=uri, automatic=False)
    explained = await wire.ask("diffill/explainLast")
    return bool(found), explained["reason"]


def folder(path: Path) -> dict[str, str]:
    return {"uri": path.as_uri(), "name": path.name}


def configure(wire: Wire, **privacy: Any) -> None:
    wire.notify("workspace/didChangeConfiguration", {"settings": {"privacy": privacy}})


async def test_secrets_and_ignored_files_get_nothing_even_by_key(
    wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text("gen/\n")
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    assert await offered(wire, tmp_path / "a.py") == (True, None)
    assert await offered(wire, tmp_path / ".env.py") == (False, "secretFile")
    assert await offered(wire, tmp_path / "gen" / "a.py") == (False, "ignoredFile")
    explained = await wire.ask("diffill/explainLast")
    assert explained["message"].endswith("gen/ (.gitignore)")
    assert wire.engine.filler.requests == 1


@pytest.mark.parametrize("method", ["diffill/rewrite", "diffill/fill", "diffill/bridge"])
async def test_no_request_of_ours_reads_a_secret(wire: Wire, tmp_path: Path, method: str) -> None:
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    uri = (tmp_path / ".env.py").as_uri()
    wire.open("KEY = ___\n", uri=uri)
    response = await wire.response(wire.request(method, {"textDocument": {"uri": uri}}))
    assert ".env" in response["error"]["message"]
    assert wire.engine.filler.requests == 0


async def test_settings_add_and_gitignore_can_be_switched_off(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("gen/\n")
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    configure(wire, respectGitignore=False, ignore=["mine_*"])
    assert await offered(wire, tmp_path / "gen" / "a.py") == (True, None)
    assert await offered(wire, tmp_path / "mine_1.py") == (False, "ignoredFile")
    configure(wire, ignore=["!.env.py"])
    assert await offered(wire, tmp_path / "mine_1.py") == (True, None)
    assert await offered(wire, tmp_path / ".env.py") == (False, "secretFile")


async def test_folders_come_and_go(wire: Wire, tmp_path: Path) -> None:
    """An ignore file above a file counts while a folder that holds it is open."""
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True)
    (inner / ".diffillignore").write_text("sub/\n")
    result = await wire.initialize(workspaceFolders=[])
    announced = result["capabilities"]["workspace"]["workspaceFolders"]
    assert announced["supported"] and announced["changeNotifications"]
    path = inner / "sub" / "a.py"
    assert (await offered(wire, path))[0]

    def change(**event: Any) -> None:
        both = {"added": [], "removed": [], **event}
        wire.notify("workspace/didChangeWorkspaceFolders", {"event": both})

    change(added=[folder(tmp_path / "other"), folder(inner)])
    assert await offered(wire, path) == (False, "ignoredFile")
    change(removed=[folder(inner)])
    assert (await offered(wire, path))[0]
    assert wire.server.session.folders == ((tmp_path / "other").as_uri(),)


async def test_a_changed_ignore_file_counts_when_the_client_tells(
    wire: Wire, tmp_path: Path
) -> None:
    await wire.initialize(
        {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}},
        rootUri=tmp_path.as_uri(),
    )
    path = tmp_path / "a.py"
    assert (await offered(wire, path))[0]
    registered = [m for m in wire.sent if m.get("method") == "client/registerCapability"]
    watchers = registered[-1]["params"]["registrations"][0]["registerOptions"]["watchers"]
    assert [w["globPattern"] for w in watchers] == ["**/.gitignore", "**/.diffillignore"]
    (tmp_path / ".gitignore").write_text("a.py\n")
    changed = {"changes": [{"uri": (tmp_path / ".gitignore").as_uri(), "type": 1}]}
    wire.notify("workspace/didChangeWatchedFiles", changed)
    assert await wire.inline(0, 7, uri=path.as_uri(), automatic=False) == []
    assert await wire.reason() == "ignoredFile"


@pytest.mark.parametrize("pulls", [False, True])
async def test_marks_come_and_go_with_ignore_files_and_folders(
    wire: Wire, tmp_path: Path, pulls: bool
) -> None:
    wire.engine.filler.suspects = {"bad": "good"}
    wire.server.session.idle_s = 0
    client: dict[str, Any] = {"workspace": {"diagnostics": {"refreshSupport": True}}}
    if pulls:
        client["textDocument"] = {"diagnostic": {}}
    await wire.initialize(
        client,
        workspaceFolders=[folder(tmp_path)],
        initializationOptions={"diagnostics": {"enable": True}},
    )
    (tmp_path / "sub").mkdir()
    ignore, uri = tmp_path / ".gitignore", (tmp_path / "sub" / "a.py").as_uri()
    told = "workspace/diagnostic/refresh" if pulls else "textDocument/publishDiagnostics"
    wire.open("x = bad\n", uri=uri)
    seen = 0

    async def marks() -> int:
        """How many words are marked, once the client was told of a change."""
        nonlocal seen
        async with asyncio.timeout(WAIT_S):
            while len(new := [m for m in wire.sent if m.get("method") == told]) == seen:
                wire._changed.clear()
                await wire._changed.wait()
        seen = len(new)
        if not pulls:
            return len(new[-1]["params"]["diagnostics"])
        report = await wire.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        return len(report["items"])

    def change(text: str) -> None:
        ignore.write_text(text)
        changes = {"changes": [{"uri": ignore.as_uri(), "type": 2}]}
        wire.notify("workspace/didChangeWatchedFiles", changes)

    def folders(**event: Any) -> None:
        both = {"event": {"added": [], "removed": [], **event}}
        wire.notify("workspace/didChangeWorkspaceFolders", both)

    if not pulls:
        assert await marks() == 1
    change("sub/\n")
    assert await marks() == 0
    folders(removed=[folder(tmp_path)])  # an ignore file counts in an open folder
    assert await marks() == 1
    folders(added=[folder(tmp_path)])
    assert await marks() == 0
    change("")
    assert await marks() == 1


async def test_a_document_whose_name_no_disk_takes_is_served(wire: Wire) -> None:
    await wire.initialize()
    uri = "file:///work/\ud800.py"
    wire.open("return ", uri=uri)
    assert await wire.inline(0, 7, uri=uri) == ["return a + b"]


@pytest.mark.parametrize("uri", [None, ""])
async def test_a_client_from_before_uris_names_its_folder_by_a_path(
    wire: Wire, tmp_path: Path, uri: str | None
) -> None:
    (tmp_path / ".gitignore").write_text("gen.py\n")
    path = tmp_path / "sub" / "gen.py"
    path.parent.mkdir()
    await wire.initialize(rootUri=uri, rootPath=str(tmp_path))
    assert await offered(wire, path) == (False, "ignoredFile")
    assert wire.server.session.root == tmp_path


@pytest.mark.parametrize("path", ["", "here/or/there"])
async def test_a_path_that_names_no_folder_says_nothing(wire: Wire, path: str) -> None:
    await wire.initialize(rootPath=path)
    assert wire.server.session.folders == () and wire.server.session.root is None


async def test_nothing_is_quoted_from_a_file_that_is_left_alone(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    wire.open("token = 1\n", uri=(tmp_path / ".env.py").as_uri())
    wire.open("x = 1\n", uri=(tmp_path / "plain.py").as_uri())
    assert (await offered(wire, tmp_path / "a.py"))[0]
    asked = wire.engine.filler.asked
    assert asked is not None and asked.elsewhere == (b"x = 1\n",)


def leave_out(wire: Wire, tmp_path: Path, how: str) -> None:
    """From now on `private.py` is left alone, as the server hears in one of several ways."""
    if how == "settings":
        configure(wire, ignore=["private.py"])
        return
    (tmp_path / ".gitignore").write_text("private.py\n")
    if how == "watched":
        changed = {"changes": [{"uri": (tmp_path / ".gitignore").as_uri(), "type": 1}]}
        wire.notify("workspace/didChangeWatchedFiles", changed)
    elif how == "folders":
        event = {"added": [folder(tmp_path / "other")], "removed": []}
        wire.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    else:
        wire.open("z = 1\n", uri=(tmp_path / "c.go").as_uri(), language="go")


@pytest.mark.parametrize("how", ["settings", "watched", "folders", "opened"])
async def test_what_may_be_quoted_from_a_file_that_is_left_alone_now_is_forgotten(
    wire: Wire, tmp_path: Path, how: str
) -> None:
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    uri = (tmp_path / "a.py").as_uri()
    wire.open("a + b\n", uri=(tmp_path / "private.py").as_uri())
    wire.open("return ", uri=uri)
    for _ in range(2):
        assert await wire.inline(0, 7, uri=uri) == ["return a + b"]
    assert wire.engine.filler.requests == 1, "the second is out of the cache"
    leave_out(wire, tmp_path, how)
    if how != "opened":  # then it is noticed when it would be quoted from again
        assert wire.server.session.foresight._expected is None
    assert await wire.inline(0, 7, uri=uri) == ["return a + b"]
    asked = wire.engine.filler.asked
    assert wire.engine.filler.requests == 2 and asked is not None and asked.elsewhere == ()


@pytest.mark.parametrize("how", ["settings", "watched", "folders"])
async def test_what_may_be_quoting_such_a_file_is_ended(tmp_path: Path, how: str) -> None:
    wire = Wire(scripted(SCRIPT, gated=True))
    await wire.initialize(workspaceFolders=[folder(tmp_path)])
    uri, private = (tmp_path / "a.py").as_uri(), (tmp_path / "private.py").as_uri()
    wire.open("return ", uri=private)
    wire.open("return ", uri=uri)
    asked = [wire.ask_inline(0, 7, uri=one) for one in (uri, private)]
    await wire.ask("diffill/status")  # both have been made
    leave_out(wire, tmp_path, how)
    wire.engine.filler.release(9)
    for msg_id in asked:
        assert (await wire.response(msg_id))["result"]["items"] == []
    traces = wire.server.session.traces
    assert [traces.last(one).reason for one in (uri, private)] == ["rulesChanged", "ignoredFile"]  # type: ignore[union-attr]
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", "/a/b c.py"),
        ("file:///c%3A/x.py", "c:/x.py"),
        ("vscode-notebook-cell:/a/n.ipynb#W0", "/a/n.ipynb"),
        ("untitled:1", None),
        ("file:///a%00b", None),
        ("http://[", None),
        ("file:///a/\ud800.py", None),
        ("", None),
    ],
)
def test_the_file_of_a_uri(uri: str, path: str | None) -> None:
    assert path_of(uri) == (None if path is None else Path(path))
