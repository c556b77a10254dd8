"""A candidate on its way through the filters, and why one was dropped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text and how probable the model finds it; None where it says nothing."""

    text: str
    p: float | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text that would replace bytes [start, end) of the document.

    `score` is the engine's, 0 to 1, and 0 of a text without its end; `parses` what it says about
    the document with the text in it, None for a text that a filter has changed.
    `pieces`, one after the other, are the text; they are put in when the filters are done with it.
    """

    text: str
    start: int
    end: int
    score: float
    parses: bool | None = True
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter's no, with the reason for the trace (no source text in it)."""

    why: str
