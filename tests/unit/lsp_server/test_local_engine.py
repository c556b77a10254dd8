"""The engine around the real `Infiller`, with a tiny untrained model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion.cancel import Cancelled, CancelToken
from diffusion.infill import InfillConfig, Infiller
from diffusion.text.line_index import LineIndex
from lsp_server.engine.engine import (
    EngineConfig,
    EngineRequest,
    EngineRewriteRequest,
    EngineScoreRequest,
    EngineState,
)
from lsp_server.engine.local import LocalFiller, _asked, load, local_engine
from lsp_server.engine.tasks import EngineAlternativesRequest, EngineDraft, EngineFillRequest
from lsp_server.engine.worker import WorkerEngine
from lsp_server.errors import DeviceFailed, EngineUnavailable

pytestmark = pytest.mark.slow
WAIT_S = 120.0
TEXT = b"def add(a, b):\n    return \n"
CURSOR = TEXT.index(b"return ") + len(b"return ")


@pytest.fixture
def engine(tiny_model_dir: Path) -> Iterator[WorkerEngine]:
    engine = local_engine()
    engine.configure(EngineConfig(str(tiny_model_dir), 1))
    yield engine
    engine.close()
    assert engine.join(WAIT_S)


def test_an_answer_replaces_bytes_at_the_cursor(engine: WorkerEngine) -> None:
    future = engine.submit(EngineRequest(TEXT, CURSOR, "python", 2, 5000), CancelToken())
    answer = future.result(WAIT_S)
    assert answer.start == CURSOR <= answer.end
    assert answer.steps > 0 and answer.kind
    assert len(answer.candidates) <= 2
    assert answer.candidates or answer.reason
    assert all(0 < candidate.score <= 1 for candidate in answer.candidates)
    assert engine.status().state is EngineState.READY


def test_words_are_scored_and_repair_is_passed_on(engine: WorkerEngine) -> None:
    asked = EngineScoreRequest(TEXT, 0, len(TEXT), "python", 100)
    scored = engine.submit_score(asked, CancelToken()).result(WAIT_S)
    assert [word.text for word in scored.words][:2] == ["def", "add"]
    assert scored.end == len(TEXT) and scored.tokens > 0
    request = EngineRequest(TEXT, CURSOR, "python", 50, repair=True)
    repaired = engine.submit(request, CancelToken()).result(WAIT_S)
    assert repaired.candidates or repaired.reason


def test_a_token_set_before_the_turn_costs_no_step(engine: WorkerEngine) -> None:
    token = CancelToken()
    token.cancel("stale")
    with pytest.raises(Cancelled, match="stale"):
        engine.submit(EngineRequest(TEXT, CURSOR, "python"), token).result(WAIT_S)
    assert engine.status().state is EngineState.IDLE


def test_the_sampler_stops_within_one_step_of_a_cancel(tiny_model_dir: Path) -> None:
    """The token is set during the second step; a third is never begun."""
    from diffusion.infill import Infiller, InfillRequest

    infiller, token, steps = Infiller.load(tiny_model_dir, threads=1), CancelToken(), []

    def on_step(snapshot: object) -> None:
        steps.append(snapshot)
        if len(steps) == 2:
            token.cancel("cancelled")

    with pytest.raises(Cancelled):
        infiller.infill(
            InfillRequest(TEXT, CURSOR, "python", length=64), cancel=token, on_step=on_step
        )
    assert len(steps) == 2


def test_a_missing_folder_is_named(engine: WorkerEngine, tmp_path: Path) -> None:
    engine.configure(EngineConfig(str(tmp_path / "none")))
    with pytest.raises(EngineUnavailable, match="none"):
        engine.submit(EngineRequest(TEXT, CURSOR, "python"), CancelToken()).result(WAIT_S)


def test_a_model_has_a_name_for_people(tiny_model_dir: Path) -> None:
    assert load(EngineConfig(str(tiny_model_dir))).model == tiny_model_dir.name


def test_fills_and_alternatives_replace_what_they_say(engine: WorkerEngine) -> None:
    text = b"def add(___, b):\n    # sum\n    return ___ + b\n"
    first, second = text.index(b"___"), text.rindex(b"___")
    holes = ((first, first + 3), (second, second + 3))
    asked = EngineFillRequest(text, "python", holes=holes, deadline_ms=60_000)
    answer = engine.submit_fill(asked, CancelToken()).result(WAIT_S)
    assert answer.holes == holes and len(answer.fills[0].texts) == 2
    for task, at in (("bridge", len(text)), ("comment", text.index(b"sum"))):
        lines = replace(asked, task=task, holes=(), at=at)
        found = engine.submit_fill(lines, CancelToken()).result(WAIT_S)
        assert len(found.holes) == 1 and (found.fills or found.reason)
    other = EngineAlternativesRequest(text, *holes[1], "python", b"a", 0, deadline_ms=60_000)
    others = engine.submit_alternatives(other, CancelToken()).result(WAIT_S)
    assert others.token.strip() == "a" and len(others.alternatives) <= 3


def test_drafts_name_the_ranges_that_they_are_for(engine: WorkerEngine) -> None:
    holes = EngineFillRequest(b"a = ___\nb = ___\n", "python", holes=((4, 7), (12, 15)))
    bridge = EngineFillRequest(b"a = 1\nprint(b)\n", "python", "bridge", at=6)
    for request in (holes, bridge):
        drafts: list[EngineDraft] = []
        answer = engine.submit_fill(request, CancelToken(), drafts.append).result(WAIT_S)
        assert drafts and all(draft.holes == answer.holes for draft in drafts)
        assert all(len(draft.pieces) == len(draft.holes) for draft in drafts)
    drafts = []
    rewrite = EngineRewriteRequest(TEXT, 4, 13, "python", 1.0)
    engine.submit_rewrite(rewrite, CancelToken(), drafts.append).result(WAIT_S)
    assert drafts and all(draft.holes == ((4, 13),) for draft in drafts)


def test_other_files_are_passed_on(engine: WorkerEngine) -> None:
    others = LineIndex.of([("other.py", b"def other(a, b):\n")])
    request = EngineRequest(TEXT, CURSOR, "python", 2, repository=others)
    assert engine.submit(request, CancelToken()).result(WAIT_S).kind
    assert _asked(request).repository is others


def test_what_torch_raises_on_a_gpu_is_told_as_the_gpus(tiny_model_dir: Path) -> None:
    filler = load(EngineConfig(str(tiny_model_dir), 1))
    assert isinstance(filler, LocalFiller)

    class Broken:
        device = torch.device("cpu")

    broken = Broken()

    class Infiller:
        denoiser = broken

        def infill(self, *_: object, **__: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    filler._infiller = Infiller()  # type: ignore[assignment]
    asked = EngineRequest(TEXT, CURSOR, "python")
    with pytest.raises(torch.OutOfMemoryError):
        filler.infill(asked, CancelToken())
    broken.device = torch.device("cuda")
    with pytest.raises(DeviceFailed, match=r"cuda, which failed \(CUDA out of memory.\), and runs"):
        filler.infill(asked, CancelToken())


def test_what_is_prepared_without_room_is_not_encoded(tiny_model_dir: Path) -> None:
    """With room it is; and neither way it takes the place of what was asked last."""
    below = EngineRequest(TEXT + b"    \n", len(TEXT) + 4, "python")
    for cached_contexts, found in ((1, False), (2, True)):
        config = InfillConfig(cached_contexts=cached_contexts)
        infiller = Infiller.load(tiny_model_dir, threads=1, config=config)
        filler = LocalFiller(infiller, "tiny")
        filler.infill(EngineRequest(TEXT, CURSOR, "python"), CancelToken())
        filler.prepare(below, CancelToken())
        assert len(infiller.contexts) == cached_contexts
        again = filler.infill(EngineRequest(TEXT, CURSOR, "python"), CancelToken())
        assert again.context_cached
        assert filler.infill(below, CancelToken()).context_cached is found
