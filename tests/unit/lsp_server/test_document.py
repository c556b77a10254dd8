"""Documents: bytes and text, edits in sequence, language, the incremental tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.syntax import OldTree, SyntaxTree
from lsp_server.document import (
    PARSE_MS,
    WHOLE_PARSE_MS,
    Document,
    Edit,
    WholeParses,
    to_bytes,
    to_text,
)
from tests.support.lsp_texts import documents, normal


def open_python(text: str) -> Document:
    return Document.open("file:///a.py", "python", 1, text)


@given(documents)
def test_text_survives_as_bytes(text: str) -> None:
    assert to_text(to_bytes(text)) == normal(text)


def test_bytes_that_are_no_text_do_not_raise() -> None:
    assert to_text(b"a\xff\xfe") == "a\ufffd\ufffd"


def test_the_halves_of_a_pair_typed_one_by_one_become_one_character() -> None:
    document = open_python("x")
    for half in ("\ud83d", "\ude00"):
        end = len(document.data)
        document = document.apply([Edit(end, end, to_bytes(half))], document.version + 1)
    assert document.data == "x😀".encode()


def test_deleting_between_two_halves_joins_them() -> None:
    document = open_python("\ud83d--\ude00")
    assert document.apply([Edit(3, 5, b"")], 2).data == "😀".encode()


@pytest.mark.parametrize(
    ("uri", "language_id", "language", "grammar"),
    [
        ("file:///a.py", "python", "python", "python"),
        ("file:///a", "python", "python", "python"),
        ("file:///x%20y/a.rs", "", "rust", "rust"),
        ("file:///a.tsx", "typescriptreact", "typescript", "tsx"),
        ("untitled:Untitled-1", "go", "go", "go"),
        ("file:///a.txt", "plaintext", "text", "text"),
        ("file:///a.py", "plaintext", "text", "text"),
        ("vscode-notebook-cell:///nb.py#W1", "markdown", "text", "text"),
        ("file:///translated.ts", "xml", "text", "text"),
        ("file:///a.py", "python.django", "python", "python"),
        ("file:///Makefile", "makefile", "text", "text"),
        ("", "", "text", "text"),
    ],
)
def test_the_editor_names_the_language_else_the_file_name(
    uri: str, language_id: str, language: str, grammar: str
) -> None:
    document = Document.open(uri, language_id, 1, "")
    assert (document.language, document.grammar) == (language, grammar)


edits = st.lists(
    st.tuples(
        st.integers(0, 200), st.integers(0, 20), st.sampled_from(("", "(", ")\n", "x = 1\n"))
    ),
    max_size=25,
)


@given(edits, st.sets(st.integers(0, 24)))
def test_the_tree_after_edits_is_the_tree_of_the_text(
    changes: list[tuple[int, int, str]], looked_at: set[int]
) -> None:
    document = open_python("def f(a, b):\n    return a + b\n\n\nprint(f(1, 2))\n")
    document.tree()
    for number, (wanted, length, new) in enumerate(changes):
        start = min(wanted, len(document.data))
        end = min(start + length, len(document.data))
        document = document.apply([Edit(start, end, new.encode())], number + 2)
        if number in looked_at:
            document.tree()
    fresh = Document.open(document.uri, "python", 1, to_text(document.data)).tree()
    tree = document.tree()
    assert tree.data == document.data
    assert tree.root is not None and fresh.root is not None
    assert (tree.error_count() == 0) == (fresh.error_count() == 0)
    if fresh.error_count() == 0:  # error recovery may differ between the two ways to parse
        assert str(tree.root) == str(fresh.root)


class Parser:
    """Counts parses, which take as long as it is told, of a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.whole_ms, self.again_ms = 100.0, 1.0
        self.given: list[tuple[float, bool]] = []
        """Of every parse the budget, and whether a tree from before was known."""
        self._parse = SyntaxTree.parse
        monkeypatch.setattr(SyntaxTree, "parse", self.parse)

    def parse(
        self, data: bytes, language: str, *, budget_ms: float, old: OldTree | None = None
    ) -> SyntaxTree:
        self.given.append((budget_ms, old is not None))
        takes_ms = self.whole_ms if old is None else self.again_ms
        self.now_s += min(takes_ms, budget_ms) / 1000
        if takes_ms > budget_ms:
            return SyntaxTree.unparsed(data, language)
        return self._parse(data, language, old=old)

    def open(self, text: str = "x = 1\n") -> Document:
        document = open_python(text)
        document._whole = WholeParses(lambda: self.now_s)
        return document


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    return Parser(monkeypatch)


def test_what_one_edit_breaks_is_parsed_from_its_start(parser: Parser) -> None:
    document = parser.open()
    document.tree()
    parser.now_s += 60.0
    parser.again_ms = 65.0
    document = document.apply([Edit(0, 0, b"y = 2\n")], 2)
    assert not document.tree().parsed
    document = document.apply([Edit(0, 0, b"z")], 3)
    tree = document.tree()
    assert tree.parsed and tree.data == document.data
    parser.again_ms = 1.0
    assert document.apply([Edit(0, 0, b"z")], 4).tree().parsed
    assert parser.given == [
        (WHOLE_PARSE_MS, False), (PARSE_MS, True), (WHOLE_PARSE_MS, False), (PARSE_MS, True)
    ]  # fmt: skip


def test_a_version_that_had_no_tree_has_one_later(parser: Parser) -> None:
    document = parser.open()
    document.tree()
    parser.again_ms = 65.0
    document = document.apply([Edit(0, 0, b"y = 2\n")], 2)
    for _ in range(3):
        assert not document.tree().parsed
    assert len(parser.given) == 2, "it is not tried again and again"
    parser.now_s += 60.0
    assert document.tree().parsed and document.tree() is document.tree()
    assert len(parser.given) == 3


@pytest.mark.parametrize("whole", [False, True])
def test_a_text_that_cannot_be_parsed_costs_little(parser: Parser, whole: bool) -> None:
    """Keys in a row, ten a second, for a minute."""
    parser.whole_ms = 1000.0
    document = parser.open()
    for version in range(2, 602):
        begun_s = parser.now_s
        assert not document.tree().parsed
        parser.now_s = max(begun_s + 0.1, parser.now_s)
        text = "#" * version + " x = 1\n"
        edit = Edit(0, 0, b"#")
        document = document.replaced(text, version) if whole else document.apply([edit], version)
    assert 1 < len(parser.given) <= 8


def test_a_quick_parse_is_followed_by_any_other(parser: Parser) -> None:
    parser.whole_ms = 5.0
    document = parser.open()
    assert document.tree().parsed
    for number in range(2, 6):
        document = document.replaced(f"{number}" * 40, number)
        assert document.tree().parsed
    assert parser.given == [(WHOLE_PARSE_MS, False)] * 5, "each another text"


def test_a_whole_text_is_parsed_from_what_was_known(parser: Parser) -> None:
    document = parser.open("def f(a):\n    return é\n")
    document.tree()
    document = document.replaced("def f(a):\n    return è\n", 2)
    assert document.tree().parsed and document.data == "def f(a):\n    return è\n".encode()
    assert parser.given == [(WHOLE_PARSE_MS, False), (PARSE_MS, True)]


@given(documents, documents, documents)
def test_a_whole_text_is_that_text(first: str, middle: str, last: str) -> None:
    document = Document.open("file:///a.py", "python", 1, first + last)
    text = first + middle + last
    document = document.replaced(text, 2)
    fresh = Document.open("file:///a.py", "python", 2, text)
    assert (document.data, document.lines) == (fresh.data, fresh.lines)


def test_every_parse_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []
    parse = SyntaxTree.parse

    def watched(data: bytes, language: str, **known: Any) -> SyntaxTree:
        given.append(known["budget_ms"])
        return parse(data, language, **known)

    monkeypatch.setattr(SyntaxTree, "parse", watched)
    document = open_python("x = 1\n")
    document.tree()
    document.apply([Edit(0, 0, b"y"), Edit(0, 0, b"z")], 2).tree()
    assert given == [WHOLE_PARSE_MS, PARSE_MS], "one parse for all edits"


def test_a_snapshot_does_not_change() -> None:
    first = open_python("a = 1\n")
    first.tree()
    second = first.apply([Edit(0, 1, b"b")], 2)
    assert (first.version, first.data) == (1, b"a = 1\n")
    assert (second.version, second.data, second.language) == (2, b"b = 1\n", "python")
    assert first.tree().data == first.data


def test_what_is_no_address_and_no_language_opens_as_text() -> None:
    assert Document.open("http://[bad/a.py", "x-unknown", 1, "x").language == "python"
    assert Document.open("file:///a.py", "", 1, "x").language == "python"
    assert Document.open("untitled:1", None, 1, "x").language == "text"  # type: ignore[arg-type]
