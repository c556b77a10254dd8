"""Case files: what is read, and what a broken one is told."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import (
    duplicate_ids,
    read_case_files,
    read_cases,
    to_bytes,
    to_text,
)

RECORD: dict[str, Any] = {
    "task_id": "t0",
    "language": "go",
    "prefix": "a\u2028b",
    "middle": "m",
    "suffix": "s",
}


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return path


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**RECORD, "task_id": f"t{i}"} for i in range(count)]


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    plain = write(tmp_path / "cases.jsonl", RECORD)
    packed = tmp_path / "also.jsonl"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_cases(packed) == read_cases(plain)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_pipe_is_read_from_its_beginning(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    plain = write(tmp_path / "cases.jsonl", *numbered(30))
    reader, writer = os.pipe()
    try:
        os.write(writer, pack(plain.read_bytes()))
        os.close(writer)
        assert read_cases(f"/dev/fd/{reader}") == read_cases(plain)
    finally:
        os.close(reader)


def test_a_byte_order_mark_is_no_part_of_a_case(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\ufeff" + json.dumps(RECORD) + "\n", "utf-8")
    assert [case.task_id for case in read_cases(path)] == ["t0"]


def test_a_group_is_read_or_else_the_problem_that_the_id_names(tmp_path: Path) -> None:
    named = {**RECORD, "task_id": "a/HumanEval/7/L1"}
    path = write(tmp_path / "c.jsonl", {**named, "group": "f.py"}, named, RECORD)
    assert [case.group for case in read_cases(path)] == ["f.py", "HumanEval/7", None]


def test_files_go_by_their_names_and_two_of_one_name_are_both_told(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first = write(tmp_path / "one.jsonl", *numbered(9))
    other = write(tmp_path / "two.jsonl.gz", *numbered(4))
    found = read_case_files([f"{first}:3", str(other)], sample=2)
    assert {name: len(cases) for name, cases in found.items()} == {"one": 3, "two": 2}
    same = write(tmp_path / "b" / "one.jsonl", RECORD)
    with pytest.raises(EvaluationError) as told:
        read_case_files([str(first), f"{same}:1"])
    assert str(first) in str(told.value) and str(same) in str(told.value)


def test_a_line_separator_inside_a_string_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(RECORD, ensure_ascii=False) + "\n\n", "utf-8")
    assert read_cases(path)[0].prefix == "a\u2028b"


def test_unknown_keys_and_null_options_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", {**RECORD, "test": None, "repo": 3, "hole": "line"})
    (case,) = read_cases(path)
    assert (case.test, case.hole) == (None, "line")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[" * 100_000, "line 2: not JSON"),
        ("[1]", "line 2: a list, not an object"),
        ('{"task_id": "x"}', "line 2: key 'language' is missing"),
        (json.dumps({**RECORD, "suffix": 3}), "line 2: key 'suffix' is a int"),
        (json.dumps({**RECORD, "hole": 3}), "line 2: key 'hole' is a int"),
        (json.dumps({**RECORD, "group": 3}), "line 2: key 'group' is a int"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(RECORD) + "\n" + line + "\n", "utf-8")
    with pytest.raises(EvaluationError, match=said):
        read_cases(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no cases"),
        (b"\xff\xfe", "is not UTF-8"),
        (gzip.compress(b"x" * 1000)[:-9], "cannot be read .*fetch it again"),
        (b"\x1f\x8b\x08garbage and more of it", "cannot be read"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=said):
        read_cases(path)


def test_a_missing_file_and_a_limit_of_zero_are_errors(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no case file"):
        read_cases(tmp_path / "none.jsonl")
    with pytest.raises(EvaluationError, match=f"{tmp_path} is a folder; name a file of cases"):
        read_cases(tmp_path)
    with pytest.raises(EvaluationError, match="--limit is 0"):
        read_cases(write(tmp_path / "c.jsonl", RECORD), limit=0)


def test_limit_is_the_first_and_sample_is_fixed_and_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", *numbered(50))
    assert [case.task_id for case in read_cases(path, limit=2)] == ["t0", "t1"]
    sampled = [case.task_id for case in read_cases(path, sample=5)]
    assert sampled == [case.task_id for case in read_cases(path, sample=5)]
    assert sampled == sorted(sampled, key=lambda name: int(name[1:]))
    assert len(sampled) == 5 and sampled != ["t0", "t1", "t2", "t3", "t4"]
    assert [c.task_id for c in read_cases(path, sample=5, limit=2)] == sampled[:2]


def test_a_bad_line_after_the_limit_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(RECORD) + "\nnot a case\n", "utf-8")
    assert len(read_cases(path, limit=1)) == 1


def test_duplicate_ids_are_counted(tmp_path: Path) -> None:
    assert duplicate_ids(read_cases(write(tmp_path / "c.jsonl", RECORD, RECORD))) == 1


def test_the_cursor_counts_bytes_and_surrogates_survive(tmp_path: Path) -> None:
    (case,) = read_cases(write(tmp_path / "c.jsonl", {**RECORD, "prefix": "é\ud800"}))
    assert case.cursor == 5
    assert to_text(case.text_without_middle) == "é\ud800s"
    assert to_text(b"\xff") == "\ufffd"
    assert to_bytes("a") == b"a"
