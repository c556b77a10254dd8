"""Each filter on drawn documents: `¦` is the cursor in the document, or nothing is written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.syntax import SyntaxTree
from lsp_server.completion import filters
from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings, gather
from lsp_server.completion.filters import multiline
from lsp_server.document import PARSE_MS, Document, to_bytes
from lsp_server.settings import Settings, SyntaxSettings
from tests.support.lsp_texts import documents

CURSOR = "¦"


def around(
    drawn: str, *, language: str = "python", automatic: bool = True, **inline: float
) -> Surroundings:
    before, _, after = drawn.partition(CURSOR)
    document = Document.open("file:///a", language, 1, before + after)
    at = len(to_bytes(before))
    one_line = inline.pop("one_line", False)
    settings = Settings() if not inline else _settings(inline)
    return gather(document, at, at, settings, automatic=automatic, multiline=not one_line)


def _settings(inline: dict[str, float]) -> Settings:
    from lsp_server.settings import InlineSettings

    return Settings(inline=InlineSettings(**inline))  # type: ignore[arg-type]


def run(drawn: str, text: str, **options: object) -> str:
    """The text that is left, or "dropped by NAME"."""
    scored = {key: options.pop(key) for key in ("score", "parses") if key in options}
    surroundings = around(drawn, **options)  # type: ignore[arg-type]
    at = len(to_bytes(drawn.partition(CURSOR)[0]))
    outcome, by = filters.run(Suggestion(text, at, at, **{"score": 0.9, **scored}), surroundings)  # type: ignore[arg-type]
    return f"dropped by {by}" if isinstance(outcome, Drop) else outcome.text


@pytest.mark.parametrize(
    "text",
    ["[MASK]", "x[PAD]", "<|endoftext|>", "a\x00b", "a\x1bb", "\ufffd", "\ud83d", "<mask>"],
)
def test_leaked_tokens_and_control_characters(text: str) -> None:
    assert run("x = ¦", text) == "dropped by drop_special_tokens"


def test_a_mark_the_code_itself_uses_is_no_leak() -> None:
    assert run("MASK = '[MASK]'\nPAD = ¦", "'[MASK]'") == "'[MASK]'"


@pytest.mark.parametrize(
    ("drawn", "line_end"),
    [("a = 1\r\nb = ¦\r\n", "\r\n"), ("a = 1\nb = ¦", "\n"), ("a = 1\rb = ¦", "\r"), ("¦", "\n")],
)
def test_lines_end_as_in_the_document(drawn: str, line_end: str) -> None:
    assert run(drawn, "1\nc = 2\r\nd = 3", automatic=False) == line_end.join(
        ("1", "c = 2", "d = 3")
    )


@pytest.mark.parametrize("drawn", ["a = 1\r\nb = 2\r\nc = ¦\n", "a = 1\r\nb = 2\rc = ¦"])
def test_most_lines_decide_in_a_mixed_document(drawn: str) -> None:
    assert run(drawn, "3\nd = 4") == "3\r\nd = 4"


@pytest.mark.parametrize(
    ("drawn", "text", "left"),
    [
        ("x = [¦]", "a, a, a, a, a, ", "dropped by stop_repetition"),
        ("x = [0, 0, 0, 0,\n     ¦]", "0, 0, 0, 0, 0", "0, 0, 0, 0, 0"),
        ("# ¦", "--------------------", "--------------------"),
        ("¦", "x = 1\ny = 2\ny = 2\ny = 2", "x = 1\ny = 2"),
        ("x = ¦", "1\nx = 1\nx = 1", "1"),
        ("¦", "x = [\n    one,\n    one,\n    one,\n]", "x = [\n    one,\n]"),
        ("def f():\n    ¦", "return 1", "return 1"),
    ],
)
def test_repetition(drawn: str, text: str, left: str) -> None:
    assert run(drawn, text) == left


def test_closing_braces_repeat_in_sound_code() -> None:
    text = "f() {\n        }\n    }\n}"
    assert run("class A {\n    ¦\n", text, language="javascript", automatic=False) == text


@pytest.mark.parametrize(
    ("drawn", "text", "left"),
    [
        ("x = ¦", "1\ny = 2", "1"),
        ("x = ¦", "1", "1"),
        ("x = ¦\n", "1\n", "1"),
        ("f(¦)", "a,\n  b", "dropped by limit_to_one_line"),
        ("if x:¦", "\n    pass", "dropped by limit_to_one_line"),
        ("x = ¦\r\ny", "1\n\nz = 2", "1"),
    ],
)
def test_one_line_where_one_is_wanted(drawn: str, text: str, left: str) -> None:
    assert run(drawn, text, one_line=True, automatic=False) == left


def test_when_several_lines_are_wanted() -> None:
    wanted = multiline.is_wanted
    assert [wanted("auto", kind, automatic=True) for kind in ("block", "member")] == [True, False]
    assert wanted("auto", "member", automatic=False)
    assert not wanted("never", "block", automatic=False)
    assert wanted("always", "member", automatic=True)


def test_lines_beyond_the_limit_are_cut() -> None:
    assert run("¦", "a = 1\nb = 2\nc = 3", max_lines=2) == "a = 1\nb = 2"
    dropped = run("f(¦)", "a,\nb,\nc", max_lines=2)
    assert dropped == "dropped by limit_lines"


@pytest.mark.parametrize(
    ("drawn", "text", "left"),
    [
        ("print(¦a, b)", "a, b)", "dropped by trim_duplicate_lines"),
        ("a = load()\nb = ¦\nb = parse(a)", "parse(a)", "dropped by trim_duplicate_lines"),
        ("a = load(1)\na = ¦", "load(1)", "dropped by trim_duplicate_lines"),
        ("if a:\n    ¦\n    return total", "total = 1\n    return total", "total = 1"),
        ("if a:\n    ¦\n\n    b = 2\n    c = 3", "x = 1\n    b = 2\n    c = 3", "x = 1"),
        ("{\n  a();\n  ¦\n}", "b();\n}", "b();\n}"),
        ("f(¦)\nother = 1", "a,\nother = 1", "a,\nother = 1"),  # the bracket goes on with it
    ],
)
def test_lines_that_are_there_already(drawn: str, text: str, left: str) -> None:
    assert run(drawn, text, automatic=False) == left


@pytest.mark.parametrize(
    ("drawn", "text", "parses", "left"),
    [
        ("print(¦)", "a, b)", False, "a, b"),
        ("f(g(x¦)", ", 1)", True, ", 1)"),
        ("x = [1, ¦];", "2];", False, "2"),
        ("x = foo(¦, bar)", "1, bar)", True, "1"),
        ("x = ¦", "a)", False, "a)"),
        ('s = "¦"', 'text"', False, "text"),
    ],
)
def test_overlap_with_the_suffix(drawn: str, text: str, parses: bool, left: str) -> None:
    assert run(drawn, text, parses=parses, automatic=False) == left


@pytest.mark.parametrize(
    ("drawn", "text", "left"),
    [
        ("if a:\n\tb = 1\n\t¦", "if c:\n        d = 1", "if c:\n\t\td = 1"),
        ("if a:\n  b = 1\n  ¦", "if c:\n\t\td = 1", "if c:\n    d = 1"),
        ("if a:\n    b = 1\n    ¦", "if c:\n        d = 1", "if c:\n        d = 1"),
        ("if a:\n\tb = 1\nif c:\n    d = 1\n¦", "if e:\n    f = 1", "if e:\n    f = 1"),
        ("if a:\n\tb = 1\n\t¦", "if c:\n\t\t\t\td = 1", "if c:\n\t\t\t\td = 1"),
        ("if a:\n\tb = 1\n\t¦", "f(c,\n\t\t    d)", "f(c,\n\t\t    d)"),  # alignment
        ("if a:\n b = 1\n ¦", "if c:\n\t\td = 1", "if c:\n    d = 1"),  # one blank is no width
    ],
)
def test_indentation_follows_the_document(drawn: str, text: str, left: str) -> None:
    assert run(drawn, text) == left


@pytest.mark.parametrize(
    ("drawn", "text", "left"),
    [
        ("return ¦", " a + b  ", "a + b"),
        ("return ¦", "a  \n\t\n", "a"),
        ("f(¦ , b)", "a", "a"),
        ("¦x = 1", "y = 2\n", "y = 2\n"),
        ("if a:\n  ¦", "  b = 1", "  b = 1"),  # it goes on indenting
        ("x = ¦", "   ", "dropped by trim_whitespace"),
        ("x = ¦", "\n\n", "dropped by trim_whitespace"),
    ],
)
def test_blanks(drawn: str, text: str, left: str) -> None:
    assert run(drawn, text) == left


@pytest.mark.parametrize(
    ("drawn", "text", "options", "left"),
    [
        ("x = f(¦)", "g(1", {"parses": False}, "dropped by drop_broken_syntax"),
        ("x = f(¦)", "g(1", {"parses": False, "automatic": False}, "g(1"),
        ("x = f(¦)", "g(1", {"parses": True}, "g(1"),  # who says so has looked
        ("y = 1\n¦", "f(1,\n  2)", {"one_line": True}, "dropped by drop_broken_syntax"),
        ("y = 1\n¦", "f(1,\n  2)", {"one_line": True, "automatic": False}, "f(1,"),
        ("x = ¦", "f(1)\ny = (", {"one_line": True, "parses": False}, "f(1)"),
        ("def broken(:\n    pass\nx = ¦", "1\ny", {"one_line": True}, "1"),
    ],
)
def test_syntax(drawn: str, text: str, options: dict[str, object], left: str) -> None:
    """The engine judges its own text; what a filter has cut is parsed."""
    assert run(drawn, text, **options) == left


def test_what_a_changed_text_does_is_found_out_by_key_too() -> None:
    for text, parses in (("f(1,\n  2)", False), ("f(1)\n  ", True)):
        surroundings = around("y = 1\n¦", automatic=False, one_line=True)
        outcome, _ = filters.run(Suggestion(text, 6, 6, 0.9, parses=True), surroundings)
        assert isinstance(outcome, Suggestion) and outcome.parses is parses


def test_syntax_is_not_looked_at_where_the_setting_is_off() -> None:
    at = len("x = f(")
    document = Document.open("file:///a", "python", 1, "x = f()")
    for check, dropped in (("rank", True), ("repair", True), ("off", False)):
        around = gather(
            document, at, at, Settings(syntax=SyntaxSettings(check=check)), automatic=True
        )
        outcome, _ = filters.run(Suggestion("g(1", at, at, 0.9, parses=False), around)
        assert isinstance(outcome, Drop) is dropped


def test_all_candidates_of_an_answer_share_the_time_to_parse_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, given_ms, edit = 0.0, [], SyntaxTree.edit

    def slow(tree: SyntaxTree, *where: int, budget_ms: float) -> SyntaxTree:
        nonlocal now_s
        given_ms.append(budget_ms)
        now_s += 0.02
        return edit(tree, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(SyntaxTree, "edit", slow)
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr("diffusion.text.parse_allowance.time", clock)
    surroundings, at = around("y = 1\n¦", one_line=True), len("y = 1\n")
    left = []
    for number in range(4):
        text = f"f({number},\n  2)"
        outcome, _ = filters.run(Suggestion(text, at, at, 0.9, parses=None), surroundings)
        left.append(isinstance(outcome, Suggestion))
    assert given_ms == [PARSE_MS, pytest.approx(PARSE_MS - 20)]
    assert left == [False, False, True, True], "what there is no time for is not dropped"


def test_a_document_without_a_grammar_is_not_parsed() -> None:
    options = {"language": "plaintext", "one_line": True}
    assert run("x = ¦", "f(1,\n2)", **options) == "f(1,"


@given(documents, st.data(), documents, st.booleans(), st.booleans())
def test_no_text_makes_a_filter_raise(
    text: str, draw: st.DataObject, fill: str, parses: bool, automatic: bool
) -> None:
    document = Document.open("file:///a.py", "python", 1, text)
    line = draw.draw(st.integers(0, document.lines.count - 1))
    at = document.lines.span(line, document.data)[1]
    surroundings = gather(document, at, at, Settings(), automatic=automatic)
    outcome, _ = filters.run(Suggestion(fill, at, at, 0.9, parses), surroundings)
    if isinstance(outcome, Drop):
        assert outcome.why
    else:
        assert outcome.text.strip()
        assert (outcome.start, outcome.end) == (at, at)
