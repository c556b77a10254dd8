"""A large document that changes a little is parsed from what was there, and to the same tree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.text import reparse
from diffusion.text.reparse import Versions, unchanged
from diffusion.text.syntax import SyntaxTree

LINE = b"value_%d = compute(value_%d, [1, 2, 3])\n"
LARGE = b"".join(LINE % (n, n) for n in range(2000))


def shape(tree: SyntaxTree) -> str:
    assert tree.root is not None
    return str(tree.root)


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=20))
def test_unchanged_is_what_two_texts_share(one: bytes, other: bytes, both: bytes) -> None:
    for left, right in ((one, other), (both + one + both, both + other + both)):
        start, tail = unchanged(left, right)
        assert left[:start] == right[:start]
        assert left[len(left) - tail :] == right[len(right) - tail :]
        assert start + tail <= min(len(left), len(right))
        assert start == min(len(left), len(right)) or left[start] != right[start]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_versions_of_a_sound_document_have_the_trees_of_whole_parses(data: st.DataObject) -> None:
    versions, text = Versions(), LARGE
    for _ in range(3):
        at = len(LINE % (1, 1)) * data.draw(st.integers(0, 20))
        at = text.rfind(b"\n", 0, at) + 1
        gone = data.draw(st.sampled_from([0, len(text[at : text.find(b"\n", at) + 1])]))
        new = data.draw(st.sampled_from([b"", b"x = 1\n", b"def f():\n    return 1\n", b"# a\n"]))
        text = text[:at] + new + text[at + gone :]
        assert shape(versions.parse(text, "python")) == shape(SyntaxTree.parse(text, "python"))


def test_another_document_or_language_is_parsed_as_a_whole() -> None:
    versions = Versions()
    versions.parse(LARGE, "python")
    other = LARGE.replace(b"value", b"other").replace(b"compute", b"f")
    assert shape(versions.parse(other, "python")) == shape(SyntaxTree.parse(other, "python"))
    script = LARGE.replace(b"\n", b";\n")
    assert shape(versions.parse(script, "javascript")) == shape(
        SyntaxTree.parse(script, "javascript")
    )


def test_of_a_small_document_nothing_is_kept() -> None:
    versions = Versions()
    versions.parse(b"x = 1\n", "python")
    assert versions._last is None


def test_a_key_in_a_large_document_costs_a_part_of_a_whole_parse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told by what the parser is given, as times are the machine's."""
    given: list[bool] = []
    plain = reparse.SyntaxTree.parse

    def parse(*args: object, **known: object) -> SyntaxTree:
        given.append(known.get("old") is not None)
        return plain(*args, **known)  # type: ignore[arg-type]

    monkeypatch.setattr(reparse.SyntaxTree, "parse", parse)
    versions = Versions()
    for typed in (b"", b"n", b"na", b"nam"):
        versions.parse(LARGE + typed, "python")
    assert given == [False, True, True, True]
    versions.parse(LARGE, "python", budget_ms=0.0)
    versions.parse(LARGE, "python")
    assert given[4:] == [True, False], "after a parse that was given up there is nothing to go by"


def test_a_large_document_with_elements_stays_with_its_grammar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reparse, "LARGE_BYTES", 10)
    text, versions = b"const a = <div id={b}>\n  <p>{c}</p>\n</div>;\n", Versions()
    for _ in range(3):
        tree = versions.parse(text, "typescript")
        assert (tree.grammar, tree.error_count()) == ("tsx", 0)
        text += b"f(1);\n"
