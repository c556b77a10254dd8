"""Every example of docs/lsp-extensions.md is replayed against the server with a scripted engine.

An example is a JSON block with `document`, `engine` (the texts that the scripted engine offers),
`method`, `params` and `result`.
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
EXAMPLES = {block["method"]: block for block in BLOCKS if "method" in block}
GENERATING = (
    "diffill/rewrite", "diffill/fill", "diffill/bridge", "diffill/fromComment",
    "diffill/alternatives",
)  # fmt: skip


def test_every_method_that_writes_has_an_example() -> None:
    assert set(GENERATING) <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
async def test_an_example_is_as_documented(example: dict[str, Any]) -> None:
    wire = Wire(scripted([answer(*example["engine"])]))
    await wire.initialize()
    wire.open(example["document"], uri=example["params"]["textDocument"]["uri"])
    assert await wire.ask(example["method"], example["params"]) == example["result"]
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)
