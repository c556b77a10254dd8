"""The time that a request's parses may take together."""

from __future__ import annotations

import pytest

from diffusion.site import Site, adds_no_error
from diffusion.text import parse_allowance as under_test
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.syntax import SyntaxTree

BIG = b"x = f(1)\n" * 30_000


def test_a_text_is_parsed_in_its_place() -> None:
    tree = SyntaxTree.parse(b"x = f()\n", "python")
    after = ParseAllowance().edited(tree, 6, 6, b"g(1")
    assert after.data == b"x = f(g(1)\n" and after.error_count() == 1


def test_all_parses_of_a_request_share_the_time() -> None:
    broken = b'"""\n' + BIG  # every parse is one of all that follows
    tree = SyntaxTree.parse(broken, "python")
    assert tree.parsed and tree.error_count()
    allowance = ParseAllowance(budget_ms=1.0)
    assert not allowance.edited(tree, 0, 0, b"y").parsed and allowance.left_ms <= 0
    small = SyntaxTree.parse(b"x = f()\n" + BIG, "python")
    assert not allowance.edited(small, 6, 6, b"(" * 9).parsed, "the time is over"


def test_no_parse_takes_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = SyntaxTree.parse(b'"""\n' + BIG, "python")
    monkeypatch.setattr(under_test, "LONGEST_MS", 1.0)
    allowance = ParseAllowance(budget_ms=60_000.0)
    assert not allowance.edited(tree, 0, 0, b"y").parsed and not allowance.over


def test_what_there_is_no_time_for_adds_no_error_but_what_takes_long_in_a_sound_document_does() -> (
    None
):
    data = b"x = f()\n" + BIG
    broken = b"x = f(\n" + BIG
    sites = [
        Site(SyntaxTree.parse(text, "python"), text, 6, 6, "python", "arguments")
        for text in (data, data, broken)
    ]
    for site, left_ms in zip(sites, (1.0, 0.0, 1.0), strict=True):
        site.allowance.left_ms = left_ms
    assert [adds_no_error(site, b"g(1") for site in sites] == [False, True, True]
