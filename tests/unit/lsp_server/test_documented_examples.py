"""Every example of docs/lsp-extensions.md is replayed against the server with a scripted engine.

An example is a JSON block with `document`, `engine` (the texts that the scripted engine offers),
`method`, `params` and `result`. Where the params name a `partialResultToken`, it also has `steps`,
which the scripted engine takes, and `progress`, the values that come before the result.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_wire import WAIT_S, Wire, answer, scripted

PAGE = Path(__file__).parents[3] / "docs" / "lsp-extensions.md"
BLOCKS = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.S)
]
EXAMPLES = [block for block in BLOCKS if "method" in block]
GENERATING = (
    "diffill/rewrite", "diffill/fill", "diffill/bridge", "diffill/fromComment",
    "diffill/alternatives",
)  # fmt: skip


def test_every_method_that_writes_has_an_example() -> None:
    assert set(GENERATING) <= {example["method"] for example in EXAMPLES}


def test_drafts_have_an_example() -> None:
    assert any("partialResultToken" in example["params"] for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["method"])
async def test_an_example_is_as_documented(example: dict[str, Any]) -> None:
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
