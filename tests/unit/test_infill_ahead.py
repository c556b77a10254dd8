"""Contexts encoded ahead of need: found by the request, and given up within a layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.cancel import Cancelled, CancelToken
from diffusion.infill import InfillConfig, Infiller, InfillRequest

BEFORE = "def f(x):\n    y = x\n"
REQUEST = InfillRequest(BEFORE + "    \n", len(BEFORE) + 4, "python", length=3)
TYPED = InfillRequest(BEFORE + "    ret\n", len(BEFORE) + 7, "python", length=3)


@pytest.fixture
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1)


def test_what_was_encoded_ahead_is_found_and_answers_alike(infiller: Infiller) -> None:
    plain = infiller.infill(TYPED)
    infiller.contexts.clear()
    assert infiller.encode_ahead(REQUEST, CancelToken())
    assert not infiller.encode_ahead(REQUEST, CancelToken())
    ahead = infiller.infill(TYPED)
    assert ahead.context_cached and not plain.context_cached
    assert ahead.candidates == plain.candidates


def test_encoding_ahead_is_given_up_between_layers(infiller: Infiller) -> None:
    class SecondLook(CancelToken):
        looks = 0

        def raise_if_cancelled(self) -> None:
            self.looks += 1
            if self.looks == 3:  # once before the pass, once before the first layer
                self.cancel("superseded")
            super().raise_if_cancelled()

    with pytest.raises(Cancelled, match="superseded"):
        infiller.encode_ahead(REQUEST, SecondLook())
    assert not len(infiller.contexts), "half a context is never kept"


@pytest.mark.parametrize(("cache_mb", "kept"), [(0.0, 1), (1000.0, 3)])
def test_contexts_keep_to_what_memory_they_may_take(
    tiny_model_dir: Path, cache_mb: float, kept: int
) -> None:
    config = InfillConfig(cache_mb=cache_mb, cached_contexts=3)
    infiller = Infiller.load(tiny_model_dir, threads=1, config=config)
    requests = [replace(REQUEST, text=f"# {n}\n{BEFORE}", cursor=4) for n in range(4)]
    for request in requests:
        assert not infiller.infill(request).context_cached
    assert len(infiller.contexts) == kept
    assert infiller.infill(requests[-1]).context_cached, "the newest is always among them"
