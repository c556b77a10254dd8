"""The bundled vocabulary: lossless on any bytes, blind to text that spells a special token."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import TokenizerError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.healing import heal
from diffusion.text.tokenizer import (
    SPECIAL_COUNT,
    SPECIAL_NAMES,
    VOCAB_SIZE,
    Tokenizer,
    pretoken_ends,
)
from diffusion.text.tokenizer_training import train_tokenizer

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
CODE = b"def area(w, h):\n    if w < 10:\n        return w * h  # 2D\n\tx\r\n"

CODE_LIKE = st.text(
    alphabet=st.sampled_from("ab_Z09 \t\n\r.,:;()[]{}=+-*/\"'#\x0b\x0c\u00e9\u4e2d\U0001f600"),
    max_size=60,
).map(lambda text: text.encode())
ANY_BYTES = st.binary(max_size=80) | CODE_LIKE


@given(ANY_BYTES)
def test_round_trip_is_lossless(data: bytes) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(data)) == data


@given(ANY_BYTES)
def test_no_text_spells_a_special_token(data: bytes) -> None:
    assert all(SPECIAL_COUNT <= token < VOCAB_SIZE for token in TOKENIZER.encode(data))


def test_names_of_special_tokens_are_plain_text() -> None:
    for name in SPECIAL_NAMES:
        ids = TOKENIZER.encode(name.encode())
        assert min(ids) >= SPECIAL_COUNT


@given(ANY_BYTES)
def test_ends_are_byte_offsets(data: bytes) -> None:
    ids, ends = TOKENIZER.encode_with_ends(data)
    assert [data[a:b] for a, b in zip([0, *ends], ends, strict=False)] == [
        TOKENIZER.token_bytes(token) for token in ids
    ]


@given(ANY_BYTES)
def test_pretokens_here_are_those_of_the_library(data: bytes) -> None:
    core = TOKENIZER._core.pre_tokenizer
    theirs = [end for _, (_, end) in core.pre_tokenize_str(data.decode("latin-1"))]
    assert pretoken_ends(data) == theirs


@given(ANY_BYTES, ANY_BYTES)
def test_typing_on_changes_only_the_healed_pretoken(typed: bytes, more: bytes) -> None:
    pins, constraint = heal(TOKENIZER, typed)
    assert TOKENIZER.decode(pins) + constraint == typed
    assert TOKENIZER.encode(typed + more)[: len(pins)] == list(pins)


def test_newline_takes_the_indentation_along_and_digits_stand_alone() -> None:
    pieces = [TOKENIZER.token_bytes(token) for token in TOKENIZER.encode(CODE)]
    assert b"\n    " in pieces and b"\n        " in pieces
    digits = [piece for piece in pieces if piece.strip().isdigit()]
    assert [len(piece.strip()) for piece in digits] == [1] * len(digits)
    assert not any(b"\n" in piece.lstrip(b"\r\n") for piece in pieces)


def test_training_learns_frequent_words() -> None:
    raw = train_tokenizer([b"velocity = velocity + 1\n" * 50], vocab_size=296)
    trained = Tokenizer.from_json(raw)
    assert trained.vocab_size == 296
    assert len(trained.encode(b" velocity")) < len(b" velocity")
    assert json.loads(raw)["added_tokens"] == []


def test_too_little_text_is_an_error() -> None:
    with pytest.raises(TokenizerError, match="give more text"):
        train_tokenizer([b"x"], vocab_size=400)


def test_bad_files_name_the_file_and_the_fix(tmp_path) -> None:
    with pytest.raises(TokenizerError, match=r"nowhere\.json cannot be read"):
        Tokenizer.load(tmp_path / "nowhere.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"broken\.json is not a readable"):
        Tokenizer.load(broken)


def test_unknown_ids_are_an_error_and_unknown_languages_are_text() -> None:
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        TOKENIZER.decode([VOCAB_SIZE])
    assert TOKENIZER.language_id("cobol") == TOKENIZER.language_id("text")
    assert TOKENIZER.language_id("go") != TOKENIZER.language_id("rust")
