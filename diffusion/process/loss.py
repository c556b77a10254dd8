"""The training loss: mean cross-entropy over masked tokens.

Unweighted by default: the 1/t weight of the continuous-time bound (Sahoo et al. 2024, MDLM)
mostly adds variance at small budgets. All DEL targets of one hole weigh as much as one token
(DreamOn, 2025); otherwise the end of a canvas drowns the code in it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def masked_token_loss(logits_MV: Tensor, targets_M: Tensor, weights_M: Tensor) -> Tensor:
    """Weighted mean cross-entropy in nats, a scalar. Computed in float32.

    Args:
        logits_MV: scores at the M masked positions.
        targets_M: true ids.
        weights_M: weight of each position; their sum divides the loss.
    """
    losses_M = functional.cross_entropy(logits_MV.float(), targets_M, reduction="none")
    return (losses_M * weights_M).sum() / weights_M.sum().clamp_min(torch.finfo(torch.float32).tiny)
