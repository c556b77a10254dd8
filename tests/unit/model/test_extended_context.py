"""A context that is read on from: where its tokens end up, and what the new ones see."""

from __future__ import annotations

import pytest
import torch

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import ModelError, PositionError
from diffusion.model.context_cache import ContextCache
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.model.extended_context import ExtendPass, Opened
from diffusion.model.lean_denoiser import LeanDenoiser
from tests.unit.model.conftest import START, VOCAB, Case, random_model
from tests.unit.model.test_kept_slots import ATOL, lean

BEFORE, ABOVE, BELOW, BEHIND, GAP = 7, 4, 3, 9, 64
IDS = [9 + 7 * n % (VOCAB - 9) for n in range(BEFORE + ABOVE + BELOW + BEHIND)]
FAR = IDS[:BEFORE] + IDS[-BEHIND:]


def row(values: list[int]) -> torch.Tensor:
    return torch.tensor([values])


def far(denoiser: LeanDenoiser) -> ContextCache:
    positions = [*range(BEFORE), *range(BEFORE + GAP, BEFORE + GAP + BEHIND)]
    return denoiser.encode_context(row(FAR), row(positions))


def extended(denoiser: LeanDenoiser, near: list[int] | None = None) -> ContextCache:
    near = IDS[BEFORE:-BEHIND] if near is None else near
    hole = BEFORE + ABOVE
    positions = [*range(BEFORE, hole), *range(hole + GAP, hole + GAP + BELOW)]
    opened = Opened(BEFORE, BEFORE, ABOVE + BELOW)
    return denoiser.extend_context(far(denoiser), opened, row(near), row(positions))


def whole(denoiser: LeanDenoiser) -> ContextCache:
    hole = BEFORE + ABOVE
    positions = [*range(hole), *range(hole + GAP, hole + GAP + BELOW + BEHIND)]
    return denoiser.encode_context(row(IDS), row(positions))


def logits(denoiser: LeanDenoiser, cache: ContextCache, case: Case) -> torch.Tensor:
    bound = denoiser.bind(cache, BEFORE + ABOVE)
    return bound(case.ids_BN, case.lengths_B, case.valid_BN)


@pytest.mark.parametrize("mode", list(ATOL))
def test_with_one_layer_it_is_the_whole_context(mode: str, case: Case) -> None:
    """Keys and values depend on their token alone then, so all that is left is bookkeeping."""
    denoiser = lean(1, mode)
    torch.testing.assert_close(
        logits(denoiser, extended(denoiser), case),
        logits(denoiser, whole(denoiser), case),
        atol=ATOL[mode], rtol=0.0,
    )  # fmt: skip


def test_tokens_that_are_read_again_take_the_place_of_those_that_were_there(case: Case) -> None:
    """The first two behind the hole here; with one layer it is the whole context once more."""
    denoiser, again = lean(1), 2
    hole = BEFORE + ABOVE
    ids = IDS[BEFORE : len(IDS) - BEHIND + again]
    at = hole + GAP
    positions = [*range(BEFORE, hole), *range(at, at + BELOW + again)]
    cache = denoiser.extend_context(
        far(denoiser), Opened(BEFORE, BEFORE + again, ABOVE + BELOW), row(ids), row(positions)
    )
    assert cache.tokens == len(IDS)
    torch.testing.assert_close(
        logits(denoiser, cache, case), logits(denoiser, whole(denoiser), case), atol=1e-4, rtol=0.0
    )


def test_positions_are_those_of_the_whole_context() -> None:
    denoiser = lean(1)
    got = extended(denoiser).positions_1C
    assert sorted(got[0].tolist()) == whole(denoiser).positions_1C[0].tolist()


def test_what_was_there_knows_nothing_of_what_is_read() -> None:
    denoiser = lean(3)
    one, other = extended(denoiser), extended(denoiser, [11, 12, 13, 14, 15, 16, 17])
    for a, b, c in zip(one.layers, other.layers, far(denoiser).layers, strict=True):
        assert torch.equal(a.value_1HCD[:, :, : len(FAR)], c.value_1HCD)
        assert torch.equal(b.value_1HCD[:, :, : len(FAR)], c.value_1HCD)
        assert torch.equal(a.key_1HCD[:, :, :BEFORE], c.key_1HCD[:, :, :BEFORE])
        assert not torch.equal(a.value_1HCD[:, :, len(FAR) :], b.value_1HCD[:, :, len(FAR) :])


def test_what_is_read_sees_all_of_it() -> None:
    """Beside a context that is opened at its end, only tokens that see it can know it."""
    denoiser = lean(3)
    cache = far(denoiser)
    changed = denoiser.encode_context(row([*FAR[:-1], FAR[-1] + 1]), cache.positions_1C)
    near, at = row([9, 10]), row([BEFORE, BEFORE + 1])
    opened = Opened(BEFORE + BEHIND, BEFORE + BEHIND, 0)
    for number, (a, b) in enumerate(
        zip(
            denoiser.extend_context(cache, opened, near, at).layers,
            denoiser.extend_context(changed, opened, near, at).layers,
            strict=True,
        )
    ):
        same = torch.equal(a.value_1HCD[:, :, -2:], b.value_1HCD[:, :, -2:])
        assert same == (number == 0), "from the second layer on, they have looked around"


def test_the_context_stays_as_it_is() -> None:
    denoiser = lean(2)
    cache = far(denoiser)
    copies = [(layer.key_1HCD.clone(), layer.value_1HCD.clone()) for layer in cache.layers]
    denoiser.extend_context(cache, Opened(BEFORE, BEFORE, 5), row([9, 10]), row([7, 8]))
    for layer, (key, value) in zip(cache.layers, copies, strict=True):
        assert torch.equal(layer.key_1HCD, key) and torch.equal(layer.value_1HCD, value)


@pytest.mark.parametrize(
    ("opened", "ids", "positions", "says"),
    [
        (Opened(8, 7, 0), [9], [7], "cannot be opened between 8 and 7"),
        (Opened(7, 17, 0), [9], [7], "a context of 16 tokens"),
        (Opened(7, 7, 0), [], [], "nothing is to be read"),
        (Opened(7, 7, 0), [9, 10], [7], "one row of ids"),
    ],
)
def test_what_makes_no_sense_is_refused(
    opened: Opened, ids: list[int], positions: list[int], says: str
) -> None:
    denoiser = lean(1)
    with pytest.raises(ModelError, match=says):
        denoiser.extend_context(
            far(denoiser), opened, row(ids).long(), row(positions).long()
        )  # fmt: skip


def test_positions_that_the_encoder_has_not_are_refused() -> None:
    denoiser = lean(1)
    limit = denoiser.positions.limit
    assert limit is not None
    with pytest.raises(PositionError, match="is needed"):
        denoiser.extend_context(far(denoiser), Opened(7, 7, limit), row([9]), row([7]))


def test_it_is_given_up_between_layers() -> None:
    denoiser = lean(2)
    token = CancelToken()
    token.cancel("superseded")
    with pytest.raises(Cancelled, match="superseded"):
        denoiser.extend_context(far(denoiser), Opened(7, 7, 1), row([9]), row([7]), token)


def test_learned_positions_are_not_read_on_from(case: Case) -> None:
    denoiser = MaskedLMDenoiser(random_model("bert"))
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    assert not denoiser.extends
    with pytest.raises(ModelError, match="no key can be moved"):
        denoiser.extend_context(cache, Opened(0, 0, 1), row([9]), row([START]))


@pytest.mark.parametrize("read", [0, 1])
def test_a_model_that_reads_too_few_layers_makes_no_context(read: int) -> None:
    cache = far(lean(2))
    reading = ExtendPass(cache, Opened(BEFORE, BEFORE, 1), lambda keys, moved: keys)
    for layer in cache.layers[:read]:
        reading.keep(layer.key_1HCD[:, :, :1], layer.value_1HCD[:, :, :1])
    with pytest.raises(ModelError, match=rf"read {read} of the context's 2 layers.*encode"):
        reading.finish(row([BEFORE]))
