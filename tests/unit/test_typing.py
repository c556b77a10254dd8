"""The typist of `benchmarks/latency.py`: what it types is the line, at the speed of people."""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def latency(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import latency  # type: ignore[import-not-found]

    yield latency
    for name in ("latency", "lsp_session"):
        sys.modules.pop(name, None)


def typed(keys: list) -> str:  # type: ignore[type-arg]
    text = ""
    for key in keys:
        text = text[:-1] if key.character == "\b" else text + key.character
    return text


def test_mistypings_are_taken_back_and_the_same_seed_types_the_same(latency: ModuleType) -> None:
    line = "    return self.endpoint.request(message, timeout=self.timeout)"
    keys = latency.keys_for(line, random.Random(3), latency.PAUSE_MS)
    assert typed(keys) == line.strip()
    assert keys == latency.keys_for(line, random.Random(3), latency.PAUSE_MS)
    mistyped = [latency.keys_for(line, random.Random(seed), latency.PAUSE_MS) for seed in range(20)]
    assert any(key.character == "\b" for keys in mistyped for key in keys)
    gaps = [key.gap_ms for keys in mistyped for key in keys]
    assert 100 < statistics.median(gaps) < 220 and max(gaps) <= 1600


def test_places_are_runs_of_code_spread_over_the_file(latency: ModuleType) -> None:
    text = "\n".join(f"value_{n} = compute({n})" if n % 10 else "" for n in range(200))
    found = latency.places(text, 5)
    assert len(found) == 5
    assert all(len(lines) == 3 and all(lines) for _, lines in found)
    assert found[0][0] < 40 and found[-1][0] > 150
