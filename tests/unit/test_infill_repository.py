"""A repository's lines on their way through the facade, with a tiny model of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.infill import Infiller, InfillRequest
from diffusion.ranking import Ranking
from diffusion.text.line_index import LineIndex

DOCUMENT = "import shop\n\ndef sell(cart):\n    shop.checkout(\n    return cart\n"
AT = DOCUMENT.index("checkout(") + len("checkout(")
SHOP = LineIndex.of([("shop.py", b"x = shop.checkout(cart, cash)\n"), ("b.py", b"checkout(by)\n")])


@pytest.fixture
def infiller(tiny_model_dir: Path) -> Infiller:
    found = Infiller.load(tiny_model_dir, threads=1)
    found.ranking = Ranking({"quoted": 5.0}, calibrated=True, quotes=4)
    return found


def quoted(infiller: Infiller, repository: LineIndex | None, **known: object) -> list[str]:
    request = InfillRequest(DOCUMENT, AT, "python", alternatives=20, repository=repository)
    result = infiller.infill(replace(request, **known))  # type: ignore[arg-type]
    return [candidate.text for candidate in result.candidates if candidate.quoted]


def test_what_other_files_say_is_quoted(infiller: Infiller) -> None:
    assert not any("cash" in text or "by" in text for text in quoted(infiller, None))
    found = quoted(infiller, SHOP)
    assert any(text.startswith("cart, cash") for text in found)
    assert any(text.startswith("by") for text in found)
    assert not any("cash" in text for text in quoted(infiller, SHOP.without({"shop.py"})))


def test_the_context_is_encoded_once_whatever_other_files_say(infiller: Infiller) -> None:
    quoted(infiller, None)
    quoted(infiller, SHOP)
    quoted(infiller, SHOP, text=DOCUMENT[:AT] + "ca" + DOCUMENT[AT:], cursor=AT + 2)
    assert len(infiller.contexts) == 1


def test_without_quotes_nothing_is_looked_for(infiller: Infiller) -> None:
    infiller.ranking = Ranking(calibrated=True)
    assert quoted(infiller, SHOP) == []
