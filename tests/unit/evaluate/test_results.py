"""Result rows on disk: written whole or not at all, and read with the line that is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.results import (
    RowFile,
    check_apart,
    check_file,
    check_folder,
    partial_of,
    read_rows,
)
from tests.support.disk import smallest_files

ODD = {"task_id": "t", "completion": "\ud800\u2028\0"}


def test_rows_are_flushed_one_by_one_and_any_text_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with RowFile(path) as file:
        file.write(ODD)
        assert file.partial == partial_of(path) and read_rows(file.partial) == [ODD]
        assert not path.exists()
    assert read_rows(path) == [ODD]


def test_a_full_disk_is_told_with_the_file_that_has_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with (
        smallest_files(50),
        pytest.raises(EvaluationError, match=r"rows\.jsonl \(File too.*so far are in .*\.partial$"),
        RowFile(path) as file,
    ):
        file.write({"task_id": "kept"})
        file.write({"task_id": "x" * 100})
    assert partial_of(path).read_bytes().startswith(b'{"task_id": "kept"}\n')
    assert not path.exists()


def test_a_name_that_cannot_be_taken_is_told_with_the_file_that_has_the_rows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(EvaluationError, match=r"so far are in .*\.partial"), RowFile(path) as file:
        file.write(ODD)
        path.mkdir()  # meanwhile
    assert read_rows(file.partial) == [ODD]


def test_a_stream_that_nobody_reads_any_more_is_no_error_to_talk_about(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream = tmp_path / "stdout"
    stream.symlink_to(f"/dev/fd/{writer}")
    os.close(reader)
    with pytest.raises(BrokenPipeError), RowFile(stream) as file:
        file.write(ODD)
    os.close(writer)


def test_an_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot write"):
        RowFile(tmp_path / "no" / "such" / "folder.jsonl")


def test_rows_go_where_a_link_leads_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "runs" / "real.jsonl", tmp_path / "link.jsonl"
    real.parent.mkdir()
    link.symlink_to("runs/real.jsonl")
    for _ in range(2):  # to a file that is to be made, and to one that is there
        with RowFile(link) as file:
            file.write(ODD)
            assert file.partial == partial_of(link) == real.with_name("real.jsonl.partial")
        assert link.is_symlink() and read_rows(real) == [ODD]
    assert [*real.parent.iterdir()] == [real]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no names for descriptors here")
def test_an_output_that_is_in_a_file_is_written_to_where_it_is(tmp_path: Path) -> None:
    """As /dev/stdout is after `> FILE`: what others write there before and after stays."""
    taken, stands_for_stdout = tmp_path / "out.txt", tmp_path / "stdout"
    with taken.open("wb", buffering=0) as stdout:
        stands_for_stdout.symlink_to(f"/dev/fd/{stdout.fileno()}")
        stdout.write(b"before\n")
        with RowFile(stands_for_stdout) as file:
            file.write({"task_id": "a"})
        stdout.write(b"after\n")
        assert partial_of(stands_for_stdout) == stands_for_stdout
        assert stands_for_stdout.is_symlink()
    assert taken.read_text() == 'before\n{"task_id": "a"}\nafter\n'
    assert {*tmp_path.iterdir()} == {taken, stands_for_stdout}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"task_id": "\xe9"}', "not UTF-8"),
        (b"5", "a int, not an object"),
        (b'{"exact_match": true}', "key 'task_id'"),
        (b'{"task_id": 5}', "key 'task_id'"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"task_id": "a"}\n' + line + b"\n")
    with pytest.raises(EvaluationError, match=f"rows.jsonl, line 2: {said}"):
        read_rows(path)


def test_a_byte_order_mark_is_no_part_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"task_id": "a"}\n', "utf-8")
    assert read_rows(path) == [{"task_id": "a"}]


def test_a_file_is_tried_without_a_trace_and_its_folder_is_made(tmp_path: Path) -> None:
    check_file(tmp_path / "new" / "out.json", "--out")
    assert list((tmp_path / "new").iterdir()) == []
    there = tmp_path / "there"
    there.write_text("kept", "utf-8")
    check_file(there, "--out")
    assert there.read_text("utf-8") == "kept"
    check_folder(tmp_path / "rows" / "deep", "--rows")
    assert list((tmp_path / "rows" / "deep").iterdir()) == []


def test_a_pipe_that_nobody_reads_yet_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_file(tmp_path / "pipe", "--out")
    assert partial_of(tmp_path / "pipe") == tmp_path / "pipe"


def test_what_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    for path in (tmp_path / "file" / "out.json", tmp_path):
        with pytest.raises(EvaluationError, match="--report"):
            check_file(path, "--report")
    with pytest.raises(EvaluationError, match="--rows"):
        check_folder(tmp_path / "file", "--rows")


def test_no_file_is_written_in_the_place_of_another(tmp_path: Path) -> None:
    cases, link, new = (tmp_path / name for name in ("cases", "link", "new"))
    cases.write_text("kept", "utf-8")
    link.hardlink_to(cases)
    check_apart([("--out", new), ("--report", None), ("--plot", tmp_path / "other")], [cases])
    with pytest.raises(EvaluationError, match=f"--out {link} is the file of cases"):
        check_apart([("--out", link)], [cases])
    with pytest.raises(EvaluationError, match=r"--report .*new is the file of --out"):
        check_apart([("--out", new), ("--report", tmp_path / "." / "new")], [cases])
    check_apart([("--out", Path(os.devnull)), ("--report", Path(os.devnull))])
    check_apart([("--out", new)], [tmp_path / "misspelt"])
