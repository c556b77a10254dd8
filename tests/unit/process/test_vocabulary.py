"""The spelling index: prefix ranges and prefixes, against a plain search."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import SamplerError
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, MASK, SPECIAL_COUNT
from tests.support.denoisers import byte_id, byte_vocabulary

WORDS = (
    b"re",
    b"ret",
    b"return",
    b" return",
    b"\xff",
    b"\xff\xff",
    b"rex",
    b"s\xff\xffa",
    b"\n    ",
)
VOCABULARY = byte_vocabulary(*WORDS)


@given(
    st.sampled_from((*WORDS, b"retu", b"returns", b"\xff\xff\xff", b"s\xff"))
    | st.binary(min_size=1, max_size=3)
)
def test_spelling_matches_a_plain_search(wanted: bytes) -> None:
    table = list(enumerate(VOCABULARY.token_bytes))
    completing = [i for i, data in table if data.startswith(wanted)]
    beginning = [i for i, data in table if data and wanted.startswith(data) and data != wanted]
    assert sorted(VOCABULARY.completing(wanted)) == completing
    assert sorted(VOCABULARY.beginning(wanted)) == sorted(beginning)


def test_specials_but_del_are_forbidden() -> None:
    forbidden = set(VOCABULARY.forbidden_ids.tolist())
    assert forbidden == set(range(32)) - {DEL}
    assert MASK in forbidden


def test_a_token_without_bytes_is_forbidden() -> None:
    table = [b""] * 32 + [b"a", b"", b"b"]
    vocabulary = Vocabulary.build(table.__getitem__, len(table))
    assert 33 in vocabulary.forbidden_ids.tolist()


def test_wordless_means_no_letter() -> None:
    vocabulary = byte_vocabulary(b"))", b" 0", b"\n  ", b")x", "é".encode(), b"_")
    assert vocabulary.wordless[288:] == (True, True, True, False, False, False)
    assert vocabulary.wordless[byte_id(")")] and not vocabulary.wordless[byte_id("a")]


def test_line_ends_are_newlines_with_indentation() -> None:
    vocabulary = byte_vocabulary(b"\r\n\t", b"\n  ", b"  ", b";\n")
    assert vocabulary.line_end[288:] == (True, True, False, False)


def test_a_vocabulary_of_specials_is_refused() -> None:
    with pytest.raises(SamplerError, match="holds no text"):
        Vocabulary.build(lambda token: b"", 40)


def test_long_typed_words_take_no_minutes() -> None:
    vocabulary = Vocabulary.build(lambda t: bytes([t - SPECIAL_COUNT]), SPECIAL_COUNT + 256)
    assert vocabulary.longest == 1
    begun_s = time.perf_counter()
    for _ in range(1000):  # every row asks at every step
        assert vocabulary.least_tokens(b"x" * 2000)[0] == 2000
    assert time.perf_counter() - begun_s < 5


def test_least_tokens_counts_overrunning_ones_and_knows_what_cannot_be_spelled() -> None:
    vocabulary = byte_vocabulary(b"retu", b"return")
    assert vocabulary.least_tokens(b"retur") == [1, 4, 3, 2, 1, 0]
    assert vocabulary.least_tokens(b"returns")[0] == 2
    table = [b""] * SPECIAL_COUNT + [b"a"]
    sparse = Vocabulary.build(table.__getitem__, len(table))
    assert sparse.least_tokens(b"ab")[0] > 2
    assert sparse.least_tokens(b"aa") == [2, 1, 0]
