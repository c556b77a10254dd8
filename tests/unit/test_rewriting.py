"""Rewriting a selection: what is touched, what is kept, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import CanvasError, HoleError
from diffusion.infill import Infiller
from diffusion.open_hole import OpenRange
from diffusion.rewriting import RewriteRequest, masked_slots, rewrite
from diffusion.text.tokenizer import DEL, MASK
from diffusion.written import OUT_OF_TIME
from tests.support.denoisers import Distribution, ScriptedDenoiser, oracle
from tests.support.drawn import read_drawn
from tests.support.reference import example_holes

DRAWN = read_drawn(
    "def total(items):\n    ⟦result = sum(item.price for item in items)⟧\n    return result\n"
)
[(START, END)] = DRAWN.holes
REQUEST = RewriteRequest(DRAWN.data, START, END, "python")
STRENGTHS = (0.1, 0.3, 0.6, 1.0)


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


class Scripted(Infiller):
    """An infiller whose model is a script, or, given a text, knows that for the selection."""

    said: ScriptedDenoiser | bytes

    def open_range(self, *asked: Any, **more: Any) -> OpenRange:
        opened = super().open_range(*asked, **more)
        typed = opened.placement
        if isinstance(self.said, bytes):
            slots = self.tokenizer.encode(typed.constraint + self.said)
            self.said = oracle((*typed.pins, *slots), self.vocabulary.size)
        return replace(opened, model=self.said, copying=self.said)  # type: ignore[arg-type]


@pytest.fixture
def scripted(tiny_model_dir: Path) -> Scripted:
    loaded = Scripted.load(tiny_model_dir, threads=1, precision="fp32")
    assert isinstance(loaded, Scripted)
    return loaded


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=40), st.integers(0, 1))
def test_what_is_masked_grows_with_the_strength(log_p: list[float], given: int) -> None:
    given = min(given, len(log_p) - 1)
    chosen = [set(masked_slots(log_p, given, strength)) for strength in STRENGTHS]
    assert all(low <= high for low, high in pairwise(chosen)), "each is part of the next"
    assert chosen[0] and chosen[-1] == set(range(given, len(log_p)))
    kept = set(range(given, len(log_p))) - chosen[1]
    assert all(log_p[k] >= log_p[m] for k in kept for m in chosen[1]), "the oddest first"


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=20), st.sets(st.integers(1, 19)))
def test_a_character_of_several_tokens_is_masked_whole(log_p: list[float], cut: set[int]) -> None:
    joined = frozenset(slot for slot in cut if slot < len(log_p))
    chosen = [set(masked_slots(log_p, 0, strength, joined=joined)) for strength in STRENGTHS]
    assert all(low <= high for low, high in pairwise(chosen)), "each is part of the next"
    for masked in chosen:
        assert masked and all((slot in masked) == (slot - 1 in masked) for slot in joined)


def test_alternatives_differ_from_the_text_and_from_each_other(infiller: Infiller) -> None:
    for strength in STRENGTHS:
        result = rewrite(infiller, replace(REQUEST, strength=strength))
        texts = [found.text for found in result.rewrites]
        assert texts and len(texts) == len(set(texts))
        assert DRAWN.data[START:END].decode() not in texts
        assert all(0 < found.changed <= 1 and 0 <= found.score <= 1 for found in result.rewrites)


def test_low_strength_leaves_the_probable_tokens_as_they_are(infiller: Infiller) -> None:
    low = rewrite(infiller, replace(REQUEST, strength=0.1))
    high = rewrite(infiller, replace(REQUEST, strength=1.0))
    assert low.masked == 2 < high.masked
    assert min(r.changed for r in low.rewrites) < min(r.changed for r in high.rewrites)
    assert all(r.changed <= 0.35 for r in low.rewrites)


def test_a_selection_in_the_middle_of_a_word(infiller: Infiller) -> None:
    inside = replace(REQUEST, start=START + 3, end=START + 8)
    for strength in (0.5, 1.0):
        for found in rewrite(infiller, replace(inside, strength=strength)).rewrites:
            assert found.text


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_selection_behind_a_word_of_several_tokens(infiller: Infiller, strength: float) -> None:
    """The word is typed, so that its tokens stay, all of them and nothing else."""
    text = b"handler = build_request_handler_factory(request, settings)\n"
    start = text.index(b"(")
    asked = RewriteRequest(text, start, len(text) - 1, "python", strength, alternatives=8)
    assert rewrite(infiller, asked).rewrites
    kept = ((text.index(b"settings"), len(text)),)
    assert all(
        found.text.endswith("settings)")
        for found in rewrite(infiller, replace(asked, keep=kept)).rewrites
    )


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_selection_in_the_last_token_of_its_word(infiller: Infiller, strength: float) -> None:
    """No token of it can stay, and it is written anew whatever the strength."""
    text = b"build_request_handler_fac"
    found = rewrite(infiller, RewriteRequest(text, len(text) - 1, len(text), "python", strength))
    assert found.rewrites and found.masked > 1
    with pytest.raises(HoleError, match="is kept"):
        asked = RewriteRequest(text, len(text) - 1, len(text), "python", strength)
        rewrite(infiller, replace(asked, keep=((0, len(text)),)))


def test_line_ends_that_are_kept_stay_and_no_text_is_offered_for_them(infiller: Infiller) -> None:
    data = b"a = 1\r\nb = 2\r\nc = 3\nd = 4\r\ne = 5\r\nf = 6\r\n"
    start, end = data.index(b"b ="), data.index(b"e =")
    kept = (data.index(b"c ="), data.index(b" = 4"))
    asked = RewriteRequest(data, start, end, "python", 0.1, 8, keep=(kept,))
    texts = [found.text for found in rewrite(infiller, asked).rewrites]
    assert texts and all("c = 3\nd" in text for text in texts)
    unlike = {text.replace("\r\n", "\n") for text in texts}
    assert len(unlike) == len(texts)
    assert data[start:end].decode().replace("\r\n", "\n") not in unlike


@pytest.mark.parametrize("gap", [b" ", b"\t", b"(", b"\n", b"\n    "])
def test_the_first_word_of_a_selection_is_masked_as_any_other(
    scripted: Scripted, gap: bytes
) -> None:
    text = b"return" + gap + b"name * height\n"
    scripted.said = b"width * height"
    asked = RewriteRequest(text, text.index(b"name"), len(text) - 1, "python", 0.3)
    result = rewrite(scripted, asked)
    assert result.masked == 1 and result.rewrites[0].text == "width * height"


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize(
    ("selected", "kept"),
    [(b"pute", b"com"), (b"compute(x)", b" "), (b"compute(x)", b"value"), (b"compute(x)", b"\n")],
)
def test_outside_the_selection_what_is_kept_says_nothing(
    infiller: Infiller, selected: bytes, kept: bytes, strength: float
) -> None:
    text = b"value = compute(x)\n"
    start, low = text.index(selected), text.rindex(kept)
    asked = RewriteRequest(text, start, start + len(selected), "python", strength, alternatives=1)
    plain = rewrite(infiller, asked)
    for keep in ((low, low + len(kept)), (start + 2, start + 2)):
        same = rewrite(infiller, replace(asked, keep=(keep,)))
        assert (same.rewrites, same.masked) == (plain.rewrites, plain.masked)


@pytest.mark.parametrize("strength", STRENGTHS[:3])
def test_no_canvas_begins_with_half_of_a_character(scripted: Scripted, strength: float) -> None:
    text = "name = '日本語のグラフ größe'\n".encode()
    scripted.said = asked = ScriptedDenoiser(scripted.vocabulary.size, lambda *at: {})
    start = text.index(b"'")
    rewrite(scripted, RewriteRequest(text, start, len(text) - 1, "python", strength))
    for ids in asked.calls[1].ids:
        for stretch in "".join(chr(i) for i in ids).split(chr(MASK)):
            scripted.tokenizer.decode(map(ord, stretch)).decode("utf-8")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("é".encode()[:1], "the model wrote half of a character"),
        (b"name", "the model would leave it as it is"),
        (b"name\n", "the model would leave it as it is"),
    ],
)
def test_it_says_why_there_is_no_rewrite(scripted: Scripted, said: bytes, reason: str) -> None:
    slots = scripted.tokenizer.encode(b"\n" + said)

    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        return {slots[position] if position < len(slots) else DEL: 1 - 1e-9}

    scripted.said = ScriptedDenoiser(scripted.vocabulary.size, script)
    result = rewrite(scripted, RewriteRequest(b"\nname", 1, 5, "python", 1.0))
    assert not result.rewrites and result.reason == reason


@pytest.mark.parametrize("strength", [0.05, 0.3])
def test_line_ends_of_two_tokens_are_neither_odd_nor_parted(
    scripted: Scripted, strength: float
) -> None:
    text = b"func f() {\n\tsum := 0\n\tfor i := 0; i < 9; i++ {\n\t\tsum += i\n\t}\n}\n"
    text = text.replace(b"\n", b"\r\n")
    start, end = text.index(b"sum"), text.index(b"}\r\n}")
    wanted = text[start:end].replace(b"i < 9", b"i > 9")
    assert len(scripted.tokenizer.encode(b"\r\n\t")) == 2
    scripted.said = wanted.replace(b"\r\n", b"\n")
    result = rewrite(scripted, RewriteRequest(text, start, end, "go", strength))
    assert result.rewrites[0].text == wanted.decode()
    assert result.rewrites[0].changed < 0.1, "a line end in other bytes is no change"


def test_it_says_that_the_time_was_up(infiller: Infiller) -> None:
    result = rewrite(infiller, replace(REQUEST, deadline_ms=0.001))
    assert not result.rewrites and result.reason == OUT_OF_TIME


@pytest.mark.parametrize("strength", STRENGTHS)
def test_what_is_to_be_kept_is_kept(infiller: Infiller, strength: float) -> None:
    start = DRAWN.data.index(b"item.price")
    asked = replace(REQUEST, strength=strength, keep=((start, start + len(b"item.price")),))
    result = rewrite(infiller, asked)
    assert result.rewrites and all("item.price" in found.text for found in result.rewrites)
    with pytest.raises(HoleError, match="all of the selection is kept"):
        rewrite(infiller, replace(asked, keep=((START, END),)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": 5, "end": 4}, "two offsets"),
        ({"end": 10_000}, "the document has"),
        ({"start": START - 4, "end": START}, "is blank"),
        ({"strength": 0.0}, "above 0"),
        ({"strength": 1.5}, "above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    infiller: Infiller, change: dict[str, float], said: str
) -> None:
    with pytest.raises(HoleError, match=said):
        rewrite(infiller, replace(REQUEST, **change))  # type: ignore[arg-type]


def test_a_long_selection_is_refused_with_the_limit(infiller: Infiller) -> None:
    text = b"".join(b"value_%d = compute(%d)\n" % (n, n) for n in range(60))
    with pytest.raises(CanvasError, match="fit a canvas; select less"):
        rewrite(infiller, RewriteRequest(text, 0, len(text), "python"))


def test_a_cancelled_rewrite_stops(infiller: Infiller) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        rewrite(infiller, REQUEST, cancel=cancel)


@pytest.mark.model
@pytest.mark.slow
def test_on_real_code_the_changed_share_grows_with_the_strength(bundled_infiller: Infiller) -> None:
    """Over holes of the demo's programs as selections: the mean of the best rewrites."""
    means = []
    for strength in STRENGTHS:
        changed = []
        for opened in example_holes(24, seed=4):
            text = opened.text[: opened.cursor] + opened.middle + opened.text[opened.cursor :]
            end = opened.cursor + len(opened.middle)
            asked = RewriteRequest(text, opened.cursor, end, opened.language, strength)
            result = rewrite(bundled_infiller, asked)
            changed.append(result.rewrites[0].changed if result.rewrites else 0.0)
        means.append(sum(changed) / len(changed))
    assert all(low < high for low, high in pairwise(means)), means


@pytest.mark.model
def test_a_rewrite_has_the_line_ends_of_its_document(bundled_infiller: Infiller) -> None:
    text = b"def f(items):\r\n    total = 0\r\n    for item in items:\r\n        total += item\r\n"
    start, end = text.index(b"    total"), text.index(b"    for")
    asked = RewriteRequest(text, start, end, "python", strength=1.0)
    found = rewrite(bundled_infiller, asked).rewrites
    assert any("\n" in r.text for r in found)
    assert all(r.text.count("\n") == r.text.count("\r\n") for r in found)
