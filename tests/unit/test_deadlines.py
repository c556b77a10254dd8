"""Deadlines at the facades, in the unit that they say. Time is the test's where it began."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from diffusion.infill import Infiller, InfillRequest
from diffusion.rewriting import RewriteRequest, rewrite
from diffusion.token_alternatives import AlternativesRequest, alternatives

TEXT = b"def mean(values):\n    total = sum(values)\n    return total / len(values)\n"
START, END = TEXT.index(b"sum"), TEXT.index(b"\n    return")
PASSED_S = 5.0


def steps_of_infill(infiller: Infiller, deadline_ms: float) -> int:
    cut = TEXT[:START] + TEXT[END:]
    asked = InfillRequest(cut, START, "python", length=40, exact=True, deadline_ms=deadline_ms)
    return infiller.infill(asked).steps


def steps_of_rewrite(infiller: Infiller, deadline_ms: float) -> int:
    asked = RewriteRequest(TEXT, START, END, "python", 1.0, deadline_ms=deadline_ms)
    return rewrite(infiller, asked).steps


def offered_alternatives(infiller: Infiller, deadline_ms: float) -> int:
    asked = AlternativesRequest(
        TEXT, START, END, "python", b"sum(values)", 0, deadline_ms=deadline_ms
    )
    return len(alternatives(infiller, asked).alternatives)


@pytest.mark.parametrize(
    ("module", "done"),
    [
        ("infill", steps_of_infill),
        ("rewriting", steps_of_rewrite),
        ("token_alternatives", offered_alternatives),
    ],
)
def test_a_request_that_began_five_seconds_ago_is_over_after_four_and_not_after_six_hundred(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, module: str,
    done: Callable[[Infiller, float], int],
) -> None:  # fmt: skip
    infiller = Infiller.load(tiny_model_dir, threads=1, precision="fp32")
    now = time.perf_counter
    earlier = SimpleNamespace(perf_counter=lambda: now() - PASSED_S)
    monkeypatch.setattr(f"diffusion.{module}.time", earlier)
    assert done(infiller, 4_000.0) <= 1
    assert done(infiller, 600_000.0) > 1
