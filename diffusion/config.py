"""What serving settles once, for every request: budgets, caches, the sampler.

Invariant: none of it depends on a document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import LeftmostFirst


@dataclass(frozen=True, slots=True)
class InfillConfig:
    """Serving choices. `context_tokens` is the budget of prefix and suffix together."""

    context_tokens: int = 480
    cached_contexts: int = 8
    cache_mb: float = 60.0
    """Of all cached contexts together; one is kept in any case. In bfloat16 five of the bundled
    model's fill it, in float32 two."""
    copy_bytes: int = 24_000
    """How much of the document on either side votes for what it says elsewhere."""
    parse_budget_ms: float = 200.0
    sampler: SamplerConfig = field(
        default_factory=lambda: SamplerConfig(
            order=LeftmostFirst(extra_p=0.5, entropy_budget=1.5), allow_empty=False, race_nats=3.0
        )
    )
