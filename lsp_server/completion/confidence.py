"""Which probability belongs to which part of a text, after the filters have changed its blanks.

The engine says its text token by token; filters cut it at the end and change white space in it.
So tokens are matched by what is not blank, and a blank goes with what stands before it. Characters
that came in halves are one piece up to the next whole one: it is as probable as all their tokens.
Invariants: pieces, one after the other, are the text; from where the tokens say something else
on, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from lsp_server.completion.candidate import Piece

_BROKEN = "\ufffd"
"""What half a character of a token is decoded to."""
_Token = tuple[int, tuple[str, float]]
"""Its number, its text, its probability."""


def pieces(text: str, tokens: Sequence[tuple[str, float]]) -> tuple[Piece, ...]:
    """A text by its tokens; what no token says is a piece of its own."""
    if not text:
        return ()
    said = [(c, token) for token in enumerate(tokens) for c in token[1][0] if not c.isspace()]
    found = list(_matched(text, said))
    first = next((token for c, token in zip(text, found, strict=True) if not c.isspace()), None)
    for at, character in enumerate(text):
        if character.isspace():
            found[at] = found[at - 1] if at else first
    return _runs(zip(text, found, strict=True))


def without_start(of: Iterable[Piece], characters: int) -> tuple[Piece, ...]:
    """What is left of pieces without so many characters at the beginning."""
    left = []
    for piece in of:
        rest = piece.text[characters:]
        characters = max(0, characters - len(piece.text))
        if rest:
            left.append(Piece(rest, piece.p))
    return tuple(left)


def likelihood(of: Iterable[Piece], characters: int) -> float:
    """How likely the pieces within so many characters are right together; 1 where unknown."""
    p, at = 1.0, 0
    for piece in of:
        at += len(piece.text)
        if at > characters or piece.p is None:
            break
        p *= piece.p
    return p


def without_end(of: Iterable[Piece], characters: int) -> tuple[Piece, ...]:
    """The first so many characters of pieces."""
    kept = []
    for piece in of:
        text = piece.text[:characters]
        characters -= len(text)
        if text:
            kept.append(Piece(text, piece.p))
    return tuple(kept)


def _matched(text: str, said: list[tuple[str, _Token]]) -> Iterator[_Token | None]:
    """For every character of a text its token; None for blanks and what was not said."""
    at = 0
    for character in text:
        if character.isspace():
            yield None
            continue
        whole = at  # the next character that is not in halves
        while whole < len(said) and said[whole][0] == _BROKEN:
            whole += 1
        if whole < len(said) and said[whole][0] == character:
            yield said[whole][1]
            at = whole + 1
        elif whole > at and not character.isascii():
            yield _in_halves(said, at, whole)
        else:
            yield None
            at = len(said)


def _in_halves(said: list[tuple[str, _Token]], first: int, whole: int) -> _Token:
    """The tokens of halves `[first, whole)` as one; those that a whole character names are not."""
    named = {said[at][1][0] for at in (first - 1, whole) if 0 <= at < len(said)}
    halves = dict(token for _, token in said[first:whole])
    p = math.prod(p for number, (_, p) in halves.items() if number not in named)
    return said[first][1][0], (_BROKEN, p)


def _runs(each: Iterable[tuple[str, _Token | None]]) -> tuple[Piece, ...]:
    return tuple(
        Piece("".join(character for character, _ in run), None if token is None else token[1][1])
        for token, run in groupby(each, key=lambda pair: pair[1])
    )
