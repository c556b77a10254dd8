"""The infiller as a filler: how the harness drives the facade.

Invariant: the facade is given what an editor would give it (the document with the hole closed
up, and a cursor), and nothing of the reference but, for the oracle length, its slot count; an
oracle's canvas does not end early. Every fill starts from nothing: no context is kept from an
earlier case, nor from the same one at another length.
torch is loaded by `load_model`, not by importing this module.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.evaluate.cases import Case, to_bytes, to_text
from diffusion.evaluate.infill_eval import Fill, Length
from diffusion.text.line_index import LineIndex

if TYPE_CHECKING:
    from diffusion.infill import InfillConfig, Infiller, InfillResult
    from diffusion.process.sampler_config import SamplerConfig

_OFFERED, _ALL = 3, 64


class ModelFiller:
    """Fills a case with the best candidate of an `Infiller`.

    With `evidence`, all candidates are told, each with what was known of it. `repository`: lines of
    other files that may be quoted, by language. `at_once`, `in_haste`: see `InfillRequest`.
    """

    name = "diffill"

    def __init__(
        self,
        infiller: Infiller,
        model_hash: str | None = None,
        *,
        evidence: bool = False,
        repository: Mapping[str, LineIndex] | None = None,
        at_once: bool = False,
        in_haste: bool = False,
    ) -> None:
        self._at_once, self._in_haste = at_once, in_haste
        self._infiller = infiller
        self._repository = repository or {}
        self._evidence = evidence
        self.model_hash = model_hash

    def bare(self) -> ModelFiller:
        """The model by itself: no quotes, no votes of the document, the order by hand.

        The lengths to try and the forks stay those of the model.
        """
        from diffusion.process.copying import CopyWeights
        from diffusion.ranking import Ranking

        known = self._infiller.ranking
        self._infiller.ranking = Ranking(quantiles=known.quantiles, forks=known.forks)
        self._infiller.copy_weights = CopyWeights()
        return self

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        from diffusion.infill import InfillRequest

        self._infiller.contexts.clear()
        document = case.text_without_middle
        asked = InfillRequest(
            text=document,
            cursor=case.cursor,
            language=case.language,
            alternatives=_ALL if self._evidence else _OFFERED,
            repository=self._repository.get(case.language),
            at_once=self._at_once,
            in_haste=self._in_haste,
        )
        if length == "oracle":
            slots = self._infiller.oracle_slots(asked, to_bytes(case.middle))
            asked = replace(asked, length=slots, exact=True)
        else:
            asked = replace(asked, length=length)
        return lambda: _fill(document, self._infiller.infill(asked), self._evidence)


def load_model(
    directory: Path | None = None,
    *,
    threads: int | None = None,
    sampler: SamplerConfig | None = None,
    quantiles: tuple[float, ...] | None = None,
    forks: int | None = None,
    quotes: int | None = None,
    votes: bool | None = None,
    context_tokens: int | None = None,
    evidence: bool = False,
    at_once: bool = False,
    in_haste: bool = False,
    device: str = "cpu",
) -> ModelFiller:
    """A filler over a model folder, or over the bundled model.

    `sampler`, `quantiles`, `forks`, `quotes`, `votes` and `context_tokens` take the place of
    serving's. For `evidence`, `at_once` and `in_haste` see `ModelFiller`,
    for `device` `model.device`.

    Raises:
        CheckpointError: the folder is missing, damaged or another tokenizer's.
    """
    from diffusion.infill import Infiller

    config = measuring_config()
    if sampler is not None:
        config = replace(config, sampler=sampler)
    if context_tokens is not None:
        config = replace(config, context_tokens=context_tokens)
    infiller = Infiller.load(directory, threads=threads, device=device, config=config)
    if quantiles is not None:
        infiller.ranking = replace(infiller.ranking, quantiles=quantiles)
    if forks is not None:
        infiller.ranking = replace(infiller.ranking, forks=forks)
    if quotes is not None:
        infiller.ranking = replace(infiller.ranking, quotes=quotes)
    if votes is not None:
        infiller.ranking = replace(infiller.ranking, votes=votes)
    model_hash = weights_hash(served_dir(directory))
    return ModelFiller(
        infiller, model_hash, evidence=evidence, at_once=at_once, in_haste=in_haste
    )


def measuring_config() -> InfillConfig:
    """What serving uses, but that a document may be parsed for as long as it takes.

    A row is then the same on a busy machine.
    """
    from diffusion.infill import InfillConfig

    return InfillConfig(cached_contexts=1, parse_budget_ms=math.inf)


def served_dir(directory: Path | None) -> Path:
    """The folder that is loaded when `directory` is asked for: by default what serving uses."""
    if directory is not None:
        return directory
    from diffusion.pretrained import default_model_dir

    return default_model_dir()


def weights_hash(directory: Path) -> str | None:
    """The first 12 hex digits of the SHA-256 of a model folder's weights, if it has any."""
    weights = directory / "model.safetensors"
    if not weights.is_file():
        return None
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _fill(document: bytes, result: InfillResult, with_evidence: bool) -> Fill:
    if not result.candidates:
        return Fill("", steps=result.steps, reason=result.reason or "unknown")
    replaced = to_text(document[result.hole.start : result.hole.end])
    texts = [inserted(candidate.text, replaced) for candidate in result.candidates]
    best = result.candidates[0]
    return Fill(
        texts[0],
        len(best.tokens),
        result.steps,
        confidence=best.score,
        token_p=tuple((token.text, token.p) for token in best.tokens),
        alternatives=tuple(texts[1:]),
        evidence=tuple(
            asdict(candidate.evidence)
            for candidate in result.candidates
            if with_evidence and candidate.evidence is not None
        ),
    )


def inserted(text: str, replaced: str) -> str:
    """A candidate as a pure insertion: without the document's own text that it ends with.

    A candidate may replace closers that follow the cursor (`foo(|)`). Where it does not write
    them again it is no insertion; it is then kept whole, and its surplus counts against it.
    """
    return text.removesuffix(replaced) if replaced else text
