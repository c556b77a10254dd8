"""Votes of the document: what it proposes, when it says that the hole ends, how it is mixed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import ConfigError
from diffusion.process.copying import (
    LONGEST_MATCH,
    CopyIndex,
    CopyingDenoiser,
    CopyWeights,
    Votes,
)
from diffusion.text.tokenizer import DEL, MASK

NEWLINE = 100
A, B, C, D, E = range(101, 106)
VOCAB = 128
HALF = CopyWeights(((0.5,) * 3,) * 6)


def votes(index: CopyIndex, *history: int) -> Votes | None:
    return index.votes(history, line_ends=frozenset({NEWLINE}))


def test_what_followed_elsewhere_is_proposed() -> None:
    found = votes(CopyIndex([[A, B, C]]), E, A)
    assert found == Votes((B,), (1.0,), longest=1)


def test_a_longer_match_counts_more() -> None:
    found = votes(CopyIndex([[D, A, B], [E, A, C]]), E, A)
    assert found is not None and found.longest == 2
    assert found.share_of(C) == pytest.approx(0.8) and found.share_of(B) == pytest.approx(0.2)


def test_unknown_text_has_no_votes() -> None:
    index = CopyIndex([[A, B]])
    assert votes(index) is None
    assert votes(index, C) is None
    assert votes(index, B) is None, "nothing follows the last token of a stretch"


def test_stretches_do_not_run_into_each_other() -> None:
    assert votes(CopyIndex([[A], [B]]), A) is None


def test_the_hole_ends_where_the_text_after_it_follows() -> None:
    index = CopyIndex([[A, B, C, D]], ending=[C, D, E])
    assert votes(index, B) == Votes((DEL,), (1.0,), longest=1)
    one_alike = CopyIndex([[A, B, C, A]], ending=[C, D])
    assert votes(one_alike, B) == Votes((C,), (1.0,), longest=1)


def test_a_line_end_before_the_same_line_end_may_end_the_hole() -> None:
    found = votes(CopyIndex([[A, NEWLINE, B]], ending=[NEWLINE, C]), A)
    assert found is not None
    assert found.share_of(DEL) == pytest.approx(0.7)
    assert found.share_of(NEWLINE) == pytest.approx(0.3)


@given(
    st.lists(st.integers(100, 104), max_size=40),
    st.lists(st.integers(100, 104), max_size=6),
    st.lists(st.integers(100, 104), max_size=3),
)
def test_shares_sum_to_one_and_name_what_is_there(
    text: list[int], history: list[int], ending: list[int]
) -> None:
    found = votes(CopyIndex([text], ending), *history)
    if found is not None:
        assert sum(found.shares) == pytest.approx(1.0)
        assert set(found.tokens) <= {*text, DEL}
        assert found.bucket[0] in range(6) and found.bucket[1] in range(3)


def uniform(ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor) -> torch.Tensor:
    """A model without an opinion."""
    return torch.zeros(int(wanted_BN.sum()), VOCAB)


def p_of_slots(denoise: CopyingDenoiser, canvas: list[int]) -> torch.Tensor:
    ids_BN = torch.tensor([canvas])
    wanted_BN = ids_BN == MASK
    return denoise(ids_BN, torch.tensor([len(canvas)]), wanted_BN).exp()


def test_the_mixture_is_a_distribution_and_only_slots_with_a_known_neighbour_change() -> None:
    index = CopyIndex([[A, B, C]])
    denoise = CopyingDenoiser(uniform, index, HALF, before=(), line_ends=frozenset())
    p_SV = p_of_slots(denoise, [A, MASK, MASK])
    torch.testing.assert_close(p_SV.sum(-1), torch.ones(2))
    assert float(p_SV[0, B]) == pytest.approx(0.5 + 0.5 / VOCAB)
    torch.testing.assert_close(p_SV[1], torch.full((VOCAB,), 1 / VOCAB))


def test_a_copied_token_that_is_certain_lets_the_next_be_copied_in_the_same_step() -> None:
    sure = CopyWeights(((0.98,) * 3,) * 6)
    denoise = CopyingDenoiser(uniform, CopyIndex([[A, B, C, D]]), sure, (), frozenset())
    p_SV = p_of_slots(denoise, [A, MASK, MASK, MASK])
    assert [int(p_V.argmax()) for p_V in p_SV] == [B, C, D]
    torch.testing.assert_close(p_SV.sum(-1), torch.ones(3))
    alone = p_of_slots(denoise, [A, B, MASK])[0]
    torch.testing.assert_close(p_SV[1], alone)


def test_behind_the_end_of_the_hole_nothing_is_settled() -> None:
    sure = CopyWeights(((0.98,) * 3,) * 6)
    index = CopyIndex([[A, B, C, D]], ending=[B, C])
    denoise = CopyingDenoiser(uniform, index, sure, (), frozenset())
    p_SV = p_of_slots(denoise, [A, MASK, MASK])
    assert int(p_SV[0].argmax()) == DEL
    torch.testing.assert_close(p_SV[1], torch.full((VOCAB,), 1 / VOCAB))


@pytest.mark.parametrize("before", [(D,), (E,) * LONGEST_MATCH + (D,)])
def test_history_reaches_back_into_the_context(before: tuple[int, ...]) -> None:
    index = CopyIndex([[D, A, B], [E, A, C]])
    denoise = CopyingDenoiser(uniform, index, HALF, before, line_ends=frozenset())
    assert int(p_of_slots(denoise, [A, MASK])[0].argmax()) == B


def test_no_weights_change_nothing() -> None:
    denoise = CopyingDenoiser(uniform, CopyIndex([[A, B]]), CopyWeights(), (), frozenset())
    assert not CopyWeights()
    torch.testing.assert_close(p_of_slots(denoise, [A, MASK]), torch.full((1, VOCAB), 1 / VOCAB))


def test_weights_survive_a_file_and_bad_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "copying.json"
    assert CopyWeights.load(path) == CopyWeights()
    HALF.save(path)
    assert CopyWeights.load(path) == HALF
    path.write_text('{"version": 9}')
    with pytest.raises(ConfigError, match=r"copying\.json cannot be read .*fit it again"):
        CopyWeights.load(path)
    path.write_text(json.dumps({"version": 1, "table": [[2, 2, 2]] * 6}))
    with pytest.raises(ConfigError, match=r"copying\.json: copy weights are 6 rows"):
        CopyWeights.load(path)
    with pytest.raises(ConfigError, match="6 rows of 3 numbers"):
        CopyWeights(((1.0,) * 3,) * 6)


def test_a_fit_for_other_weights_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "copying.json"
    bound = CopyWeights(HALF.table, {"weights_sha256": "ours"})
    bound.save(path)
    assert CopyWeights.for_model(path, "ours") == bound
    assert CopyWeights.for_model(path, "theirs") == CopyWeights()
