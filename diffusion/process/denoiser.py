"""What the process needs from a model: one callable, already bound to its context.

The sampler knows a model only as a `Denoise`. Whoever makes one (`diffusion.model.denoiser`,
or a scripted one in tests) encodes the context first and closes over its cache; all rows of
all calls share that context, so rows may come, go and change between calls.
"""

from __future__ import annotations

from typing import Protocol

import torch


class Denoise(Protocol):
    """One denoising pass over a batch of canvases that share one context."""

    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor, /
    ) -> torch.Tensor:
        """Logits of the wanted positions only, so that the head runs nowhere else.

        Args:
            ids_BN: int64, the canvases; row b is real up to `lengths_B[b]`, PAD after it.
            lengths_B: int64, tokens per canvas, at least 1.
            wanted_BN: bool, the M positions whose logits are needed. Never at PAD. Usually
                masked positions, but a re-scoring pass also asks for filled ones.

        Returns:
            logits_MV: float32, the wanted positions in row-major order (all of row 0 from
            left to right, then row 1, ...); V is at least the vocabulary's size. The caller
            owns the tensor and may write into it.
        """
        ...
