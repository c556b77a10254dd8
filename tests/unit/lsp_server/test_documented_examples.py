"""The examples of docs/lsp-extensions.md are those of `tests/wire/`, which the tests replay."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.wire_fixtures import fixtures

PAGE = Path(__file__).parents[3] / "docs" / "lsp-extensions.md"
BLOCKS = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.S)
]
EXAMPLES = {block["method"]: block for block in BLOCKS if "method" in block}
GENERATING = (
    "diffill/rewrite", "diffill/fill", "diffill/bridge", "diffill/fromComment",
    "diffill/alternatives", "diffill/confidence",
)  # fmt: skip


def test_every_method_that_writes_has_an_example() -> None:
    assert set(GENERATING) <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
def test_an_example_is_the_one_that_is_replayed(example: dict[str, Any]) -> None:
    assert example == fixtures()[example["method"]]
