"""Copying is fitted to the slots that the sampler fills."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diffusion.evaluate.cases import Case
from diffusion.evaluate.fit_copying import fit_copying
from diffusion.infill import Infiller


def test_a_line_end_that_the_insertion_implies_is_not_fitted_to(tiny_model_dir: Path) -> None:
    infiller = Infiller.load(tiny_model_dir, threads=1)
    whole = Case("a", "python", "a = 1\n", "b = 2\n", "c = 3\n")
    found = fit_copying(infiller, [whole])
    assert found.tokens > 0
    assert found == fit_copying(infiller, [replace(whole, middle="b = 2")])
