"""Every measure on completions where its value is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.evaluate.metrics import bootstrap, repeats, score
from diffusion.evaluate.pieces import pieces, visible_pieces
from tests.unit.evaluate.scripted import ADD


def test_the_reference_scores_full_marks() -> None:
    got = score(ADD, ADD.middle)
    assert got.exact_match and got.exact_match_strict and got.parses
    assert got.edit_similarity == 1.0
    assert not (got.empty or got.repetition or got.suffix_echo)


def test_white_space_at_the_ends_matters_to_the_strict_match_only() -> None:
    got = score(ADD, " a + b\n")
    assert got.exact_match and not got.exact_match_strict
    assert got.edit_similarity == 1.0
    assert not score(ADD, "a  + b").exact_match


def test_edit_similarity_is_one_less_the_share_of_edits() -> None:
    assert score(ADD, "a - b").edit_similarity == pytest.approx(0.8)
    assert score(ADD, "").edit_similarity == 0.0
    assert score(replace(ADD, middle=""), "").edit_similarity == 1.0


def test_blank_is_empty() -> None:
    assert score(ADD, " \n").empty
    assert not score(ADD, "0").empty


def test_parses_compares_with_the_reference() -> None:
    assert score(ADD, "a * b").parses is True
    assert score(ADD, "a + (b").parses is False
    broken = replace(ADD, suffix="\n)\n")  # an error that is not the completion's fault
    assert score(broken, "a * b").parses is True
    assert score(broken, "a + (b").parses is True


@pytest.mark.parametrize("language", ["text", "no such language"])
def test_parses_is_unknown_without_a_grammar(language: str) -> None:
    assert score(replace(ADD, language=language), "a").parses is None


@pytest.mark.parametrize(
    "text",
    [
        "self.self.self.self.",
        "return return return",
        "x = foo(x = foo(x = foo(",
        "))))))))",
        "    a = load(first, second, third, 1)\n" * 3,
        "ok()\n" + "total += item.quantity * item.price_of(1, 2, 3)\n\n" * 3,
    ],
)
def test_loops_are_repetition(text: str) -> None:
    assert repeats(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0, 0, 0",
        "[[0, 0], [0, 0]]",
        "a.b.c.d.e.f",
        "x = 1\ny = 1\nz = 1",
        "push(Circle(1))\npush(Square(2))\npush(Cube(3))",
        "total += 1\ntotal += 1",
        "    }\n  }\n}",
    ],
)
def test_ordinary_code_is_no_repetition(text: str) -> None:
    assert not repeats(text)


def test_suffix_echo_is_writing_the_next_line_again() -> None:
    case = replace(ADD, suffix="\nprint(add(1, 2))\n")
    assert score(case, "a + b\nprint(add(1, 2))").suffix_echo
    assert not score(case, "a + b").suffix_echo
    assert not score(replace(case, suffix="\n}\n"), "a + b\n}").suffix_echo
    twice = replace(case, middle="a + b\nprint(add(1, 2))")
    assert not score(twice, twice.middle).suffix_echo


def test_surrogates_and_nul_are_scored() -> None:
    case = replace(ADD, prefix="\ud800", middle="\udfff\0", suffix="\0")
    assert score(case, case.middle).exact_match_strict
    assert not score(case, "x").exact_match


@given(st.text())
def test_pieces_lose_nothing(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_pieces_are_what_the_docstring_says() -> None:
    assert pieces("x = f(1)\n  y") == ["x", " =", " f", "(", "1", ")", "\n  ", "y"]
    assert visible_pieces(" a\n\tb ") == ["a", "b"]


def test_where_every_group_has_one_case_the_interval_is_that_of_the_cases() -> None:
    values = [0.1 * (i % 7) for i in range(50)]
    assert bootstrap(values, [f"g{i}" for i in range(50)]) == bootstrap(values)
    found = bootstrap(values)  # as it was before there were groups
    generator = np.random.default_rng(0)
    means = [np.mean(np.array(values)[generator.integers(0, 50, 50)]) for _ in range(1000)]
    tail = (1 - 0.95) / 2
    assert [found.low, found.high] == np.quantile(means, [tail, 1 - tail]).tolist()


def test_cases_of_one_group_are_drawn_together() -> None:
    values = [float(i // 10 % 2) for i in range(200)]  # ten cases of a problem, all alike
    alone, together = bootstrap(values), bootstrap(values, [i // 10 for i in range(200)])
    assert (alone.groups, together.groups) == (200, 20)
    assert together.mean == alone.mean == 0.5
    assert 2.5 < (together.high - together.low) / (alone.high - alone.low) < 4  # about 10**0.5
    uneven = bootstrap([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])  # a mean of cases, not groups
    assert (uneven.mean, uneven.low, uneven.high) == (0.75, 0.0, 1.0)


def test_the_interval_holds_the_mean_and_narrows_with_more_cases() -> None:
    few, many = bootstrap([0.0, 1.0] * 10), bootstrap([0.0, 1.0] * 500)
    assert few.mean == many.mean == 0.5
    assert few.low < many.low < 0.5 < many.high < few.high
    assert bootstrap([0.0, 1.0] * 10) == few
    constant = bootstrap([0.25] * 7)
    assert (constant.low, constant.high) == (0.25, 0.25)
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])


def test_the_interval_of_uneven_groups_is_about_the_mean_of_their_cases() -> None:
    """One problem of 91 cases, all right, and nine of one case, all wrong."""
    groups = [0] * 91 + [*range(1, 10)]
    found = bootstrap([1.0] * 91 + [0.0] * 9, groups)
    assert found.mean == pytest.approx(0.91) and found.groups == 10
    assert found.low <= found.mean <= found.high
    turned = bootstrap([0.0] * 91 + [1.0] * 9, groups)
    assert turned.low <= turned.mean <= turned.high
