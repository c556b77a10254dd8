"""Settings over the wire: options, pull, push, live change, problems shown once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.lsp_wire import WAIT_S, Wire, answer

TEXT = "def add(a, b):\n    return \n"


SCRIPT = [answer("a + b", before="return ")]


def shown(wire: Wire) -> list[str]:
    return [m["params"]["message"] for m in wire.sent if m.get("method") == "window/showMessage"]


async def answered_pull(wire: Wire, settings: Any) -> None:
    """Answer the next workspace/configuration request."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for message in wire.sent:
                if message.get("method") == "workspace/configuration" and "done" not in message:
                    message["done"] = True
                    assert message["params"] == {"items": [{"section": "diffill"}]}
                    wire.message({"id": message["id"], "result": [settings]})
                    return
            await asyncio.sleep(0)


async def settled(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)


async def test_initialization_options(wire: Wire) -> None:
    await wire.initialize(initializationOptions={"diffill": {"enable": False}})
    wire.open(TEXT)
    assert await wire.inline(1, 11) == []
    assert await wire.reason() == "disabled"


async def test_options_with_and_without_the_prefix_are_all_read(wire: Wire) -> None:
    options = {
        "diffill.inline.maxLines": 2,
        "inline": {"maxLine": 3, "maxLines": 4, "alternatives": 1},
        "enabel": True,
    }
    await wire.initialize(initializationOptions=options)
    await settled(lambda: shown(wire))
    inline = wire.server.session.settings.inline
    assert (inline.max_lines, inline.alternatives) == (2, 1)
    assert "diffill.inline.maxLine: unknown setting" in shown(wire)[0]
    assert "diffill.enabel: unknown setting" in shown(wire)[0]
    mixed = {"diffill": {"enable": False}, "languages": {"python": False}}
    wire.notify("workspace/didChangeConfiguration", {"settings": mixed})
    await wire.ask("diffill/status")
    settings = wire.server.session.settings
    assert not settings.enable and settings.serves("python"), "what is pushed may be another's"


async def test_problems_are_shown_with_their_path_and_only_once(wire: Wire) -> None:
    await wire.initialize(initializationOptions={"inline": {"maxLines": "many"}})
    await settled(lambda: shown(wire))
    for _ in range(2):
        wire.notify("workspace/didChangeConfiguration", {"settings": {"enable": True}})
    await wire.ask("diffill/status")
    assert len(shown(wire)) == 1
    assert "diffill.inline.maxLines: expected a whole number, got 'many'; using 8" in shown(wire)[0]
    status = await wire.ask("diffill/status")
    assert status["problems"] == [
        "diffill.inline.maxLines: expected a whole number, got 'many'; using 8"
    ]


async def test_settings_are_pulled_and_changes_are_live(wire: Wire) -> None:
    await wire.initialize({"workspace": {"configuration": True}})
    await answered_pull(wire, {"languages": {"python": False}})
    await settled(lambda: not wire.server.session.settings.serves("python"))
    wire.open(TEXT)
    assert await wire.inline(1, 11) == []
    assert await wire.reason() == "languageOff"
    wire.notify("workspace/didChangeConfiguration", {"settings": None})
    await answered_pull(wire, {"languages": {"python": True}})
    await settled(lambda: wire.server.session.settings.serves("python"))
    assert await wire.inline(1, 11) == ["    return a + b"]


async def test_a_client_that_refuses_the_pull_is_served_with_defaults(wire: Wire) -> None:
    await wire.initialize({"workspace": {"configuration": True}})
    await settled(lambda: [m for m in wire.sent if m.get("method") == "workspace/configuration"])
    (pull,) = [m for m in wire.sent if m.get("method") == "workspace/configuration"]
    wire.message({"id": pull["id"], "error": {"code": -32601, "message": "no"}})
    wire.open(TEXT)
    assert await wire.inline(1, 11) == ["    return a + b"]


async def test_no_question_waits_for_the_answer_to_another(wire: Wire) -> None:
    dynamic = {"dynamicRegistration": True}
    await wire.initialize(
        {
            "workspace": {
                "configuration": True,
                "didChangeConfiguration": dynamic,
                "didChangeWatchedFiles": dynamic,
            }
        }
    )

    def asked() -> list[str]:
        return [m["method"] for m in wire.sent if "method" in m]

    await settled(lambda: len(asked()) == 3)
    assert sorted(asked()) == [*["client/registerCapability"] * 2, "workspace/configuration"]


async def test_pushed_settings_lie_on_the_initialization_options(wire: Wire) -> None:
    await wire.initialize(initializationOptions={"inline": {"maxLines": 2, "alternatives": 1}})
    wire.notify(
        "workspace/didChangeConfiguration", {"settings": {"diffill": {"inline": {"maxLines": 5}}}}
    )
    await settled(lambda: wire.server.session.settings.inline.max_lines == 5)
    assert wire.server.session.settings.inline.alternatives == 1


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"languages": {"*": True}}, {"*": True}),
        ({"languages": {}}, {}),
        ({"languages": []}, {"*": True, "golang": False}),
        ({"inline": {"maxLines": 3}}, {"*": True, "golang": False}),
    ],
)
async def test_a_language_that_is_no_longer_named_is_as_if_it_had_never_been(
    wire: Wire, settings: Any, left: dict[str, bool]
) -> None:
    await wire.initialize(initializationOptions={"languages": {"*": True, "golang": False}})
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": settings}})
    status = await wire.ask("diffill/status")
    assert wire.server.session.settings.languages == left
    assert bool(status["problems"]) is ("golang" in left)


@pytest.mark.parametrize("settings", [None, [], {"inline": []}, {"inline": None}])
async def test_settings_that_nobody_has_set_leave_the_initialization_options(
    wire: Wire, settings: Any
) -> None:
    await wire.initialize(
        {"workspace": {"configuration": True}},
        initializationOptions={"inline": {"maxLines": 2}, "languages": []},
    )
    await answered_pull(wire, settings)
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": settings}})
    await wire.ask("diffill/status")
    assert wire.server.session.settings.inline.max_lines == 2
    assert shown(wire) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"pylsp": {"plugins": {}}, "gopls": {"usePlaceholders": True}},
        {"pylsp": {}, "languages": {"python": False}, "enable": False},
        {"editor.fontSize": 12, "inline.maxLines": 7},
    ],
)
async def test_settings_of_other_servers_only_are_not_ours(
    wire: Wire, settings: dict[str, Any]
) -> None:
    await wire.initialize(initializationOptions={"inline": {"maxLines": 2}})
    before = wire.server.session.settings
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert (await wire.ask("diffill/status"))["problems"] == []
    assert wire.server.session.settings == before and shown(wire) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"pylsp": {}, "diffill": {"inline": {"maxLines": 7}}},
        {"editor.fontSize": 12, "diffill.inline.maxLines": 7},
        {"inline": {"maxLines": 7}, "enable": True},
        {"inline.maxLines": 7},
    ],
)
async def test_ours_are_found_among_those_of_other_servers(
    wire: Wire, settings: dict[str, Any]
) -> None:
    await wire.initialize()
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert wire.server.session.settings.inline.max_lines == 7 and shown(wire) == []


async def test_who_pushes_other_servers_settings_is_asked_for_ours(wire: Wire) -> None:
    await wire.initialize({"workspace": {"configuration": True}})
    await answered_pull(wire, {"enable": True})
    wire.notify("workspace/didChangeConfiguration", {"settings": {"pylsp": {"plugins": {}}}})
    await answered_pull(wire, {"enable": False})
    await settled(lambda: not wire.server.session.settings.enable)


def pulls(wire: Wire) -> list[Any]:
    return [m["id"] for m in wire.sent if m.get("method") == "workspace/configuration"]


async def test_of_answers_that_overtake_each_other_the_newest_counts(wire: Wire) -> None:
    await wire.initialize({"workspace": {"configuration": True}})
    session = wire.server.session
    await settled(lambda: len(pulls(wire)) == 1)
    wire.notify("workspace/didChangeConfiguration", {"settings": None})
    await settled(lambda: len(pulls(wire)) == 2)
    older, newer = pulls(wire)
    wire.message({"id": newer, "result": [{"inline": {"maxLines": 2}}]})
    wire.message({"id": older, "result": [{"inline": {"maxLines": 3}}]})
    await settled(lambda: session.pulling is not None and session.pulling.done())
    assert session.settings.inline.max_lines == 2


async def test_questions_that_are_never_answered_do_not_pile_up(wire: Wire) -> None:
    await wire.initialize({"workspace": {"configuration": True}})
    await settled(lambda: len(pulls(wire)) == 1)
    for number in range(2, 6):
        wire.notify("workspace/didChangeConfiguration", {"settings": None})
        await settled(lambda number=number: len(pulls(wire)) == number)
    await wire.ask("diffill/status")
    protocol = wire.server.protocol
    assert [n for n in pulls(wire) if n in protocol._request_futures] == pulls(wire)[-1:]
    assert [n for n in pulls(wire) if n in protocol._result_types] == pulls(wire)[-1:]
    for number in pulls(wire):
        wire.message({"id": number, "result": [{"inline": {"maxLines": 2}}]})
    await settled(lambda: wire.server.session.settings.inline.max_lines == 2)


@pytest.mark.parametrize(
    ("answered", "most"),
    [
        ({"enable": True, "inline.maxLines": 7}, 7),
        ({"diffill": {"inline": {"maxLines": 7}}}, 7),
        ([{"inline": {"maxLines": 7}}, {"x": 1}], 7),
        ([], 2), (None, 2), ("abc", 2), (5, 2), (False, 2),
    ],
)  # fmt: skip
async def test_an_answer_may_be_the_section_itself(
    wire: Wire, caplog: pytest.LogCaptureFixture, answered: Any, most: int
) -> None:
    client = {"workspace": {"configuration": True}}
    await wire.initialize(client, initializationOptions={"inline": {"maxLines": 2}})
    await settled(lambda: pulls(wire))
    wire.message({"id": pulls(wire)[0], "result": answered})
    session = wire.server.session
    await settled(lambda: session.pulling is not None and session.pulling.done())
    assert session.settings.inline.max_lines == most and shown(wire) == []
    said = [r.message for r in caplog.records if "not a list" in r.message]
    assert len(said) == (answered in ("abc", 5, False))


async def test_another_model_is_loaded_for_the_next_request(wire: Wire) -> None:
    await wire.initialize()
    wire.notify(
        "workspace/didChangeConfiguration",
        {"settings": {"model": {"path": "/m"}, "performance": {"threads": 2, "device": "cuda"}}},
    )
    await settled(lambda: wire.server.session.settings.model.path == "/m")
    config = wire.engine._config
    assert (config.model_path, config.threads, config.device) == ("/m", 2, "cuda")
    assert config.adapter == ""


async def test_registration_is_asked_of_clients_that_can(wire: Wire) -> None:
    await wire.initialize({"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}})
    await settled(lambda: [m for m in wire.sent if m.get("method") == "client/registerCapability"])
    (request,) = [m for m in wire.sent if m.get("method") == "client/registerCapability"]
    (registration,) = request["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeConfiguration"


async def test_loading_shows_progress_to_clients_that_draw_it(wire: Wire) -> None:
    await wire.initialize({"window": {"workDoneProgress": True}})
    wire.open(TEXT)
    await settled(
        lambda: [m for m in wire.sent if m.get("method") == "window/workDoneProgress/create"]
    )
    (create,) = [m for m in wire.sent if m.get("method") == "window/workDoneProgress/create"]
    wire.message({"id": create["id"], "result": None})

    def kinds() -> list[str]:
        return [m["params"]["value"]["kind"] for m in wire.sent if m.get("method") == "$/progress"]

    await settled(lambda: kinds() == ["begin", "end"])
    assert wire.server.work_done_progress.tokens == {}


async def test_opening_a_served_document_loads_the_model_ahead(wire: Wire) -> None:
    await wire.initialize()
    wire.open("x", uri="file:///notes.txt", language="plaintext")
    assert wire.engine._thread is None
    wire.open(TEXT)
    assert wire.engine._thread is not None


def pushed(wire: Wire) -> list[dict[str, Any]]:
    return [m["params"] for m in wire.sent if m.get("method") == "diffill/statusDidChange"]


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"enable": False}, "kind", "Inactive"),
        ({"inline": {"maxLines": "x"}}, "problems", [
            "diffill.inline.maxLines: expected a whole number, got 'x'; using 8"]),
    ],
)  # fmt: skip
async def test_a_status_bar_is_told_of_settings(
    wire: Wire, settings: dict[str, Any], key: str, value: Any
) -> None:
    await wire.initialize({"experimental": {"diffillStatus": True}})
    wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    (told,) = pushed(wire)
    assert told[key] == value
    wire.notify("workspace/didChangeConfiguration", {"settings": {"enable": True}})
    assert pushed(wire)[-1]["kind"] == "Normal" and pushed(wire)[-1]["problems"] == []


@pytest.mark.parametrize("at_the_start", [True, False])
async def test_an_adapter_that_is_not_there_is_shown(wire: Wire, at_the_start: bool) -> None:
    settings = {"model": {"adapter": "/nowhere/adapter"}}
    client = {"experimental": {"diffillStatus": True}}
    await wire.initialize(client, initializationOptions=settings if at_the_start else {})
    for _ in range(2):
        wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    (said,) = shown(wire)
    assert "diffill.model.adapter: /nowhere/adapter" in said
    status = pushed(wire)[-1]
    assert status["adapter"] is None and "/nowhere/adapter" in status["adapterProblem"]
    assert status["problems"] == [said.removeprefix("Diffill settings: ")]
    wire.notify("workspace/didChangeConfiguration", {"settings": {"model": {"adapter": "none"}}})
    assert pushed(wire)[-1]["problems"] == []
    assert len(shown(wire)) == 1
