"""Several holes in one loop: who moves, who sees what, and that drafts stay apart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from diffusion.cancel import Cancelled, CancelToken
from diffusion.process.canvas_state import CanvasState
from diffusion.process.copying import CopyWeights
from diffusion.process.joint import JointOrder, sample_jointly
from diffusion.process.joint_copying import JointCopying
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import LeftmostFirst
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import byte_id, byte_ids, byte_vocabulary, spelled

VOCABULARY = byte_vocabulary()
A, B, C = (byte_id(letter) for letter in "abc")
ONE_SLOT = SamplerConfig(order=LeftmostFirst(max_extra=0))


class Agreeing:
    """Hole 0 wants `a`, hole 1 slightly less `b`; a hole that sees the other says what it says."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[list[int]], list[int], list[int]]] = []

    def __call__(
        self,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
        holes_B: torch.Tensor,
        drafts_B: torch.Tensor,
        /,
    ) -> torch.Tensor:
        rows = [r[:n] for r, n in zip(ids_BN.tolist(), lengths_B.tolist(), strict=True)]
        holes, drafts = holes_B.tolist(), drafts_B.tolist()
        self.calls.append((rows, holes, drafts))
        logits = []
        for b, _ in wanted_BN.nonzero().tolist():
            seen = [
                token
                for row, hole, draft in zip(rows, holes, drafts, strict=True)
                if draft == drafts[b] and hole != holes[b]
                for token in row
                if token not in (MASK, DEL)
            ]
            token, p = (seen[0], 0.99) if seen else ((A, 0.6) if holes[b] == 0 else (B, 0.5))
            row = torch.full((VOCABULARY.size,), math.log((1 - p) / VOCABULARY.size))
            row[token] = math.log(p)
            logits.append(row)
        return torch.stack(logits)


def slots(count: int) -> CanvasState:
    return CanvasState((MASK,) * count, ends_early=False)


def texts(results: list[tuple[object, ...]]) -> list[list[bytes]]:
    return [[spelled(r.ids, VOCABULARY) for r in draft] for draft in results]  # type: ignore[attr-defined]


def test_the_surest_hole_goes_first_and_the_other_sees_it() -> None:
    model = Agreeing()
    results = sample_jointly(model, [[slots(1), slots(1)]], ONE_SLOT, vocabulary=VOCABULARY)
    assert texts(results) == [[b"a", b"a"]]
    assert len(model.calls) == 2
    assert [B] not in model.calls[1][0] and [A] in model.calls[1][0], "a finished one comes along"


def test_holes_that_move_at_once_do_not_see_each_other() -> None:
    model = Agreeing()
    order = JointOrder(together_p=0.0)
    results = sample_jointly(
        model, [[slots(1), slots(1)]], ONE_SLOT, vocabulary=VOCABULARY, order=order
    )
    assert texts(results) == [[b"a", b"b"]] and len(model.calls) == 1


def test_drafts_do_not_see_each_other() -> None:
    filled = CanvasState((C,))
    drafts = [[slots(1), filled], [slots(1), slots(1)]]
    results = sample_jointly(Agreeing(), drafts, ONE_SLOT, vocabulary=VOCABULARY)
    assert texts(results) == [[b"c", b"c"], [b"a", b"a"]]


def test_pins_never_change_and_a_cancel_stops_it() -> None:
    canvas = CanvasState((*byte_ids("x("), MASK, *byte_ids(")")), (True, True, False, True))
    [[done, _]] = sample_jointly(Agreeing(), [[canvas, slots(1)]], ONE_SLOT, vocabulary=VOCABULARY)
    assert done.ids[:2] + done.ids[3:] == byte_ids("x()")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        sample_jointly(Agreeing(), [[slots(1)]], ONE_SLOT, vocabulary=VOCABULARY, cancel=token)


@pytest.mark.parametrize("race_nats", [None, 0.1])
def test_a_draft_with_a_hole_that_cannot_be_spelled_is_given_up_whole(
    race_nats: float | None,
) -> None:
    model, config = Agreeing(), replace(ONE_SLOT, race_nats=race_nats)
    hopeless = CanvasState((MASK,), constraint=b"\xff\xff", ends_early=False)
    drafts = [[hopeless, slots(1)], [slots(1), slots(1)]]
    impossible, fine = sample_jointly(model, drafts, config, vocabulary=VOCABULARY)
    assert not impossible[0].constraint_met and impossible[1].reason == "outrun"
    assert all(seen == [1, 1] for _, _, seen in model.calls)
    assert all(result.finished for result in fine), "what was given up has won no race"


def test_what_one_hole_says_votes_in_another() -> None:
    """Hole 0 says `xy`; before hole 1's slot stands `x`, so the document of the draft says `y`."""

    def uniform(ids: torch.Tensor, lengths: torch.Tensor, wanted: torch.Tensor,
                holes: torch.Tensor, drafts: torch.Tensor, /) -> torch.Tensor:  # fmt: skip
        return torch.zeros(int(wanted.sum()), VOCABULARY.size)

    weights = CopyWeights(((0.8,) * 3,) * 6)
    copying = JointCopying(uniform, [byte_ids("p"), byte_ids("q"), ()], weights, frozenset())
    x, y = byte_ids("xy")
    ids = torch.tensor([[x, y], [x, MASK], [MASK, MASK], [x, MASK]])
    wanted = torch.tensor([[False, False], [False, True], [False, False], [False, True]])
    holes, drafts = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1])
    log_p_MV = copying(ids, torch.tensor([2, 2, 2, 2]), wanted, holes, drafts)
    assert int(log_p_MV[0].argmax()) == y
    assert float(log_p_MV[1].max() - log_p_MV[1].min()) < 1e-6, "another draft says nothing"
    assert log_p_MV.exp().sum(-1).allclose(torch.ones(2))
