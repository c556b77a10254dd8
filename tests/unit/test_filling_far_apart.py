"""Holes too far apart for one context: group by group, each with its share of the time."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from diffusion.filling import FillRequest, fill
from diffusion.infill import Infiller
from diffusion.open_parts import OpenParts, open_parts
from diffusion.process.joint import sample_jointly
from diffusion.text.parts import find_markers
from diffusion.written import OUT_OF_TIME

FILLER = b"".join(b"value_%d = compute(%d)\n" % (n, n) for n in range(200))


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def far_apart(middle: bytes = b"___") -> FillRequest:
    """Three holes, the last one an empty range before a line."""
    data = b"first = ___\n" + FILLER + b"second = " + middle + b"\n" + FILLER + b"end()\n"
    second, end = data.index(b"second = ") + 9, data.index(b"end()")
    holes = ((8, 11), (second, second + len(middle)), (end, end))
    return FillRequest(data, holes, "python", deadline_ms=600_000)


def test_groups_too_far_apart_for_one_context_are_filled_one_after_another(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"first = ___\n" + FILLER + b"last = ___\n" + FILLER + b"end = ___\n"
    seen: list[tuple[bytes, list[tuple[int, int]]]] = []

    def watched(
        model: Infiller, text: bytes, spans: list[tuple[int, int]], *more: Any
    ) -> OpenParts:
        seen.append((text, spans))
        return open_parts(model, text, spans, *more)

    monkeypatch.setattr("diffusion.filling.open_parts", watched)
    result = fill(infiller, FillRequest(data, tuple(find_markers(data)), "python"))
    [found] = result.fills
    assert len(found.texts) == 3
    for number, (text, [(start, end)]) in enumerate(seen):
        assert text[start:end] == b"___"
        assert text.count(b"___") == 3 - number, "what is filled already is text"
        if number:
            assert text.startswith(b"first = " + found.texts[0].encode())


def test_every_group_has_its_share_of_the_time(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_s = time.perf_counter()
    ends: list[float] = []

    def watched(*asked: Any, deadline_s: float, **more: Any) -> Any:
        ends.append(deadline_s - begun_s)
        return sample_jointly(*asked, deadline_s=deadline_s, **more)

    clock = SimpleNamespace(perf_counter=lambda: begun_s)
    monkeypatch.setattr("diffusion.filling.time", clock)
    monkeypatch.setattr("diffusion.filling.sample_jointly", watched)
    assert fill(infiller, far_apart()).fills
    assert ends == pytest.approx([200, 300, 600])


@pytest.mark.parametrize("middle", [b"___", b"\xff\xfe"])
def test_what_was_filled_when_the_time_is_over_is_kept(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch, middle: bytes
) -> None:
    asked = far_apart(middle)
    now_s = time.perf_counter()
    opened: list[Any] = []

    def slow(*asked: Any, **more: Any) -> Any:
        nonlocal now_s
        results = sample_jointly(*asked, **more)
        now_s += 1000
        return results

    def watched(*asked: Any) -> OpenParts:
        opened.append(asked)
        return open_parts(*asked)

    monkeypatch.setattr("diffusion.filling.time", SimpleNamespace(perf_counter=lambda: now_s))
    monkeypatch.setattr("diffusion.filling.sample_jointly", slow)
    monkeypatch.setattr("diffusion.filling.open_parts", watched)
    result = fill(infiller, asked)
    assert len(opened) == 1, "no context is encoded when the time is over"
    if middle != b"___":  # no text can say that they stay
        assert (result.fills, result.reason) == ((), OUT_OF_TIME)
        return
    [found] = result.fills
    assert found.texts[0].strip() and found.texts[0] != "___"
    assert found.texts[1:] == ("___", "") and found.tokens[1:] == ((), ())
    assert result.reason == f"1 of 3 holes were filled; for the others, {OUT_OF_TIME}"
