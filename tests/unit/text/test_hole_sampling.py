"""Training holes: the rules that they keep, the sources that they come from, drawn examples."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.hole import Hole
from diffusion.text.hole_sampling import MAX_HOLE_BYTES, HoleMix, sample_holes
from diffusion.text.implied_newline import implied_newline
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import Case, draw_holes, read_cases, read_drawn

CASES = read_cases(Path(__file__).parents[2] / "golden" / "span" / "holes.txt")
ANY_LANGUAGE = st.sampled_from((*languages.NAMES, "text"))
PIECES = st.sampled_from(
    [
        "def f(a):",
        "return a",
        "f(a, b)",
        '"text"',
        "é",
        "日本",
        "\n",
        "\n    ",
        "\r\n",
        "{",
        "}",
        ";",
    ]
)
DOCUMENTS = st.lists(PIECES, max_size=60).map(lambda parts: "".join(parts).encode())
MIX = HoleMix()


def check(case: Case) -> None:
    """A golden case: the same seed draws the same holes into the same document."""
    language, seed = case.words
    drawn = read_drawn(case.body)
    tree = SyntaxTree.parse(drawn.data, language)
    size = len(drawn.data)
    holes = sample_holes(tree, drawn.data, (0, size), random.Random(int(seed)), MIX, size // 3)
    assert draw_holes(drawn.data, [(h.start, h.end) for h in holes]) == case.body


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.words[0]}-{case.words[1]}")
def test_drawn_holes(case: Case) -> None:
    check(case)


def assert_rules(data: bytes, window: tuple[int, int], holes: list[Hole], mix: HoleMix) -> None:
    assert len(holes) <= mix.max_holes
    for hole in holes:
        assert window[0] <= hole.start < hole.end <= window[1]
        assert hole.end - hole.start <= MAX_HOLE_BYTES
        assert data[hole.start : hole.end].strip()
        for edge in (hole.start, hole.end):
            assert data[edge - 1 : edge + 1] != b"\r\n", "a hole splits a CRLF"
        line_break = data.rfind(b"\n", 0, hole.start)
        assert line_break >= window[0] or window[0] == 0, "the canvas begins before the window"
    for before, after in pairwise(holes):
        assert before.end <= after.start
        assert data.count(b"\n", 0, before.end) < data.count(b"\n", 0, after.start)


@given(
    DOCUMENTS | st.binary(max_size=300),
    ANY_LANGUAGE,
    st.integers(0, 1 << 30),
    st.data(),
)
def test_rules_hold_for_any_document(
    data: bytes, language: str, seed: int, draw: st.DataObject
) -> None:
    start = draw.draw(st.integers(0, len(data)))
    window = (start, draw.draw(st.integers(start, len(data))))
    tree = SyntaxTree.parse(data, language)
    wanted = (window[1] - window[0]) // 3
    holes = sample_holes(tree, data, window, random.Random(seed), MIX, wanted)
    assert_rules(data, window, holes, MIX)
    assert holes == sample_holes(tree, data, window, random.Random(seed), MIX, wanted)


@given(DOCUMENTS, ANY_LANGUAGE, st.integers(0, 1 << 30))
def test_no_code_point_is_split(data: bytes, language: str, seed: int) -> None:
    tree = SyntaxTree.parse(data, language)
    for hole in sample_holes(tree, data, (0, len(data)), random.Random(seed), MIX, len(data)):
        for part in (data[: hole.start], data[hole.start : hole.end], data[hole.end :]):
            part.decode("utf-8")


PYTHON = b"".join(
    b"def function_%d(argument, other):\n"
    b"    total = compute(argument, [other, %d])\n"
    b"    if total > argument and other:\n"
    b"        return {'key': total, 'value': (argument + other) * %d}\n"
    b"    # nothing to be done\n"
    b"    return None\n\n\n" % (i, i, i)
    for i in range(40)
)


def draw_many(mix: HoleMix, count: int = 120, language: str = "python") -> list[Hole]:
    tree = SyntaxTree.parse(PYTHON, language)
    rng = random.Random(7)
    holes = []
    for _ in range(count):
        start = rng.randrange(len(PYTHON) - 2000)
        window = (PYTHON.rfind(b"\n", 0, start) + 1, start + 2000)
        drawn = sample_holes(tree, PYTHON, window, rng, mix, 600)
        assert_rules(PYTHON, window, drawn, mix)
        holes += drawn
    return holes


def test_windows_are_filled_about_as_asked() -> None:
    mix = HoleMix(max_holes=30)
    total = sum(hole.end - hole.start for hole in draw_many(mix, 100))
    assert 0.8 < total / (100 * 600) < 1.25


def test_sources_keep_their_shares() -> None:
    kinds = Counter(hole.kind for hole in draw_many(MIX, 400))
    whole = sum(kinds.values())
    assert kinds["rest_of_line"] / whole == pytest.approx(0.20, abs=0.05)
    assert kinds["lines"] / whole == pytest.approx(0.10, abs=0.04)
    assert kinds["cut"] / whole == pytest.approx(0.15, abs=0.05)
    for kind in ("expression", "statement", "element", "arguments"):
        assert kinds[kind] > 0.01 * whole, f"hardly any {kind} is drawn"


def test_node_lengths_span_a_few_bytes_to_a_few_hundred() -> None:
    lengths = sorted(h.end - h.start for h in draw_many(HoleMix(1, 1e-9, 0, 0), 300))
    assert lengths[len(lengths) // 10] < 12
    assert 15 < lengths[len(lengths) // 2] < 80
    assert lengths[len(lengths) * 19 // 20] > 120


def test_nodes_end_where_tokens_end() -> None:
    for hole in draw_many(HoleMix(1, 0, 0, 1e-9)):
        if hole.kind == "cut":
            continue
        for edge in (hole.start, hole.end):
            inside_word = PYTHON[edge - 1 : edge + 1].replace(b"_", b"a").isalnum()
            in_comment = b"#" in PYTHON[PYTHON.rfind(b"\n", 0, edge) + 1 : edge]
            assert not inside_word or in_comment, PYTHON[hole.start : hole.end]


def test_rest_of_line_stays_on_its_line_and_reaches_its_end() -> None:
    holes = draw_many(HoleMix(0, 1, 0, 0))
    assert {hole.kind for hole in holes} == {"rest_of_line"}
    for hole in holes:
        assert b"\n" not in PYTHON[hole.start : hole.end]
        rest = PYTHON[hole.end : PYTHON.find(b"\n", hole.end)]
        assert not rest.strip(b")]};:,>{ ")


def test_a_single_line_has_its_indentation_or_has_not() -> None:
    indented = Counter()
    for hole in draw_many(HoleMix(0, 0, 0, 0, one_line=1)):
        line_start = PYTHON.rfind(b"\n", 0, hole.start) + 1
        assert not PYTHON[line_start : hole.start].strip()
        assert b"\n" not in PYTHON[hole.start : hole.end]
        assert hole.end == len(PYTHON) or PYTHON[hole.end : hole.end + 1] == b"\n"
        indented[hole.start > line_start] += 1
    assert len(indented) == 2


def test_lines_come_in_three_forms() -> None:
    forms = Counter()
    for hole in draw_many(HoleMix(0, 0, 1, 0)):
        text = PYTHON[hole.start : hole.end]
        assert text.count(b"\n") <= 6
        assert hole.end == len(PYTHON) or b"\n" in (text[-1:], PYTHON[hole.end : hole.end + 1])
        if text.endswith(b"\n"):
            assert PYTHON[hole.start - 1 : hole.start] in (b"\n", b"")
            forms["with the line break"] += 1
        elif text.startswith(b"\n"):
            forms["with the line break before"] += 1
        else:
            line_start = PYTHON.rfind(b"\n", 0, hole.start) + 1
            assert not PYTHON[line_start : hole.start].strip()
            forms["without"] += 1
    assert min(forms.values()) > 0.1 * sum(forms.values()) and len(forms) == 3


def test_no_line_break_is_cut_out_that_serving_implies() -> None:
    """Before a whole line, the text that a request is about has an empty line at the cursor."""
    whole_lines = 0
    for hole in draw_many(HoleMix(0, 0, 1, 0)):
        cut = PYTHON[: hole.start] + PYTHON[hole.end :]
        assert not implied_newline(cut, hole.start)
        whole_lines += PYTHON[hole.end - 1 : hole.end] == b"\n"
    assert whole_lines, "before a blank line, nothing is implied"


def test_cuts_begin_inside_words_and_cross_lines() -> None:
    holes = draw_many(HoleMix(0, 0, 0, 1))
    assert {hole.kind for hole in holes} == {"cut"}
    assert max(hole.end - hole.start for hole in holes) <= 200
    crossing = sum(b"\n" in PYTHON[hole.start : hole.end] for hole in holes)
    in_word = sum(PYTHON[hole.start - 1 : hole.start + 1].isalnum() for hole in holes)
    assert crossing > 0.2 * len(holes)
    assert in_word > 0.2 * len(holes)


@pytest.mark.parametrize("language", ["text", None])
def test_without_a_tree_the_other_sources_remain(language: str | None) -> None:
    tree = None if language is None else SyntaxTree.parse(PYTHON, language)
    found: Counter[str] = Counter()
    for seed in range(50):
        holes = sample_holes(tree, PYTHON, (0, 2000), random.Random(seed), MIX, 600)
        found.update(hole.kind for hole in holes)
    assert set(found) == {"rest_of_line", "lines", "cut"}


@pytest.mark.parametrize(
    ("data", "window"),
    [
        (b"", (0, 0)),
        (b" \n\t\n", (0, 4)),
        (b"abc", (3, 3)),
        (b"abc", (2, 1)),
        (b"x" * 5000, (1000, 3000)),  # one long line: no canvas could be anchored
    ],
)
def test_windows_without_room(data: bytes, window: tuple[int, int]) -> None:
    tree = SyntaxTree.parse(data, "python")
    assert sample_holes(tree, data, window, random.Random(0), MIX, 100) == []


def test_no_target_means_no_holes() -> None:
    assert sample_holes(None, PYTHON, (0, 2000), random.Random(0), MIX, 0) == []


def test_mix_without_a_source_is_refused() -> None:
    with pytest.raises(HoleError, match="negative share"):
        HoleMix(node=-0.1)
    with pytest.raises(HoleError, match="none that works without a tree"):
        HoleMix(rest_of_line=0, lines=0, cut=0)
