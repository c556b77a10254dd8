"""The table of lengths: sizes, prior, fallbacks, the file, and how it is measured."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diffusion.errors import TextError
from diffusion.text.hole import KINDS
from diffusion.text.hole_length import SLOT_COUNTS, LengthTable, Sample, measure
from diffusion.text.hole_sampling import HoleMix

SAMPLES: list[Sample] = [
    *[("python", "member", 1 + i % 3) for i in range(300)],
    *[("python", "block", 30 + i % 40) for i in range(300)],
    *[("go", "member", 6 + i % 3) for i in range(300)],
]
TABLE = LengthTable.learn(SAMPLES)


class Words:
    """A tokenizer of words and single other bytes."""

    def encode(self, data: bytes) -> list[int]:
        return [len(word) for word in re.findall(rb"\w+|\W", data)]


def test_short_kinds_get_short_canvases_and_long_kinds_long_ones() -> None:
    assert TABLE.sizes("python", "member")[:3] == (2, 3, 4)
    assert TABLE.sizes("go", "member")[0] == 8
    sizes = TABLE.sizes("python", "block")
    assert sizes[0] >= 32 and 96 in sizes


def test_an_unseen_language_takes_the_kind_over_all_languages() -> None:
    sizes = TABLE.sizes("rust", "member")
    assert sizes[0] <= 6 and sizes[-1] <= 24


def test_few_samples_do_not_outweigh_the_kind() -> None:
    table = LengthTable.learn([*SAMPLES, ("rust", "member", 120)])
    assert table.quantile("rust", "member", 0.65) < 12


@example("cobol", "member", 4)
@given(
    st.sampled_from(("python", "go", "cobol", "*")),
    st.sampled_from((*KINDS, "unheard of")),
    st.integers(1, 200),
)
def test_sizes_are_increasing_and_fit(language: str, kind: str, max_slots: int) -> None:
    for table in (TABLE, LengthTable()):
        sizes = table.sizes(language, kind, max_slots=max_slots)
        assert list(sizes) == sorted(set(sizes))
        assert sizes[-1] <= max_slots
        assert set(sizes) <= set(SLOT_COUNTS) or sizes == (max_slots,)
        usable = sum(size <= max_slots for size in SLOT_COUNTS)
        assert min(3, max(usable, 1)) <= len(sizes) <= 4


@pytest.mark.parametrize("kind", ["member", "block", "unheard of"])
def test_one_share_of_the_lengths_is_one_size(kind: str) -> None:
    [size] = TABLE.sizes("python", kind, quantiles=(0.9,))
    assert size > TABLE.quantile("python", kind, 0.9)


def test_no_slots_is_refused() -> None:
    with pytest.raises(TextError, match="holds nothing"):
        TABLE.sizes("python", "block", max_slots=0)


def test_negative_count_is_refused() -> None:
    with pytest.raises(TextError, match="cannot be counted"):
        LengthTable.learn([("python", "block", -1)])


@pytest.mark.parametrize("key", [("python", "member"), ("rust", "block"), ("a", "b"), ("*", "*")])
def test_prior_is_a_distribution(key: tuple[str, str]) -> None:
    for table in (TABLE, LengthTable()):
        assert sum(exp(table.prior(*key, n)) for n in range(257)) == pytest.approx(1.0)


def test_prior_prefers_what_was_seen() -> None:
    assert TABLE.prior("python", "member", 2) > TABLE.prior("python", "member", 30) + 3
    assert TABLE.prior("python", "block", 40) > TABLE.prior("python", "block", 2) + 3
    assert TABLE.prior("python", "block", 100_000) < TABLE.prior("python", "block", 40)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 120), min_size=60, max_size=60), st.floats(0.05, 0.95))
def test_quantile_covers_its_share(lengths: list[int], share: float) -> None:
    table = LengthTable.learn([("c", "lines", n) for n in lengths] * 30)
    found = table.quantile("c", "lines", share)
    # Bins are at most a third as wide as the lengths in them; the prior weighs 30 of 1,830.
    covered = sum(n <= found * 1.35 + 1 for n in lengths) / len(lengths)
    assert covered >= share - 0.03


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "lengths.json"
    TABLE.save(path)
    again = LengthTable.load(path)
    for kind in KINDS:
        assert again.sizes("python", kind) == TABLE.sizes("python", kind)
        assert again.prior("go", kind, 7) == TABLE.prior("go", kind, 7)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.__setitem__(key, value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_set("version", 99), "version 99, this diffill reads 1"),
        (_set("edges", [0, 1]), "other bins"),
        (_set("counts", []), "other bins"),
        (_set("counts", {"python": {"verb": []}}), "unknown kind 'verb'"),
        (_set("counts", {"python": {"block": [1]}}), "counts of python/block"),
        (_set("counts", {"python": {"block": [-1] * 31}}), "counts of python/block"),
        (_set("counts", {"python": 3}), "python is no table of kinds"),
    ],
)
def test_damaged_file_is_refused(
    tmp_path: Path, damage: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = tmp_path / "lengths.json"
    TABLE.save(path)
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(TextError, match=re.escape(message)) as caught:
        LengthTable.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_file_that_is_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lengths.json"
    path.write_text(content)
    with pytest.raises(TextError, match=r"not JSON|version None"):
        LengthTable.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="cannot be read"):
        LengthTable.load(tmp_path / "none.json")


SOURCE = b"".join(
    b"def f%d(a, b):\n    if a > b:\n        return [a, b]\n    return call(a, b)\n\n\n" % i
    for i in range(30)
)


def test_measure_names_holes_as_serving_does_and_counts_tokens() -> None:
    documents = [("python", SOURCE, (0, len(SOURCE)))] * 20
    samples = list(measure(documents, Words(), random.Random(3)))
    assert samples == list(measure(documents, Words(), random.Random(3)))
    assert {language for language, _, _ in samples} == {"python"}
    kinds = {kind for _, kind, _ in samples}
    assert {"statement", "condition", "arguments", "inline", "cut"} <= kinds <= set(KINDS)
    assert all(tokens > 0 for _, _, tokens in samples)
    table = LengthTable.learn(samples)
    assert table.quantile("python", "statement", 0.5) > table.quantile("python", "arguments", 0.5)


def test_measure_counts_the_text_of_the_hole() -> None:
    mix = HoleMix(0, 1, 0, 0)
    text = b"one two three\n" * 50
    samples = list(measure([("text", text, (0, len(text)))], Words(), random.Random(3), mix=mix))
    assert samples
    assert max(tokens for _, _, tokens in samples) <= 5


def test_measure_sees_the_document_around_its_part() -> None:
    """By itself, the inside of a long comment is taken for code."""
    inside = b"the value = call(a, b)\n" * 60
    data = b"int a;\n/*\n" + inside + b"*/\nint b;\n"
    start = data.index(inside)
    for documents, kinds in (
        ([("c", data, (start, start + len(inside)))], {"comment"}),
        ([("c", inside, (0, len(inside)))], {"statement", "inline", "arguments"}),
    ):
        samples = measure(documents, Words(), random.Random(3), windows_per_document=9)
        assert bool({kind for _, kind, _ in samples} - {"comment"}) == (kinds != {"comment"})
