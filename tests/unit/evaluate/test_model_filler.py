"""How the facade is driven: what it is asked, and how its answers become completions."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

from diffusion.cancel import CancelToken
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.evaluate.model_filler import (
    ModelFiller,
    load_model,
    measuring_config,
    weights_hash,
)
from diffusion.evaluate.work import Plan, Work
from diffusion.infill import Candidate, InfillRequest, InfillResult, TokenScore
from diffusion.text.hole import Hole
from diffusion.text.syntax import SyntaxTree
from tests.unit.evaluate.scripted import ADD


class ScriptedInfiller:
    """Offers the given texts for a hole of `replaced` bytes, and remembers the requests."""

    def __init__(self, *texts: str, replaced: int = 0) -> None:
        self.texts = texts
        self.replaced = replaced
        self.contexts = {"what an earlier case left": 1}
        self.requests: list[InfillRequest] = []

    def infill(self, request: InfillRequest, *, cancel: CancelToken | None = None) -> InfillResult:
        self.requests.append(request)
        assert not self.contexts
        self.contexts["encoded"] = 1
        return InfillResult(
            candidates=tuple(
                Candidate(text, 0.25, (TokenScore(text, 0.25),), True, 8) for text in self.texts
            ),
            hole=Hole(request.cursor, request.cursor + self.replaced, "expression"),
            ms=1.0,
            steps=3,
            context_cached=False,
            reason=None if self.texts else "out of time",
        )

    def oracle_slots(self, request: InfillRequest, middle: bytes) -> int:
        return len(middle)


def test_the_facade_gets_the_closed_document_and_the_best_candidate_counts() -> None:
    infiller = ScriptedInfiller("a + b", "a - b")
    row = evaluate_case(ModelFiller(infiller), replace(ADD, prefix="é = "), "predicted")  # type: ignore[arg-type]
    assert "error" not in row, row
    assert (row["completion"], row["tokens"], row["steps"]) == ("a + b", 1, 3)
    assert row["confidence"] == 0.25
    (request,) = infiller.requests
    assert (request.text, request.cursor) == ("é = \n".encode(), 5)
    assert (request.language, request.length) == ("python", "predicted")


def test_the_oracle_length_is_counted_by_the_facade_and_a_number_is_passed_on() -> None:
    infiller = ScriptedInfiller("a")
    for length in ("oracle", 64):
        evaluate_case(ModelFiller(infiller), ADD, length)  # type: ignore[arg-type]
    asked = [(request.length, request.exact) for request in infiller.requests]
    assert asked == [(len("a + b"), True), (64, False)]


def test_every_length_of_a_case_starts_from_nothing() -> None:
    infiller = ScriptedInfiller("a")
    work = Work(Plan(lengths=("predicted", "oracle", 8)), filler=ModelFiller(infiller))  # type: ignore[arg-type]
    for row in (*work.rows(ADD), *work.rows(ADD)):
        assert "error" not in row, row
    assert len(infiller.requests) == 6


def test_rows_do_not_depend_on_how_long_a_document_is_parsed(tiny_model_dir: Path) -> None:
    config = load_model(tiny_model_dir, threads=1)._infiller.config
    assert config == measuring_config() and math.isinf(config.parse_budget_ms)
    document = b"def f(a):\n    return g(a, 'x')\n\n" * 200
    assert SyntaxTree.parse(document, "python", budget_ms=config.parse_budget_ms).parsed
    assert not SyntaxTree.parse(document, "python", budget_ms=-1.0).parsed


def test_a_replaced_closer_is_not_counted_twice() -> None:
    case = replace(ADD, prefix="f(", middle="x", suffix=")\n")
    row = evaluate_case(ModelFiller(ScriptedInfiller("x)", replaced=1)), case, 8)  # type: ignore[arg-type]
    assert row["completion"] == "x"


def test_no_candidate_is_an_empty_completion_with_its_reason() -> None:
    row = evaluate_case(ModelFiller(ScriptedInfiller()), ADD, 8)  # type: ignore[arg-type]
    assert (row["completion"], row["empty"], row["confidence"]) == ("", True, None)
    assert row["reason"] == "out of time"
    assert "error" not in row


def test_the_hash_is_of_the_weights(tmp_path: Path) -> None:
    assert weights_hash(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert weights_hash(tmp_path) == hashlib.sha256(b"weights").hexdigest()[:12]
