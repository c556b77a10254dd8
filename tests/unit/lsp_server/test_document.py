"""Documents: bytes and text, edits in sequence, language, the incremental tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.syntax import SyntaxTree
from lsp_server.document import FIRST_PARSE_MS, PARSE_MS, Document, Edit, to_bytes, to_text
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


def test_what_takes_too_long_has_no_tree_and_is_caught_up_with_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = open_python("def f(a):\n    return a\n\n\n" * 8000)
    assert document.tree().parsed
    parse = SyntaxTree.parse
    with monkeypatch.context() as slow:
        slow.setattr(SyntaxTree, "parse", lambda *known, **_: parse(*known, budget_ms=0.0))
        for version in range(2, 40):
            document = document.apply([Edit(0, 0, b'"""\n')], version)
            assert not document.tree().parsed
    monkeypatch.setattr("lsp_server.document.PARSE_MS", 60_000)  # on any machine
    monkeypatch.setattr("lsp_server.document.RETRY_S", 0.0)
    assert not document.tree().parsed, "a version keeps what was said of it"
    document = document.apply([Edit(0, len('"""\n') * 38, b"y = 2\n")], 40)
    tree = document.tree()
    assert tree.parsed and not tree.error_count() and tree.data == document.data


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
    assert given == [FIRST_PARSE_MS, PARSE_MS], "one parse for all edits"


def test_a_snapshot_does_not_change() -> None:
    first = open_python("a = 1\n")
    first.tree()
    second = first.apply([Edit(0, 1, b"b")], 2)
    assert (first.version, first.data) == (1, b"a = 1\n")
    assert (second.version, second.data, second.language) == (2, b"b = 1\n", "python")
    assert first.tree().data == first.data


def test_what_failed_thrice_is_tried_again_after_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budgets: list[float | None] = []

    def too_slow(data: bytes, language: str, **known: Any) -> SyntaxTree:
        budgets.append(known["budget_ms"])
        return SyntaxTree.unparsed(data, language)

    monkeypatch.setattr(SyntaxTree, "parse", too_slow)
    monkeypatch.setattr("lsp_server.document.RETRY_S", 3600.0)
    document = open_python("x = 1\n")
    for version in range(2, 12):
        assert not document.tree().parsed
        document = document.apply([Edit(0, 0, b"#")], version)
    assert budgets == [FIRST_PARSE_MS, PARSE_MS, PARSE_MS]
    monkeypatch.setattr("lsp_server.document.RETRY_S", 0.0)
    document.tree()
    assert len(budgets) == 4


def test_what_is_no_address_and_no_language_opens_as_text() -> None:
    assert Document.open("http://[bad/a.py", "x-unknown", 1, "x").language == "python"
    assert Document.open("file:///a.py", "", 1, "x").language == "python"
    assert Document.open("untitled:1", None, 1, "x").language == "text"  # type: ignore[arg-type]
