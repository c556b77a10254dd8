"""Votes of other files behind those of the document."""

from __future__ import annotations

from diffusion.process.copying import CopyIndex
from diffusion.process.layered_copying import LayeredIndex
from diffusion.text.tokenizer import SPECIAL_COUNT

A, B, C, D, E = range(SPECIAL_COUNT + 10, SPECIAL_COUNT + 15)


def said(own: list[list[int]], others: list[list[int]], *history: int) -> tuple[int, ...]:
    layered = LayeredIndex(CopyIndex(own), CopyIndex(others))
    votes = layered.votes(history, line_ends=frozenset())
    return () if votes is None else votes.tokens


def test_the_document_is_heard_first_where_it_knows_as_much() -> None:
    assert said([[A, B, C]], [[A, B, D]], A, B) == (C,)


def test_others_are_heard_where_they_match_more() -> None:
    assert said([[B, C]], [[A, B, D]], A, B) == (D,)
    assert said([[E]], [[A, B, D]], A, B) == (D,)


def test_a_single_token_is_no_match_elsewhere() -> None:
    assert said([[E]], [[B, D]], A, B) == ()


def test_others_that_know_nothing_leave_the_document_its_votes() -> None:
    assert said([[A, B, C]], [[E]], A, B) == (C,)
    assert said([[E]], [[E]], A, B) == ()
