"""JSON of a model folder: what is damaged is said, and no number is too large to be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.errors import TextError, TokenizerError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.hole_length import LengthTable
from diffusion.text.json_file import read_object
from diffusion.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000, "nested too deeply"), (b"[]", "holds no object"), (b"", "Expecting"),
        (b"\xff", "utf-8"), (b'{"a": 1', "Expecting"),
    ],
)  # fmt: skip
def test_what_is_no_object_is_a_value_error(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(ValueError, match=said):
        read_object(tmp_path / "a.json")


def test_numbers_that_nothing_computes_with_are_text(tmp_path: Path) -> None:
    text = f'{{"a": [-3, 2.5, 1e400, NaN, -Infinity, 1{"0" * 400}]}}'
    (tmp_path / "a.json").write_text(text)
    found = read_object(tmp_path / "a.json")["a"]
    assert found == [-3, 2.5, "1e400", "NaN", "-Infinity", "1" + "0" * 400]


def test_a_count_that_is_too_large_is_refused(tmp_path: Path) -> None:
    table = LengthTable.learn([("python", "block", 3)])
    table.save(tmp_path / "lengths.json")
    text = (tmp_path / "lengths.json").read_text()
    assert LengthTable.load(tmp_path / "lengths.json")
    (tmp_path / "lengths.json").write_text(text.replace("[0,0,0,1", "[0,0,0,1" + "0" * 400))
    with pytest.raises(TextError, match="are not 30 whole numbers"):
        LengthTable.load(tmp_path / "lengths.json")


def test_a_tokenizer_that_is_no_text_or_has_a_token_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json cannot be read"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    text = bundled_tokenizer_path().read_text(encoding="utf-8")
    more = text.replace('"vocab":{', '"vocab":{"\u4e00":16384,').replace(
        '"vocab": {', '"vocab": {"\u4e00":16384,'
    )
    (tmp_path / "tokenizer.json").write_text(more, encoding="utf-8")
    with pytest.raises(TokenizerError, match="stands for no bytes"):
        Tokenizer.load(tmp_path / "tokenizer.json")
