"""What a closed canvas says, as text of its document, or why it says nothing."""

from __future__ import annotations

import pytest

from diffusion.pretrained import bundled_tokenizer_path
from diffusion.process.canvas_state import CanvasResult
from diffusion.text.tokenizer import DEL, Tokenizer
from diffusion.written import OUT_OF_TIME, Written, read_canvas

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
PINS = tuple(TOKENIZER.encode(b"x = "))
CRLF = b"a\r\nb\r\n"


def row(text: bytes, reason: str = "ended", met: bool = True, spare: int = 2) -> CanvasResult:
    ids = (*PINS, *TOKENIZER.encode(text), *[DEL] * spare)
    finished = reason in ("ended", "full")
    return CanvasResult(ids, (0.5,) * len(ids), -1.0, 3, finished, reason, met)  # type: ignore[arg-type]


def said(result: CanvasResult, constraint: bytes = b"", document: bytes = b"") -> Written | str:
    return read_canvas(TOKENIZER, result, len(PINS), constraint, document)


def test_text_ends_at_the_first_del_and_has_the_line_ends_of_its_document() -> None:
    found = said(row(b"one\ntwo"), document=CRLF)
    assert isinstance(found, Written)
    assert (found.data, found.text) == (b"one\r\ntwo", "one\r\ntwo")
    assert found.slots == tuple(TOKENIZER.encode(b"one\ntwo"))
    assert len(found.token_p) == len(found.slots) + 2


def test_what_is_typed_is_in_the_slots_and_not_in_the_text() -> None:
    found = said(row(b"print(x)"), constraint=b"pri")
    assert isinstance(found, Written)
    assert found.text == "nt(x)" and TOKENIZER.decode(found.slots) == b"print(x)"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (row(b"", "deadline"), OUT_OF_TIME),
        (row(b"", "max_steps"), OUT_OF_TIME),
        (row(b"one", "deadline", met=False), OUT_OF_TIME),
        (row(b"one", "constraint", met=False), "the typed word could not be continued"),
        (row("é".encode()[:1]), "the model wrote half of a character"),
    ],
)
def test_why_there_is_nothing(result: CanvasResult, why: str) -> None:
    assert said(result) == why


def test_a_row_that_was_cut_short_says_what_it_has() -> None:
    found = said(row(b"one", "deadline"))
    assert isinstance(found, Written) and found.text == "one"
    assert isinstance(said(row(b"")), Written), "blank is not nothing"
