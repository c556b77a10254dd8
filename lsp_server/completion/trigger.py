"""Whether to offer anything at a cursor, decided before any model is asked.

The rules in order, each with its own `Reason`; cheap ones first. Pure: the same request and
settings give the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from unicodedata import category

from diffusion.text import languages
from diffusion.text.enclosure import prose_at
from lsp_server.document import Document, to_text
from lsp_server.reasons import Reason
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex

_JOINER: Final = "\u200d"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is offered here."""

    reason: Reason
    note: str = ""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Fill the hole at byte `cursor` of a document snapshot.

    `elsewhere`: other open documents in its language, the last touched first. `repository`: the
    lines of files around it, None where they are not read. `refusal`: what the session has against
    it whatever the text (a pause, a file that is left alone). `sure`: a suggestion need not be
    whole (`completion.extent`).
    """

    document: Document
    cursor: int
    automatic: bool
    alternatives: int = 1
    elsewhere: tuple[Document, ...] = ()
    repository: LineIndex | None = None
    refusal: Refusal | None = None
    sure: bool = False


def decide(request: CompletionRequest, settings: Settings) -> Refusal | None:
    """None to go on, else why not."""
    document, limits = request.document, settings.performance
    if not settings.enable:
        return Refusal(Reason.DISABLED)
    if request.automatic and settings.inline.trigger == "manual":
        return Refusal(Reason.MANUAL_ONLY)
    if request.refusal is not None:
        return request.refusal
    if document.language == languages.TEXT:
        return Refusal(Reason.LANGUAGE_UNKNOWN, "one of " + ", ".join(languages.NAMES))
    if not settings.serves(document.language):
        return Refusal(Reason.LANGUAGE_OFF, document.language)
    if len(document.data) > 1024 * limits.max_file_kb:
        kilobytes = len(document.data) // 1024
        return Refusal(Reason.FILE_TOO_LARGE, f"{kilobytes} KB of {limits.max_file_kb}")
    if b"\0" in document.data:
        return Refusal(Reason.BINARY)
    start, end = document.line(request.cursor)
    if end - start > limits.max_line_length:
        return Refusal(Reason.LINE_TOO_LONG, f"{end - start} of {limits.max_line_length} bytes")
    if request.automatic and _inside_word(document.data, start, request.cursor, end):
        return Refusal(Reason.INSIDE_WORD)
    if request.automatic and settings.inline.disabled_in:
        scope = prose_at(document.tree(), document.data, request.cursor)
        if scope in settings.inline.disabled_in:
            return Refusal(Reason.SCOPE_OFF, scope)
    return None


def _inside_word(data: bytes, start: int, cursor: int, end: int) -> bool:
    return goes_on(to_text(data[start:cursor])[-1:], to_text(data[cursor:end])[:1])


def goes_on(left: str, right: str) -> bool:
    """Whether what ends in the character `left` is cut in two before `right`.

    It is amid a word, and between a character and what is set upon it or joined to it.
    """
    joined = is_mark(right) or left == _JOINER
    return bool(left) and (joined or (is_word(left) and is_word(right)))


def is_word(character: str) -> bool:
    """Whether a character is part of a word; nothing is none."""
    return character.isalnum() or character == "_" or is_mark(character)


def is_mark(character: str) -> bool:
    """Whether a character is set upon the one before it (accents, vowel signs), or joins two."""
    return character == _JOINER or (character != "" and category(character).startswith("M"))
