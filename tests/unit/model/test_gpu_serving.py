"""Serving on a GPU gives the processor's answers. Needs CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from diffusion.infill import Infiller, InfillRequest, InfillResult
from tests.support.reference import example_holes

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
HOLES = 20


def answers(infiller: Infiller, *, in_haste: bool) -> list[InfillResult]:
    return [
        infiller.infill(
            InfillRequest(
                hole.text, hole.cursor, hole.language, alternatives=5, in_haste=in_haste
            )
        )
        for hole in example_holes(HOLES)
    ]


def texts(results: list[InfillResult]) -> list[list[str]]:
    return [[candidate.text for candidate in result.candidates] for result in results]


@pytest.mark.parametrize("in_haste", [False, True])
def test_in_float32_the_texts_are_those_of_the_processor(
    in_haste: bool, bundled_model_dir: Path
) -> None:
    there, here = (
        answers(
            Infiller.load(bundled_model_dir, 2, precision="fp32", device=device),
            in_haste=in_haste,
        )
        for device in ("cuda", "cpu")
    )
    alike = sum(one == other for one, other in zip(texts(there), texts(here), strict=True))
    assert alike >= HOLES - 1  # sums in another order may turn a tie
    for one, other in zip(there, here, strict=True):
        if texts([one]) == texts([other]):
            for a, b in zip(one.candidates, other.candidates, strict=True):
                assert a.score == pytest.approx(b.score, abs=2e-3)


def test_auto_takes_the_gpu_in_half_precision_and_says_nearly_the_same(
    bundled_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFILL_DEVICE")
    infiller = Infiller.load(bundled_model_dir, 2)
    assert infiller.denoiser.device.type == "cuda"
    there = texts(answers(infiller, in_haste=False))
    on_cpu = Infiller.load(bundled_model_dir, 2, precision="fp32", device="cpu")
    here = texts(answers(on_cpu, in_haste=False))
    first = sum(one[:1] == other[:1] for one, other in zip(there, here, strict=True))
    assert first >= 0.8 * HOLES


def test_a_context_is_kept_on_the_gpu_and_found_again(bundled_model_dir: Path) -> None:
    infiller = Infiller.load(bundled_model_dir, 2, device="cuda")
    [hole] = example_holes(1)
    asked = InfillRequest(hole.text, hole.cursor, hole.language)
    first, again = infiller.infill(asked), infiller.infill(asked)
    assert not first.context_cached and again.context_cached
    assert texts([first]) == texts([again])
    [cache] = infiller.contexts._caches.values()
    assert all(layer.key_1HCD.is_cuda and layer.value_1HCD.is_cuda for layer in cache.layers)
