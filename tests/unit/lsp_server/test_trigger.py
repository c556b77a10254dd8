"""Where nothing is offered, and why."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.completion.trigger import CompletionRequest, decide
from lsp_server.document import Document, to_bytes
from lsp_server.reasons import SENTENCES, Reason
from lsp_server.settings import read


def reason(
    drawn: str,
    raw: dict[str, Any] | None = None,
    *,
    language: str = "python",
    automatic: bool = True,
) -> Reason | None:
    before, _, after = drawn.partition("¦")
    document = Document.open("untitled:a", language, 1, before + after)
    request = CompletionRequest(document, len(to_bytes(before)), automatic)
    settings, problems = read(raw)
    assert not problems
    refusal = decide(request, settings)
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize("drawn", ["¦", "x = ¦", "f(¦)", "f¦(a)", "x¦", "é = ¦😀", "a\r\n¦\r\nb"])
@pytest.mark.parametrize("automatic", [True, False])
def test_offers(drawn: str, automatic: bool) -> None:
    assert reason(drawn, automatic=automatic) is None


@pytest.mark.parametrize(
    ("drawn", "raw"),
    [
        ("x " * 1000 + "¦", None),
        ("x " * 1000 + "¦\ny", {"performance": {"maxLineLength": 2000}}),
        ("x\n" * 512 + "¦", {"performance": {"maxFileKB": 1}}),
    ],
)
def test_offers_up_to_a_limit(drawn: str, raw: dict[str, Any] | None) -> None:
    assert reason(drawn, raw) is None
    refused = reason(drawn.replace("¦", "x¦"), raw)
    assert refused in (Reason.LINE_TOO_LONG, Reason.FILE_TOO_LARGE)


@pytest.mark.parametrize(
    ("drawn", "raw", "wanted"),
    [
        ("x¦", {"enable": False}, Reason.DISABLED),
        ("x¦", {"inline": {"trigger": "manual"}}, Reason.MANUAL_ONLY),
        ("x¦", {"languages": {"*": True, "python": False}}, Reason.LANGUAGE_OFF),
        ("x¦", {"languages": {"go": True}}, Reason.LANGUAGE_OFF),
        ("x\0¦", None, Reason.BINARY),
        ("x" * 2000 + " ¦", None, Reason.LINE_TOO_LONG),
        ("x\n" * 600_000 + "¦", None, Reason.FILE_TOO_LARGE),
        ("x" * 1100 + "\n¦", {"performance": {"maxFileKB": 1}}, Reason.FILE_TOO_LARGE),
        ("retu¦rn", None, Reason.INSIDE_WORD),
        ("é¦é", None, Reason.INSIDE_WORD),
        ("e¦\u0301", None, Reason.INSIDE_WORD),  # between a letter and its accent
        ("\u0928\u092e\u0938\u094d¦\u0924\u0947", None, Reason.INSIDE_WORD),
    ],
)
def test_refuses(drawn: str, raw: dict[str, Any] | None, wanted: Reason) -> None:
    assert reason(drawn, raw) is wanted


def test_an_explicit_request_is_answered_where_an_automatic_one_is_not() -> None:
    assert reason("retu¦rn", automatic=False) is None
    assert reason("x¦", {"inline": {"trigger": "manual"}}, automatic=False) is None


@pytest.mark.parametrize("language", ["plaintext", "", "cobol", "\ud800"])
def test_unknown_languages(language: str) -> None:
    assert reason("x¦", language=language) is Reason.LANGUAGE_UNKNOWN


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
