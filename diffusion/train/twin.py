"""The autoregressive twin's training: any run of the diffusion model, with the objective replaced.

Job: a pretraining config in, the twin's config out; and exact match on the same validation holes
while it trains. Model size, first weights, optimiser, schedule, documents and their order, budget
and checkpoints are those of the run it is compared with; what differs is what a window becomes
(`diffusion.data.fim`) and that nothing looks right.

Per token the twin's step is the dearer one: every token is a label, and the vocabulary head runs
for all of them. At equal tokens it has had more compute, not less.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

from transformers import PreTrainedModel

from diffusion.data.examples import ExampleConfig
from diffusion.data.fim import FimConfig
from diffusion.evaluate.cases import Case, to_text
from diffusion.evaluate.infill_eval import evaluate, totals
from diffusion.evaluate.twin_filler import TwinFiller
from diffusion.model.decoder import CausalDecoder
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.config import PretrainConfig
from diffusion.train.sampled_match import validation_cases

LEFT_TO_RIGHT = 0.15
"""Share of windows without a hole, in every stage."""


def twin_config(config: PretrainConfig) -> PretrainConfig:
    """The same run for the twin: the same stages, each with FIM examples under a causal mask."""
    stages = tuple(
        replace(stage, causal=True, example=_fim(stage.example)) for stage in config.stages
    )
    batch = replace(config.batch, causal=True, example=_fim(config.batch.example))
    return replace(config, batch=batch, stages=stages)


def _fim(example: ExampleConfig) -> FimConfig:
    """The holes of `example`, one a window."""
    same = {f.name: getattr(example, f.name) for f in fields(ExampleConfig)}
    no_canvases = {"complementary": False, "free_sizes": ()}  # or windows would leave them room
    return FimConfig(**(same | no_canvases | {"plain_mlm": LEFT_TO_RIGHT}))


class TwinMatch:
    """Callable: the share of fixed validation holes that a twin restores exactly.

    The holes and the length (the oracle's) are those of `train.sampled_match`.
    """

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
        self._cases = [
            Case(
                task_id=str(number),
                language=case.language,
                prefix=to_text(case.text[: case.cursor]),
                middle=to_text(case.middle),
                suffix=to_text(case.text[case.cursor :]),
            )
            for number, case in enumerate(validation_cases(corpus, tokenizer, count))
        ]

    def __call__(self, model: PreTrainedModel) -> float:
        """Works on a copy: decoding changes the attention function of its model."""
        decoder = CausalDecoder(copy.deepcopy(model).float().to("cpu"))
        rows = list(evaluate(TwinFiller(decoder, self._tokenizer), self._asked_for(), "oracle"))
        return float(totals(rows)["exact_match"])

    def _asked_for(self) -> Iterator[Case]:
        for case in self._cases:
            self._on_case()
            yield case
