"""Cases made from the validation documents of a corpus: what may be fitted to.

The holes are drawn as for the length table (`AS_TYPED`: what people leave to a completion), and are
the same for the same seed; all languages count alike, unless the text is a repository's own.
Fitting anything to the public sets would make their figures worthless; these documents are in
neither those sets nor the training text.
A case's group is its document, since long ones are drawn from again and again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
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
    cases: list[Case] = []
    for case in islice(_tries(corpus, tokenizer, seed, half), _TRIES_PER_CASE * count):
        if case is not None:
            cases.append(replace(case, task_id=f"{case.language}/{len(cases)}"))
        if len(cases) == count:
            return cases
    raise EvaluationError(
        f"the validation documents of {corpus} yield {len(cases)} holes of the {count} asked for",
        fix="build a larger corpus, or ask for fewer",
    )


def different_holes(
    corpus: Path, tokenizer: Tokenizer, count: int, *, seed: int = 0, by_tokens: bool = False
) -> list[Case]:
    """Up to `count` cases, no two of them the same; fewer where the documents yield no more.

    `by_tokens`: a language counts as much as there is of it. Raises as `validation_holes`, but for
    too few.
    """
    found: dict[tuple[str, str, str], Case] = {}
    tries, in_vain = _tries(corpus, tokenizer, seed, by_tokens=by_tokens), 0
    while len(found) < count and in_vain < _TRIES_PER_CASE:
        case, in_vain = next(tries), in_vain + 1
        if case is None or (text := (case.prefix, case.middle, case.suffix)) in found:
            continue
        found[text], in_vain = replace(case, task_id=f"{case.language}/{len(found)}"), 0
    return list(found.values())


def _tries(
    corpus: Path,
    tokenizer: Tokenizer,
    seed: int,
    half: int | None = None,
    *,
    by_tokens: bool = False,
) -> Iterator[Case | None]:
    """Cases by the name of their language, without end; None for each place that yields none."""
    shards = open_corpus(corpus, tokenizer.hash).validation
    weights = {} if by_tokens else dict.fromkeys(shards.languages, 1.0)
    source = DocumentSource(shards, tokenizer, weights)
    rng = random.Random(seed)
    while True:
        language, data, window = source.window(rng, _WINDOW_TOKENS)
        yield _case(language, data, window, rng, half)


def _case(
    language: str, data: bytes, window: tuple[int, int], rng: random.Random, half: int | None
) -> Case | None:
    if len(data) > _MOST_DOCUMENT_BYTES:
        return None
    group = _document(language, data)
    if half is not None and int(group[-1], 16) % 2 != half:
        return None
    tree = SyntaxTree.parse(data, language)
    holes = sample_holes(tree, data, window, rng, AS_TYPED, _HOLE_BYTES)
    if not holes:
        return None
    start, end = holes[0].start, holes[0].end
    try:
        texts = [part.decode("utf-8") for part in (data[:start], data[start:end], data[end:])]
    except UnicodeDecodeError:
        return None
    prefix, middle, suffix = texts
    return Case(language, language, prefix, middle, suffix, hole=holes[0].kind, group=group)


def _document(language: str, data: bytes) -> str:
    """A name for a document, by what it says."""
    return f"{language}/{hashlib.blake2b(data, digest_size=6).hexdigest()}"
