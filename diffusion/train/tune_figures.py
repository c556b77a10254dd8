"""Before and after: the base model and the tuned one on holes of held-out files, as served.

The holes are drawn as for every figure (`evaluate.validation_holes`), but each counts once, and the
repository's languages count as training draws them; the lengths are predicted,
and the models run as they do in an editor, with the lines of the other files at hand, so the
figures are what a user would see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.data.shards import ShardSet
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.evaluate.model_filler import ModelFiller, measuring_config
from diffusion.evaluate.validation_holes import different_holes
from diffusion.infill import Infiller
from diffusion.text.line_index import LineIndex
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.tune_data import DATA, TRAIN

_SEED = 3
Pair = tuple[dict[str, Any], dict[str, Any]]
"""The rows of one hole, before and after."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models on the same holes; one row each a hole."""

    cases: tuple[Case, ...]
    before: tuple[dict[str, Any], ...]
    after: tuple[dict[str, Any], ...]

    @property
    def gained(self) -> int:
        """Holes that only the tuned model fills exactly."""
        pairs = zip(self.before, self.after, strict=True)
        return sum(b["exact_match"] < a["exact_match"] for b, a in pairs)

    @property
    def lost(self) -> int:
        """Holes that only the base model fills exactly."""
        pairs = zip(self.before, self.after, strict=True)
        return sum(b["exact_match"] > a["exact_match"] for b, a in pairs)

    @property
    def worse(self) -> bool:
        """Whether the tuned model fills fewer holes exactly."""
        return self.lost > self.gained

    def figures(self) -> dict[str, Any]:
        """Shares of exact matches and mean edit similarities, and what changed sides."""
        if not self.cases:
            return {"cases": 0}
        return {
            "cases": len(self.cases),
            "exact_match_before": _mean(self.before, "exact_match"),
            "exact_match_after": _mean(self.after, "exact_match"),
            "edit_similarity_before": _mean(self.before, "edit_similarity"),
            "edit_similarity_after": _mean(self.after, "edit_similarity"),
            "gained": self.gained,
            "lost": self.lost,
        }

    def samples(self) -> list[dict[str, Any]]:
        """For the report: each hole with what both models wrote."""
        return [
            {
                "id": case.task_id, "language": case.language, "hole": case.hole,
                "prefix": case.prefix[-240:], "middle": case.middle, "suffix": case.suffix[:120],
                "before": b["completion"], "after": a["completion"],
                "right_before": b["exact_match"], "right_after": a["exact_match"],
            }
            for case, b, a in zip(self.cases, self.before, self.after, strict=True)
        ]  # fmt: skip


def held_out_cases(run: Path, name: str, tokenizer: Tokenizer, count: int) -> tuple[Case, ...]:
    """Up to `count` different holes of the held-out text `name` of a run."""
    found = different_holes(
        run / name, tokenizer, count, seed=_SEED, by_tokens=name == DATA
    )
    return tuple(found)


def trained_lines(corpus: Path, tokenizer: Tokenizer) -> dict[str, LineIndex]:
    """The lines of the files that a run learns from, by language: what an editor would read."""
    shards = ShardSet.open(corpus, TRAIN)
    found = {}
    for language in shards.languages:
        texts = dict.fromkeys(tokenizer.decode(ids.tolist()) for ids in shards[language])
        found[language] = LineIndex.of([(str(number), text) for number, text in enumerate(texts)])
    return found


def compare(
    base: Infiller,
    tuned: Infiller,
    cases: Sequence[Case],
    *,
    repository: Mapping[str, LineIndex] | None = None,
    gate: Callable[[], bool] = lambda: True,
    on_case: Callable[[int, int], None] = lambda done, of: None,
    known: Callable[[Case], Pair | None] = lambda case: None,
    keep: Callable[[Case, Pair], None] = lambda case, pair: None,
) -> Compared | None:
    """Both models on every case, quoting from `repository`; None where `gate` said to stop.

    A case that is `known` is not filled again; what was filled is told to `keep`.
    """
    before, after = (ModelFiller(model, repository=repository) for model in (base, tuned))
    pairs: list[Pair] = []
    for number, case in enumerate(cases):
        pair = known(case)
        if pair is None:
            if not gate():
                return None
            row = evaluate_case(before, case, "predicted")
            if not gate():
                return None
            pair = row, evaluate_case(after, case, "predicted")
            keep(case, pair)
            on_case(number + 1, len(cases))
        pairs.append(pair)
    return Compared(tuple(cases), tuple(b for b, _ in pairs), tuple(a for _, a in pairs))


def load(model_dir: Path, adapter: Path | None = None) -> Infiller:
    """A model as it is served, with an adapter or without."""
    return Infiller.load(model_dir, device="cpu", config=measuring_config(), adapter=adapter)


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    return round(sum(float(row[key]) for row in rows) / len(rows), 4)
