"""Which words of a scored text look wrong: like for like, and by a clear margin.

A word is suspicious where the model would rather read another of the same sort: a name for a name,
a number for a number, an operator for an operator. What it would build differently (`if` for
`while`, `),` for `,`) is taste, not a mistake, and is not reported. `suspicion` is the margin
between the two probabilities, 0 to 1; `benchmarks/suspicious_tokens.py` measures what it is worth
against the ratio of the two and against the word's probability alone.

Invariants: a suspicious word comes with the alternatives that make it so, best first, each of the
word's own sort and more probable than the word; no torch, so that the server may import this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"[^\W\d]\w*")
_OPERATOR = re.compile(
    r"[<>]=?|[=!]==?|[-+*/]=?|\*\*|//|%|&&|\|\||[&|^]|<<|>>|and|or|in|is|not"
)
_KEYWORD = re.compile(
    "as|assert|async|await|break|case|catch|class|const|continue|crate|def|default|defer|del|do|"
    "elif|else|enum|except|export|extends|final|finally|fn|for|from|func|function|global|go|if|"
    "impl|import|interface|lambda|let|loop|match|mod|mut|new|nonlocal|package|pass|private|"
    "protected|pub|public|raise|return|self|static|struct|super|switch|this|throw|throws|try|type|"
    "typeof|use|using|var|void|where|while|with|yield|[Tt]rue|[Ff]alse|None|null|nil|undefined"
)


@dataclass(frozen=True, slots=True)
class Alternative:
    """What the model would rather, or also, have read. `p` is a geometric mean over tokens."""

    text: str
    p: float


@dataclass(frozen=True, slots=True)
class ScoredWord:
    """One word, bytes `[start, end)`, which may be a name, a number or a run of signs.

    `p`: geometric mean probability of its tokens. `alternatives`: the most probable readings of
    the place, best first, the word itself among them if it is one.
    """

    start: int
    end: int
    text: str
    p: float
    alternatives: tuple[Alternative, ...]

    @property
    def better(self) -> Alternative | None:
        """The best alternative, where it is more probable than what stands there."""
        best = next((a for a in self.alternatives if a.text != self.text), None)
        return best if best is not None and best.p > self.p else None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A word, by how much another would be likelier, and those others."""

    word: ScoredWord
    margin: float
    instead: tuple[Alternative, ...]


def sort_of(text: str) -> str | None:
    """ "name", "number" or "operator"; None for what is never reported."""
    if _OPERATOR.fullmatch(text):
        return "operator"
    if text.isdigit():
        return "number"
    if _NAME.fullmatch(text) and not _KEYWORD.fullmatch(text):
        return "name"
    return None


def suspicion(word: ScoredWord) -> Suspicion | None:
    """How a word is suspicious; None where it is not at all."""
    sort = sort_of(word.text)
    if sort is None:
        return None
    instead = tuple(
        other for other in word.alternatives
        if other.text != word.text and other.p > word.p and sort_of(other.text) == sort
    )  # fmt: skip
    return Suspicion(word, instead[0].p - word.p, instead) if instead else None


def suspicious(words: Iterable[ScoredWord], threshold: float, most: int) -> list[Suspicion]:
    """The `most` most suspicious words with a margin of at least `threshold`, in text order."""
    found = [s for word in words if (s := suspicion(word)) is not None and s.margin >= threshold]
    found.sort(key=lambda s: -s.margin)
    return sorted(found[:most], key=lambda s: s.word.start)
