"""The plain reference: no cache of anything, the whole row through the model at every step.

What serving does with caches must give the answers of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from diffusion.cancel import CancelToken
from diffusion.demo.holes import bundled_examples, load_holes
from diffusion.infill import Infiller
from diffusion.model.checkpoint import load_checkpoint
from diffusion.model.context_cache import ContextCache
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.syntax import SyntaxTree


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens(ContextCache):
    """A context as it was given."""

    ids_1C: torch.Tensor


class ReferenceDenoiser(MaskedLMDenoiser):
    """One masked forward pass over context and canvases, at every step."""

    def encode_context(
        self, ids_1C: torch.Tensor, positions_1C: torch.Tensor, cancel: CancelToken | None = None
    ) -> ContextCache:
        return _Tokens((), positions_1C, ids_1C)

    @torch.no_grad()
    def step(
        self,
        cache: ContextCache,
        start_position: int,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        assert isinstance(cache, _Tokens)
        logits_BNV = self.uncached(
            cache.ids_1C, cache.positions_1C, ids_BN, lengths_B, start_position
        )
        return logits_BNV[wanted_BN]


def reference_of(infiller: Infiller, folder: Path) -> Infiller:
    """An infiller with the same model and fits that remembers nothing, run by transformers."""
    plain = Infiller(
        ReferenceDenoiser(load_checkpoint(folder).model),
        infiller.tokenizer,
        infiller.lengths,
        infiller.config,
        infiller.ranking,
        infiller.copy_weights,
    )
    return plain


@dataclass(frozen=True, slots=True)
class Opened:
    """A document with a hole closed up, the cursor in it, and what stood there."""

    text: bytes
    cursor: int
    language: str
    middle: bytes


def example_holes(count: int, seed: int = 0) -> list[Opened]:
    """Holes of all sources in the programs of the demo, drawn with a seed."""
    rng = Random(seed)
    programs = {hole.language: hole.original for hole in load_holes(bundled_examples())}
    found: list[Opened] = []
    while len(found) < count:
        language, data = rng.choice(sorted(programs.items()))
        tree = SyntaxTree.parse(data, language)
        for hole in sample_holes(tree, data, (0, len(data)), rng, HoleMix(max_holes=1), 60):
            text = data[: hole.start] + data[hole.end :]
            found.append(Opened(text, hole.start, language, data[hole.start : hole.end]))
    return found
