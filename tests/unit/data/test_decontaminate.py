"""A file that shares 13 words in a row with a case goes; 12 words, or a common phrase, do not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from diffusion.data.decontaminate import contaminated, load_evaluation_sets
from diffusion.data.fingerprints import word_hashes
from diffusion.errors import CorpusError

CASE = {
    "task_id": "t/1",
    "prefix": "def unusual_name(first, second):\n    total = ",
    "middle": "first * seven + second * eleven",
    "suffix": "\n    return clamp(total, lowest, highest, rounding)\n",
}
WHOLE = CASE["prefix"] + CASE["middle"] + CASE["suffix"]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    with gzip.open(folder / "some.jsonl.gz", "wt") as file:
        file.write(json.dumps(CASE) + "\n")
    return folder


def test_overlap_of_thirteen_words_across_the_hole(cases: Path) -> None:
    sets = load_evaluation_sets([cases])
    assert sets.cases == 1
    words = WHOLE.replace("(", " ").replace(")", " ").split()
    text = word_hashes(WHOLE.encode()).tolist()
    assert len(text) > 14, words
    hit = word_hashes(("x = 1\n" + WHOLE.replace("\n", "\r\n").upper()).encode())
    assert len(sets.overlap(hit))
    middle = word_hashes(WHOLE.encode())[:12]
    assert not len(sets.overlap(middle))
    assert len(sets.overlap(word_hashes(WHOLE.encode())[:13])) == 1


def test_phrases_of_many_packages_are_no_leak(cases: Path) -> None:
    sets = load_evaluation_sets([cases])
    found = sets.overlap(word_hashes(WHOLE.encode()))
    nothing = sets.overlap(word_hashes(b"unrelated words"))
    assert contaminated([found, nothing, found], [0, 1, 2]).tolist() == [True, False, True]
    assert not contaminated([found] * 4, [0, 1, 2, 3]).any()
    assert contaminated([found] * 4, [0, 0, 0, 1]).all()


def test_import_lists_do_not_count(tmp_path: Path) -> None:
    imports = "import java.util.List;\nimport java.util.Map;\nimport java.util.Set;\n" * 2
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": imports}) + "\n")
    assert not len(load_evaluation_sets([file]).hashes)


def test_no_sets_drop_nothing() -> None:
    sets = load_evaluation_sets([])
    assert not len(sets.overlap(word_hashes(WHOLE.encode())))


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"missing\.jsonl"):
        load_evaluation_sets([tmp_path / "missing.jsonl"])
    bad = tmp_path / "bad.jsonl"
    bad.write_text("[1, 2\n")
    with pytest.raises(CorpusError, match=r"bad\.jsonl line 1"):
        load_evaluation_sets([bad])


def test_the_digest_follows_the_contents(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": WHOLE}) + "\n")
    before = load_evaluation_sets([file]).digest
    assert before == load_evaluation_sets([file]).digest
    file.write_text(json.dumps({"text": WHOLE + "x"}) + "\n")
    assert before != load_evaluation_sets([file]).digest
