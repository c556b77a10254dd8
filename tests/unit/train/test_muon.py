"""Our Muon is torch's, whatever is computed together."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from diffusion.train.muon import Muon, orthogonalised

SHAPES = [(6, 4), (4, 6), (6, 4), (5, 5), (6, 4)]


def trained(
    kind: type[torch.optim.Optimizer], steps: int, **settings: object
) -> list[nn.Parameter]:
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    optimiser = kind(weights, lr=0.02, weight_decay=0.1, **settings)  # type: ignore[call-arg]
    for _ in range(steps):
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        weights[3].grad = None  # a matrix that had no part in the loss
        optimiser.step()
    return weights


def test_updates_are_those_of_torch() -> None:
    ours, theirs = trained(Muon, 3), trained(torch.optim.Muon, 3)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=0)  # sums of bfloat16
    untouched = trained(Muon, 0)
    assert torch.equal(ours[3], untouched[3])
    assert (ours[0] - untouched[0]).abs().max() > 0.02


def test_float32_and_bfloat16_agree() -> None:
    exact, half = trained(Muon, 3, dtype=torch.float32), trained(Muon, 3)
    for one, other in zip(exact, half, strict=True):
        torch.testing.assert_close(one, other, atol=3e-3, rtol=0)


@pytest.mark.parametrize("shape", [(8, 8), (8, 3), (3, 8)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    values = torch.linalg.svdvals(orthogonalised(matrices, torch.float32))
    assert values.min() > 0.4 and values.max() < 1.3
    assert torch.equal(orthogonalised(torch.zeros(shape), torch.float32), torch.zeros(shape))


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1, weight_decay=0.0)
