"""LSP <-> our own types: positions, ranges, edits and answers.

The only module that counts in UTF-8, UTF-16 or UTF-32 units; inside there are byte offsets only.
Invariants: every position maps to a character boundary inside the document (past the end of a
line: its end; past the last line: the end; inside a character: its beginning); an answer applied
by a client yields exactly document[:start] + text + document[end:].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsprotocol import types

from lsp_server.batch import Lines
from lsp_server.completion.candidate import Suggestion
from lsp_server.document import Document, Edit, to_bytes, to_text
from lsp_server.lenient import STAND_IN
from lsp_server.lines import LineIndex

LABEL_CHARACTERS = 60
_FEW = 8
"""Edits of one notification that are made one by one, which keeps the syntax tree at hand."""


def units(text: str, encoding: str) -> int:
    """The length of a string in units of a position encoding."""
    if encoding == "utf-32":
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def offset_at(position: types.Position, data: bytes, lines: LineIndex, encoding: str) -> int:
    """The byte offset of a position."""
    if position.line >= lines.count:
        return lines.size
    start, end = lines.span(position.line, data)
    return start + _column_bytes(data[start:end], position.character, encoding)


def _column_bytes(line: bytes, column: int, encoding: str) -> int:
    """How many bytes of a line the first `column` units take, whole characters only."""
    if column >= len(line) and encoding == "utf-8":
        return len(line)
    if line.isascii():
        return min(column, len(line))
    if encoding == "utf-8":
        while column and line[column] & 0xC0 == 0x80:
            column -= 1
        return column
    text = to_text(line)
    if encoding == "utf-32":
        return len(to_bytes(text[:column]))
    encoded = text.encode("utf-16-le", "surrogatepass")
    if 2 * column >= len(encoded):
        return len(line)
    if column and _is_half(encoded, column - 1, 0xD8) and _is_half(encoded, column, 0xDC):
        column -= 1
    return len(to_bytes(encoded[: 2 * column].decode("utf-16-le", "surrogatepass")))


def _is_half(encoded: bytes, unit: int, which: int) -> bool:
    """Whether a unit of UTF-16 is a high (0xD8) or a low (0xDC) half of a pair."""
    return encoded[2 * unit + 1] & 0xFC == which


def position_at(offset: int, data: bytes, lines: LineIndex, encoding: str) -> types.Position:
    """The position of a byte offset; inside a character: of its beginning."""
    offset = min(max(offset, 0), lines.size)
    line = lines.line_at(offset)
    start, end = lines.span(line, data)
    offset = min(offset, end)  # inside a line end: before it
    while start < offset < end and data[offset] & 0xC0 == 0x80:
        offset -= 1
    return types.Position(line, units(to_text(data[start:offset]), encoding))


def range_at(start: int, end: int, document: Document, encoding: str) -> types.Range:
    """The LSP range of bytes [start, end)."""
    return types.Range(
        start=position_at(start, document.data, document.lines, encoding),
        end=position_at(end, document.data, document.lines, encoding),
    )


def changed(
    document: Document,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    version: int,
    encoding: str,
) -> Document:
    """The document after the content changes of one notification, applied in order."""
    if not changes:
        return document.apply((), version)
    if len(changes) > _FEW:
        return _changed_at_once(document, changes, version, encoding)
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start = offset_at(change.range.start, document.data, document.lines, encoding)
            end = offset_at(change.range.end, document.data, document.lines, encoding)
            edit = Edit(min(start, end), max(start, end), to_bytes(change.text))
            document = document.apply([edit], version)
        else:
            document = document.replaced(change.text, version)
    return document


def _changed_at_once(
    document: Document,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    version: int,
    encoding: str,
) -> Document:
    """The same, as one edit of all that lies between the first change and the last."""

    def column_bytes(line: bytes, column: int) -> int:
        return _column_bytes(line, column, encoding)

    lines = Lines(document.data, column_bytes)
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            text = to_bytes(change.text)
            lines.edit((start.line, start.character), (end.line, end.character), text)
        else:
            lines = Lines(to_bytes(change.text), column_bytes)
    return document.replaced(to_text(lines.data()), version)


def inline_list(
    suggestions: Sequence[Suggestion],
    document: Document,
    shown: Document,
    encoding: str,
) -> types.InlineCompletionList:
    """Inline items: each replaces its whole line, which any editor can draw and apply.

    In a line that is not known byte for byte it replaces what the suggestion does, as the rest of
    the line is not ours to write.

    Args:
        suggestions: for `document`; their holes must not reach over a line end.
        document: what was filled: the client's text, with a selected pop-up entry taken in.
        shown: the client's text. The same object, unless a pop-up entry is selected, which it is in
            no line that is not known.
    """
    items = []
    for suggestion in suggestions:
        before, after = beside(suggestion, document)
        whole = before + suggestion.text + after
        start, end = suggestion.start, suggestion.end
        if is_known(document, *document.line(start)):
            start, end = shown.line(document.line(start)[0])
        where = range_at(start, end, shown, encoding)
        items.append(types.InlineCompletionItem(whole, filter_text=whole, range=where))
    return types.InlineCompletionList(items)


def beside(suggestion: Suggestion, document: Document) -> tuple[str, str]:
    """What stands left and right of a suggestion in what its inline item replaces."""
    start, end = document.line(suggestion.start)
    if not is_known(document, start, end):
        return "", ""
    before = document.data[start : suggestion.start]
    return to_text(before), to_text(document.data[suggestion.end : end])


def is_known(document: Document, start: int, end: int) -> bool:
    """Whether bytes [start, end) are the client's, so that they may be written again."""
    return STAND_IN.encode() not in document.data[start:end]


@dataclass(frozen=True, slots=True)
class ItemStyle:
    """What a client can do with a pop-up entry."""

    markdown: bool = False
    label_details: bool = False
    insert_text_mode: bool = False

    @classmethod
    def of(cls, client: types.ClientCapabilities) -> ItemStyle:
        completion = client.text_document.completion if client.text_document else None
        item = completion.completion_item if completion else None
        if item is None:
            return cls()
        formats = item.documentation_format or ()
        modes = item.insert_text_mode_support
        return cls(
            markdown=types.MarkupKind.Markdown in formats,
            label_details=bool(item.label_details_support),
            insert_text_mode=modes is not None and types.InsertTextMode.AsIs in modes.value_set,
        )


def completion_list(
    suggestions: Sequence[Suggestion],
    document: Document,
    encoding: str,
    style: ItemStyle = ItemStyle(),
) -> types.CompletionList:
    """Pop-up entries: each replaces the word before the hole, as pop-ups filter by that word."""
    items = []
    for rank, suggestion in enumerate(suggestions):
        start, _ = document.line(suggestion.start)
        word = _word_before(to_text(document.data[start : suggestion.start]))
        text = word + suggestion.text
        where = range_at(suggestion.start - len(to_bytes(word)), suggestion.end, document, encoding)
        sure = f"diffill {round(100 * suggestion.score)} %"
        fenced = f"```{document.language}\n{text}\n```"
        items.append(
            types.CompletionItem(
                label=_label(text),
                label_details=(
                    types.CompletionItemLabelDetails(description=sure)
                    if style.label_details
                    else None
                ),
                detail=None if style.label_details else sure,
                kind=types.CompletionItemKind.Text,
                filter_text=text,
                sort_text=f"{rank:02d}",
                text_edit=types.TextEdit(where, text),
                # Else an editor may indent the further lines once more.
                insert_text_mode=types.InsertTextMode.AsIs if style.insert_text_mode else None,
                documentation=(
                    types.MarkupContent(types.MarkupKind.Markdown, fenced)
                    if style.markdown
                    else text
                ),
            )
        )
    return types.CompletionList(is_incomplete=True, items=items)


def _word_before(text: str) -> str:
    """The letters, digits and underscores at the end of a text."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:]


def _label(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    short = first[: LABEL_CHARACTERS - 1]
    return short if first and short == first and not rest else short + "…"
