"""What other files of the workspace may say about a hole, within a budget.

Job: from the texts at hand choose what is quoted (`text.quotes`) and what votes
(`process.copying`): first the heads of the definitions that the document imports, then the windows
most like the surroundings of the hole. None of it enters the model's context: that stays the
document's own, encoded once for a hole, as the model was trained (docs/decisions/0013).

Invariants: the choice depends on the texts and on the lines around the hole, not on its own line,
so it stays while a person types there; at most `MOST_BYTES` vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from diffusion.text.snippets import around, similar

MOST_BYTES: Final = 8_000
"""Bytes of other files that vote. They are tokenised once for a line: a third of what the document
itself has on one side."""


@dataclass(frozen=True, slots=True)
class CrossFile:
    """Texts of other files. `signatures`: of what is imported; `texts`: whole, likeliest first."""

    signatures: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """`voting`: what votes; `quoted`: the part of it that is in none of the open documents."""

    voting: tuple[bytes, ...] = ()
    quoted: tuple[bytes, ...] = ()


def choose(others: CrossFile, elsewhere: Sequence[bytes], data: bytes, cursor: int) -> Chosen:
    """What of `others` and of the open documents `elsewhere` fits a hole at byte `cursor`."""
    heads: list[bytes] = []
    room = MOST_BYTES
    for text in others.signatures:
        if text and len(text) <= room:
            heads.append(text)
            room -= len(text)
    texts = [text for text in others.texts if text not in elsewhere]
    found = similar(b"".join(around(data, cursor)), (*texts, *elsewhere), room)
    voting = (*heads, *(snippet.text for snippet in found))
    own = (snippet.text for snippet in found if snippet.source < len(texts))
    return Chosen(voting, (*heads, *own))
