"""Exact match on real holes, sampled while training.

Loss says how well single tokens are guessed; this says how often the sampler, run as in serving
(cached context, true length), restores a validation hole exactly. FIM papers find that only the
sampled figure tells good infillers apart (Bavarian et al. 2022, section 4).
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from diffusion.data.document_source import DocumentSource
from diffusion.data.open_corpus import open_corpus
from diffusion.infill import Infiller, InfillRequest
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.text.hole_length import LengthTable
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer

_MAX_HOLE_TOKENS = 24
_SEED = 7


@dataclass(frozen=True, slots=True)
class HoleCase:
    """A document with its hole cut out, and what was in it."""

    language: str
    text: bytes
    cursor: int
    middle: bytes


def validation_cases(corpus: Path, tokenizer: Tokenizer, count: int) -> list[HoleCase]:
    """The same `count` holes each time, languages weighted alike. Short ones only."""
    shards = open_corpus(corpus, tokenizer.hash).validation
    source = DocumentSource(shards, tokenizer, dict.fromkeys(shards.languages, 1.0))
    rng = random.Random(_SEED)
    cases: list[HoleCase] = []
    while len(cases) < count:
        language, data, window = source.window(rng, 400)
        tree = SyntaxTree.parse(data, language)
        holes = sample_holes(tree, data, window, rng, HoleMix(max_holes=1), 120)
        for hole in holes:
            middle = data[hole.start : hole.end]
            if len(tokenizer.encode(middle)) <= _MAX_HOLE_TOKENS:
                text = data[: hole.start] + data[hole.end :]
                cases.append(HoleCase(language, text, hole.start, middle))
    return cases[:count]


class SampledMatch:
    """Callable: the share of fixed validation holes that a model restores exactly."""

    def __init__(
        self,
        corpus: Path,
        tokenizer: Tokenizer,
        count: int = 64,
        *,
        on_case: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_case` is called before each hole; what it raises ends the measurement."""
        self._tokenizer, self._on_case = tokenizer, on_case
        self._cases = validation_cases(corpus, tokenizer, count)

    def __call__(self, model: PreTrainedModel) -> float:
        """Works on a copy: serving changes the attention function of its model."""
        served = copy.deepcopy(model).float().to("cpu")
        infiller = Infiller(MaskedLMDenoiser(served), self._tokenizer, LengthTable())
        right = 0
        for case in self._cases:
            self._on_case()
            request = InfillRequest(case.text, case.cursor, case.language, alternatives=1)
            slots = infiller.oracle_slots(request, case.middle)
            asked = InfillRequest(case.text, case.cursor, case.language, slots, alternatives=1)
            found = infiller.infill(asked).candidates
            right += bool(found) and found[0].text.encode().strip() == case.middle.strip()
        return right / len(self._cases)
