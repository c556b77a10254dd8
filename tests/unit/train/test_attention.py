"""Row by row, attention is what torch computes, gradients included."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from diffusion.train.attention import additive_mask, row_attention, training_attention


def drawn(rows: int = 3) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Queries, keys and values, and a mask in which everyone sees at least itself."""
    torch.manual_seed(0)
    qkv = [torch.randn(rows, 2, 11, 8, requires_grad=True) for _ in range(3)]
    mask_B1LL = (torch.rand(rows, 1, 11, 11) > 0.5) | torch.eye(11, dtype=torch.bool)
    return qkv, mask_B1LL


def test_value_and_gradients_equal_torchs_own() -> None:
    qkv, mask_B1LL = drawn()
    plain = scaled_dot_product_attention(*qkv, attn_mask=mask_B1LL, scale=0.3)
    rows = row_attention(*qkv, additive_mask(mask_B1LL, torch.float32), 0.3)
    torch.testing.assert_close(rows, plain)
    grad = torch.randn_like(plain)
    for ours, theirs in zip(
        torch.autograd.grad(rows, qkv, grad), torch.autograd.grad(plain, qkv, grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_token_that_may_not_be_seen_gets_no_gradient() -> None:
    (q, k, v), _ = drawn(rows=1)
    mask_B1LL = torch.ones(1, 1, 11, 11, dtype=torch.bool)
    mask_B1LL[..., 4] = False
    out = row_attention(q, k, v, additive_mask(mask_B1LL, torch.float32), 0.3)
    grad_k, grad_v = torch.autograd.grad(out.sum(), (k, v))
    assert not grad_k[:, :, 4].any() and not grad_v[:, :, 4].any()


def test_only_processors_train_row_by_row() -> None:
    assert training_attention(torch.device("cpu")) == "diffill_rowwise"
    assert training_attention(torch.device("cuda")) in ("diffill_flex", "sdpa")  # Triton or not
    assert training_attention(torch.device("mps")) == "sdpa"
