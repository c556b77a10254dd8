"""Cases made from the validation documents of a corpus: what may be fitted to.

The holes are drawn as for the length table (`AS_TYPED`: what people leave to a completion), all
languages alike, and are the same for the same seed. Fitting anything to the public sets would make
their figures worthless; these documents are in neither those sets nor the training text.
A case's group is its document, since long ones are drawn from again and again.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from diffusion.data.batches import DocumentSource
from diffusion.data.open_corpus import open_corpus
from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.text.hole_sampling import AS_TYPED, sample_holes
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer

_WINDOW_TOKENS = 200
_HOLE_BYTES = 120
_MOST_DOCUMENT_BYTES = 200_000
_TRIES_PER_CASE = 50


def validation_holes(
    corpus: Path, tokenizer: Tokenizer, count: int, *, seed: int = 0, half: int | None = None
) -> list[Case]:
    """`count` cases, one from each of as many places.

    `half`: 0 or 1 for documents of one half only, whatever the seed; the halves share none.

    Raises:
        CorpusError: the corpus is missing, damaged or has no validation split.
        TokenizerError: it was made with another vocabulary.
        EvaluationError: its documents yield too few holes.
    """
    shards = open_corpus(corpus, tokenizer.hash).validation
    source = DocumentSource(shards, tokenizer, dict.fromkeys(shards.languages, 1.0))
    rng = random.Random(seed)
    cases: list[Case] = []
    for _ in range(_TRIES_PER_CASE * count):
        language, data, window = source.window(rng, _WINDOW_TOKENS)
        if len(data) > _MOST_DOCUMENT_BYTES:
            continue
        group = _document(language, data)
        if half is not None and int(group[-1], 16) % 2 != half:
            continue
        tree = SyntaxTree.parse(data, language)
        holes = sample_holes(tree, data, window, rng, AS_TYPED, _HOLE_BYTES)
        if not holes:
            continue
        start, end = holes[0].start, holes[0].end
        try:
            texts = [part.decode("utf-8") for part in (data[:start], data[start:end], data[end:])]
        except UnicodeDecodeError:
            continue
        prefix, middle, suffix = texts
        name = f"{language}/{len(cases)}"
        cases.append(Case(name, language, prefix, middle, suffix, hole=holes[0].kind, group=group))
        if len(cases) == count:
            return cases
    raise EvaluationError(
        f"the validation documents of {corpus} yield {len(cases)} holes of the {count} asked for",
        fix="build a larger corpus, or ask for fewer",
    )


def _document(language: str, data: bytes) -> str:
    """A name for a document, by what it says."""
    return f"{language}/{hashlib.blake2b(data, digest_size=6).hexdigest()}"
