"""Trees over bytes: odd input, incremental edits, errors, paths."""

from __future__ import annotations

import threading

import pytest
import tree_sitter
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text import languages
from diffusion.text.syntax import MAX_PARSED_BYTES, SyntaxTree

SOURCES = {
    "python": b"def f(a):\n    if a:\n        return [a, 'x']\n    return None\n",
    "javascript": b"function f(a) {\n  const b = `x ${a}`;\n  return [a, b];\n}\n",
    "typescript": b"interface A { b: string }\nconst c: A = { b: 'x' };\n",
    "tsx": b"const a = <div id={b}>text {c}</div>;\n",
    "go": b"package a\n\nfunc F(a int) int {\n\treturn a + 1\n}\n",
    "rust": b"fn f(a: u8) -> u8 {\n    match a { 1 => 2, _ => a }\n}\n",
    "java": b"class A {\n    int f(int a) { return a + 1; }\n}\n",
    "c": b'#include <a.h>\nint f(int a) { return printf("%d", a); }\n',
    "cpp": b"namespace a { template <class T> T f(T a) { return a; } }\n",
}
# Snippets that keep a document sound when they stand on a line of their own at its end.
TAIL = {
    "python": b"g(1)\n",
    "javascript": b"g(1);\n",
    "typescript": b"g(1);\n",
    "tsx": b"g(1);\n",
    "go": b"var g = 1\n",
    "rust": b"fn g() {}\n",
    "java": b"class G {}\n",
    "c": b"int g;\n",
    "cpp": b"int g;\n",
}


def shape(tree: SyntaxTree) -> list[tuple[str, int, int, tuple[int, int]]]:
    """Type, range and start point of every node, so that two trees can be compared."""
    found = []
    stack: list[tree_sitter.Node] = [] if tree.root is None else [tree.root]
    while stack:
        node = stack.pop()
        found.append((node.type, node.start_byte, node.end_byte, tuple(node.start_point)))
        stack.extend(node.children)
    return found


@pytest.mark.parametrize("grammar", SOURCES)
def test_sound_source_has_no_errors(grammar: str) -> None:
    tree = SyntaxTree.parse(SOURCES[grammar], grammar)
    assert tree.error_count() == 0
    assert tree.language == languages.canonical(grammar)
    assert tree.root is not None and tree.root.end_byte == len(SOURCES[grammar])


@pytest.mark.parametrize("grammar", SOURCES)
def test_edit_equals_parse_from_scratch(grammar: str) -> None:
    old = SOURCES[grammar]
    tree = SyntaxTree.parse(old, grammar)
    before = shape(tree)
    new = old + TAIL[grammar]
    edited = tree.edit(len(old), len(old), len(new), new)
    assert shape(edited) == shape(SyntaxTree.parse(new, grammar))
    assert shape(tree) == before, "an edit changed the tree that it started from"
    back = edited.edit(len(old), len(new), len(old), old)
    assert shape(back) == before


@given(
    st.sampled_from([(g, i) for g, s in SOURCES.items() for i in range(s.count(b"a"))]),
    st.sampled_from([b"name", b"b", "ä".encode(), b"_1"]),
)
def test_renaming_equals_parse_from_scratch(place: tuple[str, int], name: bytes) -> None:
    grammar, index = place
    old = SOURCES[grammar]
    start = [i for i in range(len(old)) if old[i : i + 1] == b"a"][index]
    new = old[:start] + name + old[start + 1 :]
    fresh = SyntaxTree.parse(new, grammar)
    edited = SyntaxTree.parse(old, grammar).edit(start, start + 1, start + len(name), new)
    if fresh.error_count() == 0:
        assert shape(edited) == shape(fresh)
    assert edited.data == new


@given(
    st.sampled_from([*SOURCES, "text"]),
    st.binary(max_size=120),
    st.binary(max_size=30),
    st.data(),
)
def test_any_bytes_and_any_edit(
    grammar: str, data: bytes, inserted: bytes, draw: st.DataObject
) -> None:
    tree = SyntaxTree.parse(data, grammar)
    start = draw.draw(st.integers(0, len(data)))
    old_end = draw.draw(st.integers(start, len(data)))
    new = data[:start] + inserted + data[old_end:]
    edited = tree.edit(start, old_end, start + len(inserted), new)
    for each in (tree, edited):
        assert each.error_count() >= 0
        for node in each.errors():
            assert 0 <= node.start_byte <= node.end_byte <= len(each.data)
        for offset in range(0, len(each.data) + 1, 7):
            for node in each.path(offset):
                assert node.start_byte <= offset < node.end_byte


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\xff\xfe", b"a = 1\r\nb = 2\r\n", b"\x0cclass A: pass", b"\xef\xbb\xbfa = 1"],
)
def test_odd_bytes(data: bytes) -> None:
    for grammar in SOURCES:
        assert SyntaxTree.parse(data, grammar).data == data


def test_no_tree_without_a_grammar_or_over_the_guard() -> None:
    big = b"a = 1\n" * (MAX_PARSED_BYTES // 6 + 1)
    for tree in (SyntaxTree.parse(b"a = (", "text"), SyntaxTree.parse(big, "python")):
        assert not tree.parsed
        assert tree.root is None
        assert tree.cursor() is None
        assert tree.error_count() == 0
        assert not tree.has_error(0, 3)
        assert tree.path(0) == []
    small = SyntaxTree.parse(big, "python").edit(5, len(big), 5, big[:5])
    assert small.parsed, "a document that shrinks below the guard is parsed again"


def test_errors_of_a_range() -> None:
    data = b"a = 1\nb = (\n\nc = 3\nd = 4\ne = )\n"
    tree = SyntaxTree.parse(data, "python")
    assert tree.error_count() >= 1
    assert not tree.has_error(0, 3)
    assert tree.has_error(data.index(b")"), data.index(b")") + 1)
    assert [n.start_byte for n in tree.errors()] == sorted(n.start_byte for n in tree.errors())


@given(
    st.sampled_from([*SOURCES]), st.lists(st.sampled_from([*"(){};:a =\n"]), max_size=80), st.data()
)
def test_errors_are_those_of_a_full_walk(
    grammar: str, pieces: list[str], draw: st.DataObject
) -> None:
    data = "".join(pieces).encode()
    tree = SyntaxTree.parse(data, grammar)
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    expected = set()
    stack = [] if tree.root is None else [tree.root]
    while stack:
        node = stack.pop()
        if (node.is_error or node.is_missing) and node.start_byte <= end and node.end_byte >= start:
            expected.add((node.start_byte, node.end_byte, node.type))
        stack.extend(node.children)
    assert {(n.start_byte, n.end_byte, n.type) for n in tree.errors(start, end)} == expected


def test_parse_over_its_budget_gives_no_tree_and_harms_no_later_parse() -> None:
    data = SOURCES["python"] * 300
    assert not SyntaxTree.parse(data, "python", budget_ms=0.0).parsed
    later = SyntaxTree.parse(SOURCES["python"], "python")
    assert later.error_count() == 0
    assert not SyntaxTree.parse(b"f(1 +\n" * 40_000, "python", budget_ms=0.0).parsed
    assert shape(SyntaxTree.parse(SOURCES["python"], "python")) == shape(later)
    unhurried = SyntaxTree.parse(data, "python", budget_ms=1e6)
    assert shape(unhurried) == shape(SyntaxTree.parse(data, "python"))
    edited = unhurried.edit(0, 0, 2, b"\n\n" + data, budget_ms=1e6)
    assert shape(edited) == shape(SyntaxTree.parse(b"\n\n" + data, "python"))


def test_path_reaches_past_a_hidden_node() -> None:
    tree = SyntaxTree.parse(b";\n(", "go")
    assert [node.type for node in tree.path(2)][-1] == "("
    assert tree.has_error(2, 2)


def test_a_missing_token_before_the_first_byte_is_found() -> None:
    tree = SyntaxTree.parse(b"==", "rust")
    assert any(node.is_missing and node.end_byte == 0 for node in tree.errors(0, 0))


def test_missing_tokens_count_as_errors() -> None:
    tree = SyntaxTree.parse(b"int a = 1", "c")
    assert tree.error_count() == 1
    assert next(tree.errors()).is_missing


def test_path_goes_from_the_root_to_the_leaf() -> None:
    data = SOURCES["python"]
    at = data.index(b"'x'") + 1
    types = [node.type for node in SyntaxTree.parse(data, "python").path(at)]
    assert types[:2] == ["module", "function_definition"]
    assert types[-2:] == ["string", "string_content"]


def test_edit_that_does_not_fit_is_refused() -> None:
    tree = SyntaxTree.parse(b"abc", "python")
    with pytest.raises(ValueError, match="pass the byte range that was replaced"):
        tree.edit(0, 1, 1, b"abcd")


def test_threads_parse_at_once() -> None:
    results: dict[str, int] = {}

    def work(grammar: str) -> None:
        for _ in range(20):
            results[grammar] = SyntaxTree.parse(SOURCES[grammar] * 20, grammar).error_count()

    threads = [threading.Thread(target=work, args=(g,)) for g in ("python", "c", "python", "cpp")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"python": 0, "c": 0, "cpp": 0}


ELEMENTS = b"const a = <div id={b}>\n  <p>{c}</p>\n</div>;\n"


@pytest.mark.parametrize(
    ("data", "grammar"),
    [
        (ELEMENTS, "tsx"),
        (ELEMENTS + b"const d = f(\n", "tsx"),
        (b"const a = <A>b; // </p>\n", "typescript"),
        (b"const a = <A>b; // </p>\nconst c = f(\n", "typescript"),
        (b"const a = f(\n", "typescript"),
    ],
)
def test_typescript_with_elements_is_read_as_tsx(data: bytes, grammar: str) -> None:
    tree = SyntaxTree.parse(data, "typescript")
    assert (tree.grammar, tree.language) == (grammar, "typescript")
    longer = tree.edit(0, 0, 2, b";\n" + data)
    assert longer.grammar == grammar
    assert longer.error_count() == SyntaxTree.parse(b";\n" + data, "typescript").error_count()


def test_a_later_version_is_read_by_the_grammar_of_the_one_before() -> None:
    tree = SyntaxTree.parse(ELEMENTS, "typescript")
    old = tree.old()
    assert old is not None
    moved = old.edit(ELEMENTS, 0, 0, 2, b";\n" + ELEMENTS)
    later = SyntaxTree.parse(b";\n" + ELEMENTS, "typescript", old=moved)
    assert (later.grammar, later.error_count()) == ("tsx", 0)
