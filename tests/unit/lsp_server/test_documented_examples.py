"""The examples of docs/lsp-extensions.md are those of `tests/wire/`, which the tests replay.

Those whose params name a `partialResultToken` are the server's alone and are replayed here: they
have `steps`, which the scripted engine takes, and `progress`, the values before the result.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_wire import WAIT_S, Wire, answer, scripted
from tests.support.wire_fixtures import fixtures

PAGE = Path(__file__).parents[3] / "docs" / "lsp-extensions.md"
BLOCKS = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.S)
]
EXAMPLES = [block for block in BLOCKS if "method" in block]
WITH_DRAFTS = [example for example in EXAMPLES if "partialResultToken" in example["params"]]
SHARED = [example for example in EXAMPLES if example not in WITH_DRAFTS]
GENERATING = (
    "diffill/rewrite", "diffill/fill", "diffill/bridge", "diffill/fromComment",
    "diffill/alternatives", "diffill/confidence",
)  # fmt: skip


def test_every_method_that_writes_has_an_example() -> None:
    assert set(GENERATING) <= {example["method"] for example in EXAMPLES}


def test_drafts_have_an_example() -> None:
    assert WITH_DRAFTS


@pytest.mark.parametrize("example", SHARED, ids=lambda example: example["method"])
def test_an_example_is_the_one_that_is_replayed(example: dict[str, Any]) -> None:
    assert example == fixtures()[example["method"]]


@pytest.mark.parametrize("example", WITH_DRAFTS, ids=lambda example: example["method"])
async def test_drafts_come_as_documented(example: dict[str, Any]) -> None:
    wire = Wire(scripted([answer(*example["engine"], steps=example.get("steps", 1))]))
    wire.server.session.draft_interval_s = 0
    await wire.initialize()
    wire.open(example["document"], uri=example["params"]["textDocument"]["uri"])
    assert await wire.ask(example["method"], example["params"]) == example["result"]
    token = example["params"].get("partialResultToken")
    told = [m["params"] for m in wire.sent if m.get("method") == "$/progress"]
    assert told == [{"token": token, "value": value} for value in example.get("progress", ())]
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)
