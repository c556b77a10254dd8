"""Code actions: what is offered, to whom and how, and what happens when the text has changed."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.reasons import SENTENCES, Reason
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "# double\ny = ___\nz = ___\n"
SCRIPT = [
    answer("other(1)", before="y = "),
    answer("    return 1\n", before="# "),
    answer("any", before="z = "),
]
LAZY = {
    "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor.rewrite"]}},
    "dataSupport": True,
    "resolveSupport": {"properties": ["edit"]},
    "tagSupport": {"valueSet": [1]},
}
MODERN = {
    "textDocument": {"codeAction": LAZY},
    "workspace": {"workspaceEdit": {"documentChanges": True}},
}
APPLIES = {"workspace": {"applyEdit": True}}
PLAIN = {
    "textDocument": {"codeAction": {k: LAZY[k] for k in ("codeActionLiteralSupport",)}}, **APPLIES
}


def asked(line: int, start: int, end: int, **context: Any) -> dict[str, Any]:
    return {
        "textDocument": {"uri": URI},
        "range": {
            "start": {"line": line, "character": start},
            "end": {"line": line, "character": end},
        },
        "context": {"diagnostics": [], **context},
    }


async def actions(wire: Wire, *where: int, **context: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await wire.ask(
        "textDocument/codeAction", asked(*where, **context)
    )
    return found


async def test_the_capability_names_every_kind(wire: Wire) -> None:
    result = await wire.initialize(MODERN)
    provider = result["capabilities"]["codeActionProvider"]
    assert provider["resolveProvider"] and len(provider["codeActionKinds"]) == 6
    assert "diffill.perform" in result["capabilities"]["executeCommandProvider"]["commands"]


async def test_what_is_offered_depends_on_the_place(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open(TEXT)
    everything = await actions(wire, 0, 2, 8)
    assert [action["title"] for action in everything] == [
        "Rewrite selection (light 0.3)",
        "Rewrite selection (medium 0.6)",
        "Rewrite selection (free 1.0)",
        "Fill 2 holes together",
        "Write the body from the comment",
    ]
    assert all(a["tags"] == [1] and "edit" not in a and "command" not in a for a in everything)
    assert [a["title"] for a in await actions(wire, 1, 4, 4)] == ["Fill 2 holes together"]
    assert [a["title"] for a in await actions(wire, 1, 0, 7, only=["refactor.rewrite.diffill.fill"])
            ] == ["Fill the hole"], "of a selection, the holes in it"  # fmt: skip
    assert await actions(wire, 0, 2, 8, only=["quickfix"]) == []
    assert len(await actions(wire, 0, 2, 8, only=["refactor"])) == 5
    assert await actions(wire, 0, 2, 8, only=[""]) == everything
    assert await actions(wire, 0, 2, 8, only=[]) == []
    assert wire.engine.filler.requests == 0, "to list actions asks no model"


async def test_a_body_is_offered_in_comments_of_the_language_only(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open("#include <a.h>\n// sets\nvoid f(int *p) {\n  *p = 3;\n}\n", language="c")
    offered = [await actions(wire, line, 3, 3) for line in range(4)]
    assert [len(found) for found in offered] == [0, 1, 0, 0]


async def test_an_action_is_resolved_to_an_edit_of_that_version(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open(TEXT)
    *_, fill, comment = await actions(wire, 0, 2, 8)
    resolved = await wire.ask("codeAction/resolve", fill)
    [change] = resolved["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    assert [edit["newText"] for edit in change["edits"]] == ["other(1)"] * 2
    resolved = await wire.ask("codeAction/resolve", comment)
    [edit] = resolved["edit"]["documentChanges"][0]["edits"]
    assert edit["newText"] == "    return 1\n"
    rewrite, *_ = await actions(wire, 1, 0, 1)
    response = await wire.response(wire.request("codeAction/resolve", rewrite))
    assert response["error"]["code"] == -32803
    assert response["error"]["message"] == "the script has no answer for this place"


async def test_actions_may_be_resolved_all_at_once() -> None:
    gated = Wire(scripted([answer("one", before="y = "), answer("two", before="# ")], gated=True))
    await gated.initialize(MODERN)
    gated.open(TEXT)
    offered = await actions(gated, 0, 2, 8)
    asked_for = [gated.request("codeAction/resolve", action) for action in offered]
    again = gated.request("codeAction/resolve", offered[0])
    gated.engine.filler.release(100)
    superseded, *others = [await gated.response(number) for number in (*asked_for, again)]
    assert superseded["error"]["message"] == SENTENCES[Reason.SUPERSEDED]
    texts = [r["result"]["edit"]["documentChanges"][0]["edits"][0]["newText"] for r in others]
    assert texts == ["two", "two", "one", "two", "two"]
    gated.server.session.close()
    assert gated.engine.join(WAIT_S)


async def test_a_stale_action_is_content_modified(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open(TEXT)
    *_, fill, _ = await actions(wire, 0, 2, 8)
    wire.type("# ", 0, 0, 2)
    response = await wire.response(wire.request("codeAction/resolve", fill))
    assert response["error"]["code"] == -32801


async def resolved(wire: Wire, action: dict[str, Any]) -> Any:
    """The code of the error that an action ends in, or None."""
    response = await wire.response(wire.request("codeAction/resolve", action))
    return response.get("error", {}).get("code")


@pytest.mark.parametrize("client", [MODERN, PLAIN])
async def test_a_version_number_that_comes_again_stands_for_another_text(
    wire: Wire, client: dict[str, Any]
) -> None:
    await wire.initialize(client)

    async def chosen(action: dict[str, Any]) -> Any:
        if client is MODERN:
            return await resolved(wire, action)
        perform = {"command": "diffill.perform", "arguments": action["command"]["arguments"]}
        response = await wire.response(wire.request("workspace/executeCommand", perform))
        return response.get("error", {}).get("code")

    wire.open(TEXT, version=0)
    *_, fill, _ = await actions(wire, 0, 2, 8)
    wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    wire.open("import os, sys\n" + TEXT, version=0)
    assert await chosen(fill) == -32801
    [fill] = await actions(wire, 2, 4, 4)
    wire.type("# ", 0, 0, 0)
    assert await chosen(fill) == -32801, "a client that always sends one version"
    assert not [m for m in wire.sent if m.get("method") == "workspace/applyEdit"]
    [fill] = await actions(wire, 2, 4, 4)
    assert await chosen(fill) is None


async def test_a_change_to_the_same_version_while_it_is_resolved_is_content_modified() -> None:
    gated = Wire(scripted([answer("one", before="y = ", steps=5)], gated=True))
    await gated.initialize(MODERN)
    gated.open(TEXT)
    *_, fill, _ = await actions(gated, 0, 2, 8)
    asked_for = gated.request("codeAction/resolve", fill)
    gated.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    gated.open("# other\n" + TEXT)
    gated.engine.filler.release(100)
    response = await gated.response(asked_for)
    assert response["error"]["code"] == -32801
    gated.server.session.close()
    assert gated.engine.join(WAIT_S)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"digest": None}, "digest is None"),
        ({"uri": 5}, "not an open document"),
        ({"do": "sing"}, "do is 'sing'"),
        ({"do": None}, "do is None"),
        ({"do": "rewrite"}, "span is no place"),
        ({"do": "rewrite", "span": [0, 10**9], "strength": 0.3}, "span is no place"),
        ({"do": "rewrite", "span": [0, 1], "strength": "much"}, "strength is 'much'"),
        ({"do": "replace", "span": [0, 1]}, "text is None"),
        ({"do": "replace", "span": [True, 1], "text": ""}, "span is no place"),
        ({"do": "fill"}, "holes is not a list"),
        ({"do": "fill", "holes": "x"}, "holes is not a list"),
        ({"do": "fill", "holes": [[5, 2]]}, "holes[0] is no place"),
        ({"do": "fill", "holes": [[5, 5, 5]]}, "holes[0] is no place"),
        ({"do": "fill", "holes": [[0, 3], [2, 4]]}, "overlaps"),
        ({"do": "comment"}, "at is no place"),
        ({"do": "comment", "at": "zz"}, "at is no place"),
        ({"do": "comment", "at": 10**9}, "at is no place"),
    ],
)
async def test_data_that_makes_no_sense_is_named(
    wire: Wire, wrong: dict[str, Any], said: str
) -> None:
    await wire.initialize(MODERN)
    wire.open(TEXT)
    *_, fill, _ = await actions(wire, 0, 2, 8)
    whole = {key: fill["data"][key] for key in ("uri", "version", "digest")}
    action = {"title": "t", "data": {**whole, **wrong}}
    response = await wire.response(wire.request("codeAction/resolve", action))
    assert response["error"]["code"] == -32602
    assert said in response["error"]["message"]
    assert wire.engine.filler.requests == 0


async def test_data_that_are_none_of_ours_are_left_alone(wire: Wire) -> None:
    await wire.initialize(MODERN)
    for data in ([], "x", None):
        assert (await wire.ask("codeAction/resolve", {"title": "t", "data": data}))["title"] == "t"


async def test_only_what_is_asked_for_is_looked_for(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open(TEXT)
    session = wire.server.session
    document = session.documents[URI]
    assert await actions(wire, 0, 2, 8, only=["source.organizeImports"]) == []
    assert session._snapshot is None and document._tree is None
    assert len(await actions(wire, 0, 2, 8, only=["refactor.rewrite.diffill.light"])) == 1
    assert document._tree is None and "markers" not in vars(session.snapshot(document))
    assert len(await actions(wire, 0, 2, 8, only=["refactor.rewrite.diffill.fill"])) == 1
    assert document._tree is None
    markers = session.snapshot(document).markers
    assert len(await actions(wire, 0, 2, 8)) == 5
    assert session.snapshot(document).markers is markers, "they were looked for once"
    wire.type("x", 0, 0, 2)
    assert session.snapshot(session.documents[URI]).markers == ((14, 17), (22, 25))


async def test_nothing_is_looked_for_in_a_large_file(wire: Wire) -> None:
    await wire.initialize(MODERN, initializationOptions={"performance": {"maxFileKB": 1}})
    wire.open(TEXT + 100 * "# long enough\n")
    assert await actions(wire, 0, 2, 8) == []
    session = wire.server.session
    assert session._snapshot is None and session.documents[URI]._tree is None
    wire.open(TEXT, uri="file:///work/b.py")
    small = {**asked(0, 2, 8), "textDocument": {"uri": "file:///work/b.py"}}
    assert len(await wire.ask("textDocument/codeAction", small)) == 5
    wire.notify("textDocument/didClose", {"textDocument": {"uri": "file:///work/b.py"}})
    assert session._snapshot is None, "what is closed is not kept"


@pytest.mark.parametrize("code_action", [{}, PLAIN["textDocument"]["codeAction"]])
async def test_who_cannot_apply_an_edit_is_offered_no_command(
    wire: Wire, code_action: dict[str, Any]
) -> None:
    await wire.initialize({"textDocument": {"codeAction": code_action}, "workspace": {}})
    wire.open(TEXT)
    assert await actions(wire, 0, 2, 8) == []


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ({"result": {"applied": True}}, None),
        ({"result": None}, None),
        ({"result": {"applied": False}}, "it gave no reason"),
        ({"result": {"applied": False, "failureReason": "read-only"}}, "read-only"),
        ({"error": {"code": -32601, "message": "no such method"}}, "no such method"),
    ],
)
async def test_what_was_not_applied_is_shown(
    wire: Wire, answered: dict[str, Any], said: str | None
) -> None:
    await wire.initialize(PLAIN)
    wire.open(TEXT)
    [fill] = await actions(wire, 1, 4, 4)
    perform = {"command": "diffill.perform", "arguments": fill["command"]["arguments"]}
    await wire.ask("workspace/executeCommand", perform)
    [apply] = [m for m in wire.sent if m.get("method") == "workspace/applyEdit"]
    wire.message({"id": apply["id"], **answered})
    shown = [m["params"] for m in wire.sent if m.get("method") == "window/showMessage"]
    assert len(shown) == (said is not None)
    assert said is None or f"did not apply the edit ({said})" in shown[0]["message"]


async def test_a_change_while_it_is_resolved_is_content_modified() -> None:
    gated = Wire(scripted([answer("one", before="y = ", steps=5)], gated=True))
    await gated.initialize(MODERN)
    gated.open(TEXT)
    *_, fill, _ = await actions(gated, 0, 2, 8)
    asked_for = gated.request("codeAction/resolve", fill)
    gated.type("# ", 0, 0, 2)
    gated.engine.filler.release(100)
    response = await gated.response(asked_for)
    assert response["error"]["code"] == -32801
    gated.server.session.close()
    assert gated.engine.join(WAIT_S)


async def test_an_editor_that_resolves_nothing_gets_a_command(wire: Wire) -> None:
    await wire.initialize(PLAIN)
    wire.open(TEXT)
    [fill] = await actions(wire, 1, 4, 4)
    assert fill["command"]["command"] == "diffill.perform" and "data" not in fill
    await wire.ask(
        "workspace/executeCommand",
        {"command": "diffill.perform", "arguments": fill["command"]["arguments"]},
    )
    [apply] = [m for m in wire.sent if m.get("method") == "workspace/applyEdit"]
    [edits] = apply["params"]["edit"]["changes"].values()
    assert [edit["newText"] for edit in edits] == ["other(1)"] * 2


async def test_an_editor_without_literals_gets_commands_and_is_told_why_not(wire: Wire) -> None:
    await wire.initialize(APPLIES)
    wire.open(TEXT)
    rewrite, *_ = await actions(wire, 1, 0, 1)
    assert rewrite["command"] == "diffill.perform" and "kind" not in rewrite
    await wire.ask(
        "workspace/executeCommand",
        {"command": "diffill.perform", "arguments": rewrite["arguments"]},
    )
    [shown] = [m for m in wire.sent if m.get("method") == "window/showMessage"]
    assert "the script has no answer" in shown["params"]["message"]
    assert not [m for m in wire.sent if m.get("method") == "workspace/applyEdit"]


async def test_the_command_without_its_argument_is_refused(wire: Wire) -> None:
    await wire.initialize(PLAIN)
    for arguments, said in (
        ({}, "takes the argument of a code action"),
        ({"arguments": []}, "Expected 1 argument"),
        ({"arguments": [3]}, "takes the argument of a code action"),
    ):
        asked_for = {"command": "diffill.perform", **arguments}
        response = await wire.response(wire.request("workspace/executeCommand", asked_for))
        assert response["error"]["code"] == -32602
        assert said in response["error"]["message"]


async def test_nothing_is_offered_where_diffill_is_off(wire: Wire) -> None:
    await wire.initialize(MODERN, initializationOptions={"enable": False})
    wire.open(TEXT)
    assert await actions(wire, 0, 2, 8) == []
    assert await wire.ask("textDocument/codeAction", {
        **asked(0, 2, 8), "textDocument": {"uri": "file:///other"}}) == []  # fmt: skip


async def test_what_is_filled_may_be_quoted_from_other_documents(wire: Wire) -> None:
    await wire.initialize(MODERN)
    wire.open("other = 1\n", uri="file:///work/b.py")
    wire.open(TEXT)
    fill, comment = await actions(wire, 0, 2, 2)
    assert [action["data"]["do"] for action in (fill, comment)] == ["fill", "comment"]
    for chosen in (fill, comment):
        wire.engine.filler.asked = None
        assert (await wire.ask("codeAction/resolve", chosen))["edit"]
        asked = wire.engine.filler.asked
        assert asked is not None and asked.elsewhere == (b"other = 1\n",)
