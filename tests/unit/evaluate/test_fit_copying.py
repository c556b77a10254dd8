"""Copying is fitted to the slots that the sampler fills."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diffusion.evaluate.cases import Case
from diffusion.evaluate.fit_copying import Prediction, fit_copying, fitted, mixed
from diffusion.infill import Infiller


def test_a_line_end_that_the_insertion_implies_is_not_fitted_to(tiny_model_dir: Path) -> None:
    infiller = Infiller.load(tiny_model_dir, threads=1)
    whole = Case("a", "python", "a = 1\n", "b = 2\n", "c = 3\n")
    found = fit_copying(infiller, [whole])
    assert found.tokens > 0
    assert found == fit_copying(infiller, [replace(whole, middle="b = 2")])


def test_no_token_is_judged_with_weights_that_saw_its_fold() -> None:
    """Votes are right in one fold and wrong in the other: each is judged by what the other says."""
    right: list[Prediction] = [((0, 0), 0.5, 1.0)] * 30
    wrong: list[Prediction] = [((0, 0), 0.5, 0.0)] * 30
    assert fitted([right]).table[0][0] > 0.9 and fitted([wrong]).table[0][0] == 0.0
    judged = mixed([right, wrong], [0, 1])
    assert judged[:30] == [0.5] * 30 and max(judged[30:]) < 0.05
    assert mixed([[(None, 0.25, 0.0)]], [0]) == [0.25]
