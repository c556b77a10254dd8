"""Answers that need no model, through the whole server: while typing, and only if they survive."""

from __future__ import annotations

import pytest

from tests.support.lsp_wire import Wire, answer

SCRIPT = (
    answer("known", at_once=True, before="seen = "),
    answer("thought", before="seen = "),
    answer("\n\n", at_once=True, before="blank = "),
    answer("filled", before="blank = "),
)


@pytest.mark.parametrize(
    ("line", "automatic", "offered", "asked"),
    [
        ("seen = ", True, "known", 1),
        ("seen = ", False, "thought", 1),
        ("blank = ", True, "filled", 2),  # what is known is filtered away, so the model is asked
    ],
)
async def test_while_typing_what_is_known_may_be_the_answer(
    wire: Wire, line: str, automatic: bool, offered: str, asked: int
) -> None:
    await wire.initialize()
    wire.open(f"{line}\n")
    items = await wire.inline(0, len(line), automatic=automatic)
    assert items == [line + offered]
    assert wire.engine.filler.requests == asked
    explained = await wire.ask("diffill/explainLast")
    assert explained["atOnce"] is (offered == "known")
    assert explained["steps"] == (0 if offered == "known" else 1)
    pace = wire.server.session.pace
    assert (pace._answer_ms is None) is (offered == "known"), "how fast the model is, it says not"


async def test_who_asks_by_key_after_it_gets_the_model(wire: Wire) -> None:
    await wire.initialize()
    wire.open("seen = \n")
    assert await wire.inline(0, 7, automatic=True) == ["seen = known"]
    assert await wire.inline(0, 7, automatic=True) == ["seen = known"]
    assert wire.engine.filler.requests == 1, "the second is remembered"
    assert await wire.inline(0, 7, automatic=False) == ["seen = thought"]
    assert wire.engine.filler.requests == 2


@pytest.mark.parametrize("automatic", [True, False])
async def test_who_types_is_answered_in_haste(wire: Wire, automatic: bool) -> None:
    await wire.initialize()
    wire.open("blank = \n")
    await wire.inline(0, 8, automatic=automatic)
    asked = wire.engine.filler.asked
    assert asked is not None and asked.in_haste is automatic
