"""From finished canvases to ranked candidates.

Job: read slots back as text, check that the document still parses with it, drop duplicates, and
order what is left: candidates that parse first, then by a length-fair score. Longer canvases pay
for more tokens, so plain log-probability would always prefer the shortest (Calibrated Adaptive
Length, 2025, finds the same); the score is the mean over tokens plus a share of the log-prior of
the length, which the length table knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from diffusion.process.canvas_state import CanvasResult
from diffusion.text.canvas import read_back
from diffusion.text.hole_length import LengthTable
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, Tokenizer

LENGTH_PRIOR_WEIGHT = 0.1
"""How much a nat of length prior counts against a nat of mean log-probability."""


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token of a candidate and the probability with which it was committed."""

    text: str
    p: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished canvas as text. `score` is the geometric mean of the tokens' probabilities."""

    text: str
    score: float
    tokens: tuple[TokenScore, ...]
    parses: bool
    canvas_slots: int


@dataclass(frozen=True, slots=True)
class Site:
    """The document around the hole that candidates are judged in."""

    tree: SyntaxTree
    data: bytes
    start: int
    end: int
    language: str
    kind: str
    suffix: str = ""
    """Text that every candidate ends with: the newline of an inserted line, or nothing."""


def rank(
    tokenizer: Tokenizer,
    lengths: LengthTable,
    site: Site,
    results: Sequence[CanvasResult],
    pins: int,
    constraint: bytes,
) -> tuple[list[Candidate], str]:
    """Candidates in order, best first, and why there are none if the list is empty."""
    scored: dict[str, tuple[tuple[bool, bool, float], Candidate]] = {}
    reason = "the model ended the hole at once"
    for result in results:
        if not result.constraint_met:
            reason = "the typed word could not be continued"
            continue
        slots = result.ids[pins:]
        kept = slots.index(DEL) if DEL in slots else len(slots)
        raw = read_back(tokenizer, slots, constraint)
        if not raw.strip() and not site.suffix:
            continue
        if not result.finished and kept == 0:
            reason = f"out of time: {result.reason}"
            continue
        try:
            inserted = _with_line_ends(raw, site.data)
            text = inserted.decode("utf-8") + site.suffix
        except UnicodeDecodeError:
            reason = "the model wrote half of a character"
            continue
        candidate = Candidate(
            text=text,
            score=math.exp(result.mean_log_p),
            tokens=_token_scores(tokenizer, slots[:kept], result.token_p[pins:], constraint),
            parses=adds_no_error(site, inserted),
            canvas_slots=len(slots),
        )
        prior = lengths.prior(site.language, site.kind, kept)
        value = result.mean_log_p + LENGTH_PRIOR_WEIGHT * prior
        key = (result.finished, candidate.parses, value)
        if text not in scored or key > scored[text][0]:
            scored[text] = (key, candidate)
    ordered = sorted(scored.values(), key=lambda pair: pair[0], reverse=True)
    return [candidate for _, candidate in ordered], reason


def adds_no_error(site: Site, text: bytes) -> bool:
    """Whether the document parses no worse with `text` in the hole than it does without.

    Documents without a grammar always parse. An error that touches the inserted lines counts even
    if the document had as many before, unless the document was already broken there.
    """
    if not site.tree.parsed:
        return True
    before = site.tree.error_count()
    document = site.data[: site.start] + text + site.data[site.end :]
    after = site.tree.edit(site.start, site.end, site.start + len(text), document)
    count = after.error_count()
    if count == 0 or not after.parsed:
        return True
    if count > before:
        return False
    return not after.has_error(site.start, site.start + len(text)) or count < before


def _with_line_ends(text: bytes, document: bytes) -> bytes:
    """`text` with the document's line ends, when that uses CRLF."""
    if document.count(b"\r\n") * 2 > document.count(b"\n"):
        return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text


def _token_scores(
    tokenizer: Tokenizer, ids: Sequence[int], token_p: Sequence[float], constraint: bytes
) -> tuple[TokenScore, ...]:
    """Scores of the tokens that the candidate adds, without the bytes of the constraint."""
    scores = []
    skip = len(constraint)
    for token, p in zip(ids, token_p, strict=False):
        piece = tokenizer.token_bytes(token)
        fresh = piece[skip:]
        skip = max(0, skip - len(piece))
        if fresh:
            scores.append(TokenScore(fresh.decode("utf-8", "replace"), p))
    return tuple(scores)
