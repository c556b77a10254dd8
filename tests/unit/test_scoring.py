"""Scoring words: which are looked at, that the cost is bounded, and that probabilities are such."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import HoleError
from diffusion.infill import InfillConfig, Infiller, InfillRequest
from diffusion.process.vocabulary import Vocabulary
from diffusion.scoring import STRETCH, ScoreRequest, _judge, _stretches, _Word, score
from diffusion.suspicion import Alternative, ScoredWord, sort_of, suspicion, suspicious
from diffusion.text.canvas import MAX_CANVAS, place
from diffusion.text.tokenizer import MASK, Tokenizer
from tests.support.denoisers import Distribution, ScriptedDenoiser, byte_ids, byte_vocabulary

CODE = b'def total(items):\n    """Add up."""\n    return sum(items) + 1  # all\n'
REQUEST = ScoreRequest(CODE, "python")


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def test_every_word_once_in_order_with_probabilities(infiller: Infiller) -> None:
    result = score(infiller, REQUEST)
    texts = [word.text for word in result.words]
    assert texts[:4] == ["def", "total", "(", "items"]
    assert "".join(texts) == "".join(CODE.decode().split())
    for word in result.words:
        assert CODE[word.start : word.end].decode() == word.text
        assert 0 <= word.p <= 1 and all(0 <= a.p <= 1 for a in word.alternatives)
    starts = [word.start for word in result.words]
    assert starts == sorted(set(starts)) and result.end == len(CODE)


def test_code_only_leaves_strings_and_comments_out(infiller: Infiller) -> None:
    texts = [word.text for word in score(infiller, replace(REQUEST, code_only=True)).words]
    assert "return" in texts and "sum" in texts
    assert not {"Add", "up", "all"} & set(texts)


def test_a_range_scores_its_words_only_as_the_whole_does(infiller: Infiller) -> None:
    start = CODE.index(b"    return")
    part = score(infiller, replace(REQUEST, start=start))
    whole = {word.start: word for word in score(infiller, REQUEST).words}
    assert part.words and all(word.start >= start for word in part.words)
    assert {word.start for word in part.words} == {at for at in whole if at >= start}
    for word in part.words:
        assert (word.end, word.text) == (whole[word.start].end, whole[word.start].text)
        assert 0 < word.p < 1
    assert len({word.p for word in part.words}) > len(part.words) // 2
    assert score(infiller, replace(REQUEST, start=3, end=3)).words == ()


@pytest.mark.parametrize("cut", ["items", "total", "def", "(items", "items)", '"""', ")", "1"])
def test_words_that_a_range_cuts_are_left_out(infiller: Infiller, cut: str) -> None:
    whole = [(w.start, w.end) for w in score(infiller, REQUEST).words]
    start = CODE.rindex(cut.encode())
    for at in range(start, start + len(cut) + 1):
        left = [(w.start, w.end) for w in score(infiller, replace(REQUEST, end=at)).words]
        right = [(w.start, w.end) for w in score(infiller, replace(REQUEST, start=at)).words]
        assert left == [(low, high) for low, high in whole if high <= at]
        assert right == [(low, high) for low, high in whole if low >= at]


def test_the_cost_is_bounded_and_said(infiller: Infiller) -> None:
    text = b"".join(b"value_%d = compute(%d, other)\n" % (n, n) for n in range(60))
    result = score(infiller, ScoreRequest(text, "python", max_tokens=2 * STRETCH))
    assert 0 < result.end < len(text) and result.tokens < 3 * STRETCH
    assert all(word.end <= result.end for word in result.words)
    assert text[: result.end].endswith(b"\n")


def test_progress_is_told_up_to_the_end(infiller: Infiller) -> None:
    text = b"".join(b"value_%d = compute(%d, other)\n" % (n, n) for n in range(60))
    told: list[tuple[int, int]] = []
    asked = ScoreRequest(text, "python", start=30)
    score(infiller, asked, on_progress=lambda done, of: told.append((done, of)))
    size = len(text) - 30
    assert len(told) > 2 and told == sorted(set(told)) and told[-1] == (size, size)


def test_the_place_where_somebody_types_is_kept(tiny_model_dir: Path) -> None:
    """What is scored is looked at once: its contexts push out none."""
    config = InfillConfig(cached_contexts=1)
    infiller = Infiller.load(tiny_model_dir, threads=1, precision="fp32", config=config)
    typing = InfillRequest(b"def area(shape):\n    return \n", 28, "python", length=2)
    infiller.infill(typing)
    kept = (len(infiller.contexts), infiller.contexts.indexes)
    assert score(infiller, REQUEST).words
    assert (len(infiller.contexts), infiller.contexts.indexes) == kept
    assert infiller.infill(typing).context_cached


def test_what_makes_no_sense_is_refused_and_a_cancel_stops(infiller: Infiller) -> None:
    with pytest.raises(HoleError, match="two offsets"):
        score(infiller, replace(REQUEST, start=9, end=3))
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        score(infiller, REQUEST, cancel=cancel)


@pytest.mark.parametrize(
    "text",
    [b"", b"\n\n  \n", b"\xff\x00\xfe", "naïve = '漢😀'\r\nx\r".encode(), b"x" * 4000, b"[" * 900],
    ids=["empty", "blank", "no text", "crlf", "one long word", "brackets"],
)
def test_unusual_text(infiller: Infiller, text: bytes) -> None:
    result = score(infiller, ScoreRequest(text, "python", code_only=True))
    assert result.end == len(text)
    assert all(text[w.start : w.end].strip() for w in result.words)


@settings(max_examples=60)
@given(st.binary(max_size=1500), st.integers(0, 40))
def test_stretches_cover_the_range_and_fit(
    bundled_tokenizer: Tokenizer, data: bytes, start: int
) -> None:
    start = min(start, len(data))
    at = start
    for low, high in _stretches(bundled_tokenizer, data, start, len(data)):
        assert low == at < high
        floor = low if low and data[low - 1 : low] != b"\n" else 0
        placement = place(bundled_tokenizer, data, low, high, floor=floor)
        slots = placement.slots_needed(bundled_tokenizer, data[low:high])
        assert len(slots) <= STRETCH + 1 <= MAX_CANVAS - len(placement.pins)
        at = high
    assert at == len(data)


@pytest.fixture(scope="module")
def bundled_tokenizer() -> Tokenizer:
    from diffusion.pretrained import bundled_tokenizer_path

    return Tokenizer.load(bundled_tokenizer_path())


class ByteTokenizer:
    """Decodes the byte vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def decode(self, ids: list[int]) -> bytes:
        return b"".join(self._vocabulary.token_bytes[token] for token in ids)


def test_a_word_is_masked_whole_and_seen_beside_the_others() -> None:
    """Of seven words, in two rows at most: each masked once, all its tokens at a time."""
    text = b"ab cd e f gh i j"
    vocabulary = byte_vocabulary()
    places = [(0, 2), (3, 5), (6, 7), (8, 9), (10, 12), (13, 14), (15, 16)]
    words = [_Word(first, last, first, last) for first, last in places]
    target = byte_ids(text.decode())

    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        rest = {byte_ids("z")[0]: 0.6} if position == 6 else {}
        return {target[position]: 0.25, **rest}

    denoise = ScriptedDenoiser(vocabulary.size, script)
    found = _judge(
        denoise, ByteTokenizer(vocabulary), vocabulary, (), list(target), words, text  # type: ignore[arg-type]
    )  # fmt: skip
    assert [word.text for word in found] == text.decode().split()
    assert all(word.p == pytest.approx(0.25, rel=1e-3) for word in found)
    assert found[2].alternatives[0] == Alternative("z", pytest.approx(0.6, rel=1e-3))
    assert found[0].alternatives[0].text == "ab"
    [call] = denoise.calls
    masked = [[i for i, token in enumerate(row) if token == MASK] for row in call.ids]
    assert sorted(slot for row in masked for slot in row) == [
        slot for first, last in places for slot in range(first, last)
    ]
    assert masked[0] == [0, 1, 13], "a word and the fifth after it"


@pytest.mark.parametrize(
    ("text", "place", "instead", "offered"),
    [
        ("a==b", (1, 3), " in", False), ("a==(b)", (1, 3), " in", False),
        ("(a)==b", (3, 5), "in", False), ("(a)==(b)", (3, 5), "in", True),
        ("a == b", (2, 4), " in", True), ("a==b", (1, 3), " >=", True),
        ("é==b", (2, 4), "or(", False), ("a==b", (0, 1), "key", True),
        ("a1", (0, 1), "key", True), ("a1", (1, 2), "2", True), ("3==1", (1, 3), "in", False),
    ],
)  # fmt: skip
def test_an_alternative_runs_into_no_letter(
    text: str, place: tuple[int, int], instead: str, offered: bool
) -> None:
    vocabulary = byte_vocabulary(instead.encode(), *([text.encode()[slice(*place)]]))
    other, own = vocabulary.size - 2, vocabulary.size - 1
    start, end = place
    data = text.encode()
    slots = [*(32 + b for b in data[:start]), own, *(32 + b for b in data[end:])]
    found = _judge(
        ScriptedDenoiser(vocabulary.size, lambda *at: {other: 0.7, own: 0.2}),
        ByteTokenizer(vocabulary), vocabulary, (), slots,  # type: ignore[arg-type]
        [_Word(start, start + 1, start, end)], data,
    )  # fmt: skip
    assert (instead.strip() in {a.text for a in found[0].alternatives}) is offered
    assert found[0].text in {a.text for a in found[0].alternatives}


def word(text: str, p: float, **others: float) -> ScoredWord:
    alternatives = sorted(
        (Alternative(name, value) for name, value in {**others, text: p}.items()),
        key=lambda a: -a.p,
    )
    return ScoredWord(0, len(text), text, p, tuple(alternatives))


def test_what_is_suspicious() -> None:
    found = suspicion(word("index", 0.1, length=0.7, end=0.15, total=0.05))
    assert found is not None and found.margin == pytest.approx(0.6)
    assert [a.text for a in found.instead] == ["length", "end"]
    assert suspicion(word("index", 0.5, length=0.4)) is None, "it is the likeliest itself"
    assert suspicion(word("index", 0.1, **{"(": 0.8})) is None, "another sort"
    assert suspicion(word("while", 0.1, **{"if": 0.8})) is None, "taste"
    assert suspicion(word("<", 0.1, **{">": 0.8})) is not None
    assert suspicion(word("1", 0.1, **{"0": 0.8})) is not None


def test_the_most_suspicious_are_kept_in_text_order() -> None:
    words = [
        replace(word("a", 0.01, b=p), start=start, end=start + 1)
        for start, p in ((0, 0.9), (5, 0.3), (9, 0.95), (12, 0.8))
    ]
    assert [s.word.start for s in suspicious(words, 0.5, 9)] == [0, 9, 12]
    assert [s.word.start for s in suspicious(words, 0.5, 2)] == [0, 9]


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("name", "name"), ("is", "operator"), ("==", "operator"), ("&&", "operator"),
        ("12", "number"), ("return", None), ("None", None), ("),", None), ("", None), ("é", "name"),
        ("isinstance", "name"),
    ],
)  # fmt: skip
def test_sorts(text: str, sort: str | None) -> None:
    assert sort_of(text) == sort


FAULTS = (
    ("while lo <", "while lo >", "<"),
    ("lo + hi", "lo - hi", "+"),
    ("mid + 1", "mid - 1", "+"),
    ("len(a)", "len(x)", "a"),
    ("return lo", "return hi", "lo"),
    ("if a[mid] <", "if a[mid] >", "<"),
    ("// 2", "// 3", "2"),
)
"""What stands in a function, what a copy of it has instead, and the word that belongs there."""


@pytest.mark.model
@pytest.mark.slow
def test_the_bundled_model_finds_most_faults_of_a_copy(bundled_infiller: Infiller) -> None:
    text = (
        "def find(a, x, lo=0, hi=None):\n    if hi is None:\n        hi = len(a)\n"
        "    while lo < hi:\n        mid = (lo + hi) // 2\n        if a[mid] < x:\n"
        "            lo = mid + 1\n        else:\n            hi = mid\n    return lo\n\n\n"
    )
    copy = text.replace("find", "seek")
    mended = []
    for right, wrong, word in FAULTS:
        at = len(text) + copy.index(right)
        at += next(i for i, (a, b) in enumerate(zip(right, wrong, strict=True)) if a != b)
        request = ScoreRequest(text + copy.replace(right, wrong), "python", code_only=True)
        found = suspicious(score(bundled_infiller, request).words, 0.2, 40)
        mended += [s.instead[0].text == word for s in found if s.word.start == at]
    assert sum(mended) >= 5


@pytest.mark.model
def test_every_word_of_a_long_line_is_scored(bundled_infiller: Infiller) -> None:
    line = b"values = [" + b", ".join(b"item_%d" % n for n in range(150)) + b"]\n"
    result = score(bundled_infiller, ScoreRequest(line, "python"))
    assert result.end == len(line)
    starts = [word.start for word in result.words]
    assert max(b - a for a, b in pairwise(starts)) < 40, "no part of it is passed over"
