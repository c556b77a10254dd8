"""Positions in three encodings, content changes, and that an answer does what it says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from lsp_server import convert
from lsp_server.completion.candidate import Suggestion
from lsp_server.document import Document, Edit, to_bytes, to_text
from tests.support import lsp_reference as editor
from tests.support.lsp_texts import documents, encodings, normal

ENCODINGS = ("utf-8", "utf-16", "utf-32")


def open_document(text: str) -> Document:
    return Document.open("file:///a.py", "python", 1, text)


def offset_at(text: str, line: int, character: int, encoding: str) -> int:
    document = open_document(text)
    position = types.Position(line, character)
    return convert.offset_at(position, document.data, document.lines, encoding)


# "x=😋é漢" has 1+1+1+1+1 characters; its columns by encoding:
@pytest.mark.parametrize(
    ("encoding", "columns"),
    [
        ("utf-8", [0, 1, 2, 6, 8, 11]),
        ("utf-16", [0, 1, 2, 4, 5, 6]),
        ("utf-32", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_columns_of_each_encoding(encoding: str, columns: list[int]) -> None:
    text = "x=😋é漢"
    offsets = [len(text[:n].encode()) for n in range(len(text) + 1)]
    assert [offset_at(text, 0, column, encoding) for column in columns] == offsets
    document = open_document(text)
    back = [convert.position_at(o, document.data, document.lines, encoding) for o in offsets]
    assert [position.character for position in back] == columns


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["", "abc", "abc\n", "a\r\nb", "a = 1\n\x0c\nb = 2\n"])
def test_the_end_of_the_document_is_a_position(text: str, encoding: str) -> None:
    """pygls raises UnboundLocalError for "" and answers (1, 0) for "abc"."""
    document = open_document(text)
    end = convert.position_at(len(document.data), document.data, document.lines, encoding)
    assert end == editor.position_of(text, len(text), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_positions_past_the_end_clamp(encoding: str) -> None:
    assert offset_at("ab\r\ncd", 0, 99, encoding) == 2
    assert offset_at("é\ncd", 0, 99, encoding) == 2
    assert offset_at("ab\ncd", 1, 2**31 - 1, encoding) == 5
    assert offset_at("ab\ncd", 7, 0, encoding) == 5
    assert offset_at("", 3, 3, encoding) == 0


@pytest.mark.parametrize(("encoding", "inside"), [("utf-8", (2, 3, 4)), ("utf-16", (2,))])
def test_a_position_inside_a_character_is_its_beginning(
    encoding: str, inside: tuple[int, ...]
) -> None:
    assert {offset_at("a😀b", 0, column, encoding) for column in inside} == {1}


@pytest.mark.parametrize(("text", "bytes_"), [("\ud83dx", 3), ("é\udc00", 2)])
def test_a_lone_surrogate_is_one_unit_of_utf16(text: str, bytes_: int) -> None:
    assert offset_at(text, 0, 1, "utf-16") == bytes_


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_offset_inside_a_line_end_is_before_it(encoding: str) -> None:
    document = open_document("a\r\nb")
    found = [convert.position_at(n, document.data, document.lines, encoding) for n in range(1, 4)]
    assert found == [types.Position(0, 1), types.Position(0, 1), types.Position(1, 0)]


@given(documents, encodings, st.data())
def test_positions_agree_with_an_editor_that_counts(
    text: str, encoding: str, draw: st.DataObject
) -> None:
    text = normal(text)
    document = open_document(text)
    position = types.Position(draw.draw(st.integers(0, 12)), draw.draw(st.integers(0, 40)))
    offset = convert.offset_at(position, document.data, document.lines, encoding)
    index = editor.index_of(text, position, encoding)
    assert offset == len(to_bytes(text[:index]))
    back = convert.position_at(offset, document.data, document.lines, encoding)
    assert back == editor.position_of(text, index, encoding)


@given(documents, st.lists(documents, min_size=1, max_size=4), encodings, st.data())
def test_changes_leave_the_text_the_editor_has(
    text: str, inserts: list[str], encoding: str, draw: st.DataObject
) -> None:
    text = normal(text)
    document, changes = open_document(text), []
    for new in inserts:
        spans = editor.lines_of(text)
        line = draw.draw(st.integers(0, len(spans) - 1))
        index = draw.draw(st.integers(*spans[line]))
        last = draw.draw(st.integers(line, len(spans) - 1))
        stop = max(index, draw.draw(st.integers(*spans[last])))
        where = types.Range(
            editor.position_of(text, index, encoding), editor.position_of(text, stop, encoding)
        )
        changes.append(types.TextDocumentContentChangePartial(where, new))
        text = normal(editor.apply(text, where, new, encoding))
    after = convert.changed(document, changes, 2, encoding)
    assert (to_text(after.data), after.version) == (text, 2)


def test_a_full_change_replaces_the_text() -> None:
    change = types.TextDocumentContentChangeWholeDocument("b\r\n")
    after = convert.changed(open_document("a"), [change], 5, "utf-16")
    assert (after.data, after.lines.count, after.version) == (b"b\r\n", 2, 5)


fills = st.sampled_from(("x", "a, b)", "漢😀", "\n    y = 1", "x\n", "\r\nz", "\n", "  ", "a\rb"))


@st.composite
def holes(draw: st.DrawFn) -> tuple[str, int, int]:
    """A document, and a hole on one of its lines (character indices)."""
    text = normal(draw(documents))
    spans = editor.lines_of(text)
    start, end = draw(st.sampled_from(spans))
    first = draw(st.integers(start, end))
    return text, first, draw(st.integers(first, end))


def suggestion(text: str, start: int, end: int, fill: str) -> Suggestion:
    return Suggestion(fill, len(to_bytes(text[:start])), len(to_bytes(text[:end])), 0.5)


@given(holes(), fills, encodings)
def test_an_inline_item_does_exactly_the_byte_replacement(
    hole: tuple[str, int, int], fill: str, encoding: str
) -> None:
    text, start, end = hole
    document = open_document(text)
    items = convert.inline_list(
        [suggestion(text, start, end, fill)], document, document, encoding
    ).items
    assert len(items) == 1
    item = items[0]
    assert isinstance(item.insert_text, str) and item.range is not None
    assert item.filter_text == item.insert_text
    assert item.range.start.line == item.range.end.line
    assert item.range.start.character == 0
    got = editor.apply(text, item.range, item.insert_text, encoding)
    assert normal(got) == normal(text[:start] + fill + text[end:])


@given(holes(), fills, encodings)
def test_a_completion_item_does_exactly_the_byte_replacement(
    hole: tuple[str, int, int], fill: str, encoding: str
) -> None:
    text, start, end = hole
    document = open_document(text)
    (item,) = convert.completion_list(
        [suggestion(text, start, end, fill)], document, encoding
    ).items
    assert isinstance(item.text_edit, types.TextEdit)
    got = editor.apply(text, item.text_edit.range, item.text_edit.new_text, encoding)
    assert normal(got) == normal(text[:start] + fill + text[end:])
    assert "\n" not in item.label and item.label


@given(holes(), fills, encodings)
def test_with_a_selected_entry_the_item_replaces_the_line_as_shown(
    hole: tuple[str, int, int], fill: str, encoding: str
) -> None:
    """The pop-up shows `print` for the typed `pri`: accepting yields both."""
    text, start, end = hole
    shown = open_document(text)
    first, last = len(to_bytes(text[:start])), len(to_bytes(text[:end]))
    filled = shown.apply([Edit(first, last, b"selected")], 1)
    at = first + len(b"selected")
    (item,) = convert.inline_list([Suggestion(fill, at, at, 0.5)], filled, shown, encoding).items
    assert isinstance(item.insert_text, str) and item.range is not None
    got = editor.apply(text, item.range, item.insert_text, encoding)
    assert normal(got) == normal(text[:start] + "selected" + fill + text[end:])


def test_a_notification_of_no_change_is_a_new_version() -> None:
    document = convert.changed(open_document("x"), [], 7, "utf-16")
    assert (document.version, document.data) == (7, b"x")


def test_the_pop_up_entry_begins_with_the_word_before_the_cursor() -> None:
    document = open_document("total = su")
    (item,) = convert.completion_list(
        [Suggestion("m(xs)\n", 10, 10, 0.87)], document, "utf-16"
    ).items
    assert (item.label, item.filter_text) == ("sum(xs)", "sum(xs)\n")
    assert (item.detail, item.label_details, item.documentation) == (
        "diffill 87 %",
        None,
        "sum(xs)\n",
    )
    assert item.text_edit == types.TextEdit(
        types.Range(types.Position(0, 8), types.Position(0, 10)), "sum(xs)\n"
    )


def test_a_capable_client_gets_a_richer_entry() -> None:
    support = types.ClientCompletionItemOptions(
        documentation_format=[types.MarkupKind.Markdown],
        label_details_support=True,
        insert_text_mode_support=types.ClientCompletionItemInsertTextModeOptions(
            [types.InsertTextMode.AsIs]
        ),
    )
    completion = types.CompletionClientCapabilities(completion_item=support)
    client = types.ClientCapabilities(types.WorkspaceClientCapabilities())
    assert convert.ItemStyle.of(client) == convert.ItemStyle()
    client.text_document = types.TextDocumentClientCapabilities(completion=completion)
    style = convert.ItemStyle.of(client)
    (item,) = convert.completion_list(
        [Suggestion("1", 4, 4, 0.5)], open_document("x = "), "utf-8", style
    ).items
    assert item.detail is None
    assert item.label_details == types.CompletionItemLabelDetails(description="diffill 50 %")
    assert item.insert_text_mode is types.InsertTextMode.AsIs
    assert item.documentation == types.MarkupContent(types.MarkupKind.Markdown, "```python\n1\n```")


places = st.tuples(st.integers(0, 6), st.integers(0, 9))


@given(
    documents,
    st.lists(st.tuples(places, places, documents), min_size=1, max_size=6),
    encodings,
)
def test_many_edits_at_once_are_the_same_edits_one_by_one(
    text: str, edits: list[tuple[tuple[int, int], tuple[int, int], str]], encoding: str
) -> None:
    changes = [
        types.TextDocumentContentChangePartial(
            types.Range(types.Position(*start), types.Position(*end)), new
        )
        for start, end, new in edits
    ]
    one_by_one = convert.changed(open_document(text), changes, 2, encoding)
    at_once = convert._changed_at_once(open_document(text), changes, 2, encoding)
    assert at_once.data == one_by_one.data
    assert (at_once.lines, at_once.version) == (one_by_one.lines, 2)


def test_thousands_of_edits_in_a_long_document_take_no_time() -> None:
    document = open_document("x = 1  # one\n" * 60_000)
    changes = [
        types.TextDocumentContentChangePartial(
            types.Range(types.Position(line, 0), types.Position(line, 1)), "longer"
        )
        for line in range(0, 60_000, 12)
    ]
    begun = time.process_time()
    after = convert.changed(document, changes, 2, "utf-16")
    assert time.process_time() - begun < 2.0  # a tenth of it here; one by one it is minutes
    assert after.data.count(b"longer = 1") == 5000


def test_a_long_line_that_is_not_ascii_is_counted_at_once() -> None:
    document = open_document("é" + "x" * 3_000_000 + "😋y")
    begun = time.process_time()
    end = convert.position_at(len(document.data), document.data, document.lines, "utf-16")
    assert convert.offset_at(end, document.data, document.lines, "utf-16") == len(document.data)
    assert time.process_time() - begun < 0.5
    assert end.character == 3_000_004


def test_the_word_before_a_hole_is_found_from_its_end() -> None:
    assert convert._word_before("a.bc_1é") == "bc_1é"
    assert convert._word_before("a.") == convert._word_before("") == ""
