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


@pytest.mark.parametrize(
    "line",
    [
        '{"question": "a", "canonical_solution": "b"}', "[]", "{}", '"prefix"', "7", "null",
        '{"prefix": 7}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_line_that_is_no_case_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text(json.dumps(CASE) + "\n" + line + "\n")
    with pytest.raises(CorpusError, match=r"odd\.jsonl line 2 is not an evaluation case"):
        load_evaluation_sets([file])


OTHER = '{"author": "Somebody", "licence": "MIT"}\n'


def test_a_file_of_other_things_beside_the_cases_is_passed_over(cases: Path) -> None:
    (cases / "ATTRIBUTION.jsonl").write_text(OTHER * 2)
    (cases / "empty.jsonl").write_text("")
    told: list[Path] = []
    before = load_evaluation_sets([cases / "some.jsonl.gz"])
    sets = load_evaluation_sets([cases], told.append)
    assert told == [cases / "ATTRIBUTION.jsonl", cases / "empty.jsonl"]
    assert sets.cases == 1 and sets.digest == before.digest
    with pytest.raises(CorpusError, match=r"ATTRIBUTION\.jsonl line 1 is not an evaluation case"):
        load_evaluation_sets([cases / "ATTRIBUTION.jsonl"])


@pytest.mark.parametrize("line", ["[1, 2", '{"prefix": 7}', json.dumps(CASE) + "\n" + OTHER])
def test_a_damaged_case_in_a_folder_is_still_an_error(cases: Path, line: str) -> None:
    (cases / "odd.jsonl").write_text(line)
    with pytest.raises(CorpusError, match=r"odd\.jsonl line \d is not an evaluation case"):
        load_evaluation_sets([cases])


def test_a_folder_or_a_file_without_a_case_is_an_error(cases: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for content in (None, OTHER, ""):
        if content is not None:
            (folder / "a.jsonl").write_text(content)
        with pytest.raises(CorpusError, match="other, which holds no evaluation case; name"):
            load_evaluation_sets([cases, folder])
    with pytest.raises(CorpusError, match=r"a\.jsonl, which holds no evaluation case"):
        load_evaluation_sets([folder / "a.jsonl"])


def test_half_of_a_character_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": f"\ud83d {WHOLE}"}) + "\n")
    assert len(load_evaluation_sets([file]).overlap(word_hashes(WHOLE.encode())))


def test_compression_is_told_by_the_content(tmp_path: Path) -> None:
    line = json.dumps(CASE).encode() + b"\n"
    (tmp_path / "plain.jsonl.gz").write_bytes(line)
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(line))
    assert load_evaluation_sets([tmp_path]).cases == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "head"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(json.dumps(CASE).encode() * 50))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2 if damage == "changed" else 2] ^= 0xFF
    (tmp_path / "bad.jsonl.gz").write_bytes(packed)
    with pytest.raises(CorpusError, match=r"bad\.jsonl\.gz cannot be read"):
        load_evaluation_sets([tmp_path])


def test_the_digest_follows_the_contents(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": WHOLE}) + "\n")
    before = load_evaluation_sets([file]).digest
    assert before == load_evaluation_sets([file]).digest
    file.write_text(json.dumps({"text": WHOLE + "x"}) + "\n")
    assert before != load_evaluation_sets([file]).digest
