"""The line index: what ends a line, and that edits keep it right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.document import to_bytes
from lsp_server.lines import LineIndex
from tests.support.lsp_reference import lines_of
from tests.support.lsp_texts import documents


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", [b""]),
        (b"\n", [b"", b""]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\rc\n", [b"a", b"b", b"c", b""]),
        (b"\n\r", [b"", b"", b""]),
        ("a\x0cb\u2028c\x85d\x1ce".encode(), ["a\x0cb\u2028c\x85d\x1ce".encode()]),
    ],
)
def test_only_the_three_line_ends_end_a_line(data: bytes, lines: list[bytes]) -> None:
    index = LineIndex.of(data)
    assert [data[slice(*index.span(n, data))] for n in range(index.count)] == lines


def test_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="line 1 of a document with 1 lines"):
        LineIndex.of(b"a").span(1, b"a")


@given(documents)
def test_every_offset_is_on_the_line_that_spans_it(text: str) -> None:
    data = to_bytes(text)
    index = LineIndex.of(data)
    assert index.count == len(lines_of(text))
    for offset in range(len(data) + 1):
        line = index.line_at(offset)
        start = index.starts[line]
        stop = index.starts[line + 1] if line + 1 < index.count else len(data) + 1
        assert start <= offset < stop


@given(documents, documents, st.data())
def test_an_edit_leaves_the_index_of_the_new_text(old: str, new: str, draw: st.DataObject) -> None:
    before, inserted = to_bytes(old), to_bytes(new)
    start = draw.draw(st.integers(0, len(before)))
    end = draw.draw(st.integers(start, len(before)))
    after = before[:start] + inserted + before[end:]
    edited = LineIndex.of(before).edit(start, end, start + len(inserted), after)
    assert edited == LineIndex.of(after)
