"""The fused head is the plain head and loss, gradients included."""

from __future__ import annotations

import pytest
import torch

from diffusion.process.loss import masked_token_loss
from diffusion.train import head_loss as module
from diffusion.train.head_loss import head_loss


@pytest.mark.parametrize("with_bias", [False, True])
def test_value_and_gradients_equal_the_plain_loss(
    monkeypatch: pytest.MonkeyPatch, with_bias: bool
) -> None:
    monkeypatch.setattr(module, "PIECE", 5)  # 13 targets: two whole pieces and a rest
    torch.manual_seed(0)
    hidden_MD = torch.randn(13, 8, requires_grad=True)
    weight_VD = torch.randn(37, 8, requires_grad=True)
    bias_V = torch.randn(37, requires_grad=True) if with_bias else None
    targets_M, weights_M = torch.randint(0, 37, (13,)), torch.rand(13)
    leaves = [hidden_MD, weight_VD, *([bias_V] if bias_V is not None else [])]
    plain = masked_token_loss(
        torch.nn.functional.linear(hidden_MD, weight_VD, bias_V), targets_M, weights_M
    )
    fused = head_loss(
        hidden_MD, weight_VD, bias_V, targets_M, weights_M / weights_M.sum(), dtype=torch.float32
    )
    torch.testing.assert_close(fused, plain)
    for ours, theirs in zip(
        torch.autograd.grad(2 * fused, leaves), torch.autograd.grad(2 * plain, leaves), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_bfloat16_stays_close() -> None:
    torch.manual_seed(0)
    hidden_MD, weight_VD = torch.randn(300, 32), torch.randn(500, 32) * 0.2
    targets_M, weights_M = torch.randint(0, 500, (300,)), torch.full((300,), 1 / 300)
    exact = head_loss(hidden_MD, weight_VD, None, targets_M, weights_M, dtype=torch.float32)
    coarse = head_loss(hidden_MD, weight_VD, None, targets_M, weights_M, dtype=torch.bfloat16)
    assert abs(float(coarse - exact)) < 0.01


def test_no_targets_is_no_loss() -> None:
    none = torch.zeros(0, dtype=torch.long)
    loss = head_loss(
        torch.zeros(0, 4), torch.zeros(9, 4), None, none, torch.zeros(0), dtype=torch.float32
    )
    assert float(loss) == 0.0
