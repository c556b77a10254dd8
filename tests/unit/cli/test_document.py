"""Files that are no text are refused in one line, and LINE:COL counts as people do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.document import (
    MAX_BYTES,
    DocumentError,
    Position,
    line_spans,
    offset_of,
    parse_position,
    read_document,
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\0b", "NUL byte at offset 1"),
        (b"\xff\xfea\0", "binary"),
        (b"caf\xe9 = 1\n", "0xe9 at offset 3"),
        (b"x" * (MAX_BYTES + 1), "MB"),
    ],
    ids=["nul", "utf-16", "latin-1", "too long"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "file.py"
    file.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        read_document(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no file"):
        read_document(tmp_path / "missing.py")
    with pytest.raises(DocumentError, match="not a file"):
        read_document(tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.py"
    file.write_bytes(b"x")
    file.chmod(0)
    with pytest.raises(DocumentError, match="cannot read"):
        read_document(file)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.py"
    file.write_bytes(b"x" * MAX_BYTES)
    assert len(read_document(file)) == MAX_BYTES


@pytest.mark.parametrize("text", ["", "3", "3:", ":4", "3:4:5", "a:b", "-1:0", "3;4", "\u0663:0x"])
def test_other_forms_are_no_position(text: str) -> None:
    with pytest.raises(DocumentError, match="no position"):
        parse_position(text)


def test_lines_end_as_in_the_protocol() -> None:
    data = b"a\nb\r\nc\rd\x0ce\xe2\x80\xa8f\n"
    lines = [data[start:end] for start, end in line_spans(data)]
    assert lines == [b"a", b"b", b"c", b"d\x0ce\xe2\x80\xa8f", b""]


@pytest.mark.parametrize(
    ("position", "offset"),
    [
        (Position(1, 0), 0),
        (Position(1, 2), 3),  # after e with an accent, two bytes
        (Position(1, 3), 7),  # after an emoji, four bytes
        (Position(2, 0), 9),  # past the CRLF
        (Position(3, 0), 11),  # the empty last line
    ],
)
def test_columns_are_characters(position: Position, offset: int) -> None:
    assert offset_of("a\u00e9\U0001f600\r\nx\n".encode(), position) == offset


def test_a_byte_order_mark_takes_no_column() -> None:
    data = "\ufeffx = 1\r\ny\n".encode()
    assert offset_of(data, Position(1, 0)) == 3, "nothing is put before the mark"
    assert offset_of(data, Position(1, 5)) == 8
    assert offset_of(data, Position(2, 0)) == 10
    with pytest.raises(DocumentError, match="columns run from 0 to 5"):
        offset_of(data, Position(1, 6))


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (Position(0, 0), "lines run from 1 to 3"),
        (Position(4, 0), "lines run from 1 to 3"),
        (Position(1, 4), "columns run from 0 to 3"),
        (Position(3, 1), "columns run from 0 to 0"),
    ],
)
def test_outside_names_the_valid_range(position: Position, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        offset_of("a\u00e9\U0001f600\r\nx\n".encode(), position)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_position_has_its_own_offset(text: str) -> None:
    data = text.encode()
    offsets = []
    for number, (start, end) in enumerate(line_spans(data), 1):
        columns = len(data[start:end].decode()) + 1
        offsets += [offset_of(data, Position(number, column)) for column in range(columns)]
    assert offsets == sorted(set(offsets))
    for offset in offsets:
        data[:offset].decode()  # never inside a character
