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


@pytest.mark.parametrize("outside", [0, 400])
def test_line_after_line_little_is_read(infiller: Infiller, outside: int) -> None:
    """Who types in haste pays for the far part once in eight lines, in a large document, too."""
    above = b"".join(b"d%d = %d\n" % (n, n) for n in range(outside))
    below = b"\n" + b"".join(b"b%d = %d\n" % (n, n) for n in range(outside + 40))
    read = []
    for typed in range(17):
        text = above + b"".join(b"a%d = 1\n" % (10 + n) for n in range(typed)) + b"c"
        asked = InfillRequest(text + below, len(text), "python", length=3, in_haste=True)
        read.append(infiller.infill(asked).context_read)
        assert infiller.infill(asked).context_read == 0
    far, near = read[::8], [tokens for typed, tokens in enumerate(read) if typed % 8]
    assert min(far) > 200 and max(near) <= 7 * 6 + 16
    first_has_none = 0 if outside else 1
    assert near[7:] == [first_has_none + tokens for tokens in near[:7]], "no line end above line 0"


def test_what_is_encoded_ahead_in_haste_is_found_in_haste(infiller: Infiller) -> None:
    ahead, typed = (replace(asked, in_haste=True) for asked in (REQUEST, TYPED))
    assert infiller.encode_ahead(ahead, CancelToken())
    assert infiller.infill(typed).context_cached
    assert not infiller.infill(TYPED).context_cached, "by key, all of it is read at once"


def test_a_place_whose_far_part_was_forgotten_is_found_all_the_same(tiny_model_dir: Path) -> None:
    config = InfillConfig(cached_contexts=2)
    infiller = Infiller.load(tiny_model_dir, threads=1, config=config)
    asked = replace(TYPED, in_haste=True)
    assert infiller.infill(asked).context_read > 0
    infiller.infill(replace(REQUEST, text="# elsewhere\nx = \n", cursor=16))
    assert infiller.infill(asked).context_read == 0


def test_a_far_part_in_use_is_not_forgotten(tiny_model_dir: Path) -> None:
    """Whoever types on a line will ask for the next one, which shares it."""
    infiller = Infiller.load(tiny_model_dir, threads=1, config=InfillConfig(cached_contexts=3))
    below = "".join(f"b{n} = {n}\n" for n in range(40))

    def asked(line: str) -> InfillRequest:
        text = f"{BEFORE}{line}    ret"
        return InfillRequest(f"{text}\n{below}", len(text), "python", length=3, in_haste=True)

    elsewhere = [replace(REQUEST, text=f"# {n}\nx = \n", cursor=8) for n in range(2)]
    first = infiller.infill(asked("")).context_read
    infiller.infill(elsewhere[0])
    infiller.infill(asked(""))
    infiller.infill(elsewhere[1])  # a fourth context: the first of elsewhere goes
    assert infiller.infill(asked("    z = 1\n")).context_read < 60 < first


@pytest.mark.parametrize(("in_haste", "canvases"), [(False, 3), (True, 1)])
def test_in_haste_one_canvas_is_written(
    infiller: Infiller, in_haste: bool, canvases: int
) -> None:
    """The largest one: it holds what the others do."""
    infiller.ranking = replace(infiller.ranking, quantiles=(0.3, 0.6, 0.9), forks=0)
    seen: list[list[int]] = []
    asked = replace(TYPED, length="predicted", in_haste=in_haste)
    infiller.infill(asked, on_step=lambda step: seen.append([len(row) for row in step.ids]))
    assert len(seen[0]) == canvases
    by_key: list[list[int]] = []
    infiller.infill(
        replace(asked, in_haste=False),
        on_step=lambda step: by_key.append([len(row) for row in step.ids]),
    )
    assert max(seen[0]) == max(by_key[0])


@pytest.mark.parametrize("in_haste", [False, True])
@pytest.mark.parametrize("limit", ["memory", "places"])
@pytest.mark.parametrize("room_for", [0, 1])
def test_what_is_encoded_ahead_takes_no_place_of_the_last_request(
    tiny_model_dir: Path, in_haste: bool, limit: str, room_for: int
) -> None:
    """Whoever types on needs that; in haste a far part and one with near lines."""
    asked = replace(TYPED, in_haste=in_haste)
    elsewhere = [
        replace(REQUEST, text=f"# {n}\n{BEFORE}", cursor=4, in_haste=in_haste) for n in range(3)
    ]
    plenty = Infiller.load(tiny_model_dir, threads=1)
    plenty.infill(asked)
    [*used] = plenty.contexts._caches.values()
    places = len(used) + room_for
    config = InfillConfig(cached_contexts=places)
    if limit == "memory":
        sizes = [cache.bytes for cache in used]
        config = InfillConfig(cache_mb=(sum(sizes) + 1.5 * room_for * max(sizes)) / 1e6)
    infiller = Infiller.load(tiny_model_dir, threads=1, config=config)
    infiller.infill(elsewhere[2])
    before = infiller.infill(asked).candidates
    for request in elsewhere[:2]:
        with infiller.contexts.ahead() as has_room:
            infiller.encode_ahead(request, CancelToken())
        assert has_room is bool(room_for)
    assert len(infiller.contexts) == len(used) + room_for
    again = infiller.infill(asked)
    assert again.context_cached and again.candidates == before
    infiller.infill(elsewhere[0])
    infiller.infill(elsewhere[1])
    assert len(infiller.contexts) <= places, "a real request takes what place it needs"


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
