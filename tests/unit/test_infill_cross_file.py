"""Other files on their way through the facade, with a tiny model of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.cancel import CancelToken
from diffusion.infill import Infiller, InfillRequest
from diffusion.process.copying import CopyWeights
from diffusion.ranking import Ranking
from diffusion.text.cross_file import CrossFile

DOCUMENT = "import shop\n\ndef sell(cart):\n    shop.checkout(\n    return cart\n"
AT = DOCUMENT.index("checkout(") + len("checkout(")
SHOP = CrossFile((b"def checkout(cart, payment):\n",), (b"x = shop.checkout(cart, cash)\n",))
TRUSTS_VOTES = CopyWeights(((0.999,) * 3,) * 6)


@pytest.fixture
def infiller(tiny_model_dir: Path) -> Infiller:
    found = Infiller.load(tiny_model_dir, threads=1)
    found.copy_weights = CopyWeights()
    return found


def asked(**known: object) -> InfillRequest:
    return replace(InfillRequest(DOCUMENT, AT, "python", alternatives=20), **known)  # type: ignore[arg-type]


def test_what_is_imported_is_quoted(infiller: Infiller) -> None:
    infiller.ranking = Ranking({"quoted": 5.0}, calibrated=True, quotes=4)
    alone = {c.text for c in infiller.infill(asked()).candidates if c.quoted}
    found = {c.text for c in infiller.infill(asked(cross_file=SHOP)).candidates if c.quoted}
    assert not any("payment" in text or "cash" in text for text in alone)
    assert any(text.startswith("cart, payment") for text in found)
    assert any(text.startswith("cart, cash") for text in found)


def test_other_files_vote(infiller: Infiller) -> None:
    infiller.copy_weights = TRUSTS_VOTES
    alone = infiller.infill(asked()).candidates
    found = infiller.infill(asked(cross_file=SHOP)).candidates
    assert not any(c.text.startswith("cart, cash") for c in alone)
    assert any(c.text.startswith("cart, cash") for c in found)


def test_nobody_votes_where_the_ranking_was_fitted_without(infiller: Infiller) -> None:
    alone = infiller.infill(asked()).candidates
    infiller.copy_weights = TRUSTS_VOTES
    infiller.ranking = replace(infiller.ranking, votes=False)
    found = infiller.infill(asked(cross_file=SHOP)).candidates
    assert [c.text for c in found if not c.quoted] == [c.text for c in alone if not c.quoted]


def test_the_context_is_encoded_once_whatever_other_files_say(infiller: Infiller) -> None:
    infiller.copy_weights = TRUSTS_VOTES
    assert not infiller.infill(asked()).context_cached
    assert infiller.infill(asked(cross_file=SHOP)).context_cached
    typed = DOCUMENT[:AT] + "ca" + DOCUMENT[AT:]
    assert infiller.infill(asked(text=typed, cursor=AT + 2, cross_file=SHOP)).context_cached
    assert len(infiller.contexts) == 1


def test_votes_are_made_ready_ahead_and_found_again(infiller: Infiller) -> None:
    infiller.copy_weights = TRUSTS_VOTES
    request = asked(cross_file=SHOP)
    infiller.encode_ahead(request, CancelToken())
    made = infiller.contexts.indexes
    assert made == 2, "one of the document, one of other files"
    infiller.infill(request)
    assert infiller.contexts.indexes == made


def test_off_is_as_before(infiller: Infiller) -> None:
    infiller.copy_weights = TRUSTS_VOTES
    infiller.ranking = Ranking({"quoted": 5.0}, calibrated=True, quotes=4)
    texts = [c.text for c in infiller.infill(asked()).candidates]
    infiller.infill(asked(cross_file=SHOP))
    assert [c.text for c in infiller.infill(asked()).candidates] == texts
