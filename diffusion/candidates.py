"""From finished canvases to ranked candidates.

Job: read slots back as text, check that the document still parses with it (and offer the
longest start that does, where it does not: a closer too many is the commonest fault), drop
duplicates, put quotes beside them, gather the evidence for each (`diffusion.ranking`), and order
what is left: finished canvases and quotes first, then by the model's `Ranking`. Longer canvases
pay for more tokens, so plain log-probability would always prefer the shortest (Calibrated
Adaptive Length, 2025, finds the same).

A canvas that was left unfinished, since it was not sure enough, stands where it would stand if it
ended there and parsed: what it holds of a line may be the best that there is to show.

Invariants: a text is offered once, with its best evidence, also where two differ in blanks at the
end of a line; the order does not depend on the
order of the canvases but for exact ties.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from diffusion.process.canvas_state import CanvasResult
from diffusion.quoting import PlacedQuote
from diffusion.ranking import Evidence, QuoteEvidence, Ranking
from diffusion.site import Site, Syntax, errors_more, syntax_of
from diffusion.text.enclosure import line_after
from diffusion.text.hole_length import LengthTable
from diffusion.text.line_ends import with_line_ends
from diffusion.text.repeats import Repeats
from diffusion.text.tokenizer import Tokenizer
from diffusion.written import OUT_OF_TIME, UNSURE, read_canvas

_MOST_CUTS = 12
"""Starts tried of a candidate that does not parse: each costs a parse, a millisecond or less."""


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token of a candidate and the probability with which it was committed."""

    text: str
    p: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished canvas, or a quote, as text.

    `score` is the probability that it is exactly what belongs here, where the model's folder
    has a fitted ranking; otherwise the geometric mean of the tokens' probabilities. It is 0 of one
    that the model was not sure enough to finish (`SamplerConfig.least_p`): only a start of it is
    worth showing.
    """

    text: str
    score: float
    tokens: tuple[TokenScore, ...]
    parses: bool
    canvas_slots: int
    evidence: Evidence | None = None

    @property
    def quoted(self) -> bool:
        """Whether it stands elsewhere in the document and no canvas said it.

        No pass of the model has seen its tokens then: each has the same `p`, their product being
        the score.
        """
        return self.evidence is not None and not self.evidence.sampled


@dataclass(frozen=True, slots=True)
class _Draft:
    """A canvas read back, up to slot `kept`: `inserted` has the document's line ends."""

    result: CanvasResult
    inserted: bytes
    text: str
    kept: int
    trimmed: bool = False

    @property
    def unfinished(self) -> bool:
        """Whether it is the start of what the model did not go on with."""
        return self.result.reason == "unsure"


def rank(
    tokenizer: Tokenizer,
    lengths: LengthTable,
    site: Site,
    results: Sequence[CanvasResult],
    pins: int,
    constraint: bytes,
    ranking: Ranking | None = None,
    quotes: Sequence[PlacedQuote] = (),
) -> tuple[list[Candidate], str]:
    """Candidates in order, best first, and why there are none if the list is empty."""
    ranking = ranking or Ranking()
    quoted = _texts_of(site, quotes)
    repeats = Repeats(site.data, site.start, site.end)
    drafts, reason = _drafts(tokenizer, site, results, pins, constraint)
    inserted = {text: text.removesuffix(site.suffix).encode() for text in quoted}
    syntax = {text: syntax_of(site, inserted[text]) for text in quoted}
    for draft in drafts:
        if draft.text not in syntax and not draft.unfinished:
            syntax[draft.text] = syntax_of(site, draft.inserted)
    for draft in tuple(drafts):
        if draft.result.finished and not syntax[draft.text].parses:
            trimmed = _trim(tokenizer, site, draft, pins, constraint)
            if trimmed is not None:
                drafts.append(trimmed[0])
                syntax[trimmed[0].text] = trimmed[1]
    more = errors_more(site, syntax)
    best: dict[str, tuple[tuple[bool, float], Candidate]] = {}
    for draft in sorted(drafts, key=lambda draft: draft.unfinished):
        if draft.unfinished and draft.text in syntax:  # as a whole, it says more
            continue
        parses = draft.unfinished or syntax[draft.text].parses
        evidence = replace(
            _evidence(lengths, site, draft, pins, parses),
            errors_more=more.get(draft.text, 0),
            repeats=repeats.log_odds(draft.inserted),
            quote=_quote_evidence(quoted.get(draft.text)),
        )
        key = (draft.result.finished or draft.unfinished, ranking.value(evidence))
        if draft.text in best and key <= best[draft.text][0]:
            continue
        slots = draft.result.ids[pins:]
        candidate = Candidate(
            text=draft.text,
            score=0.0 if draft.unfinished else ranking.score(evidence),
            tokens=token_scores(
                tokenizer, slots[: draft.kept], draft.result.token_p[pins:], constraint
            ),
            parses=evidence.parses and not evidence.errors_more,
            canvas_slots=len(slots),
            evidence=evidence,
        )
        best[draft.text] = (key, candidate)
    for text, placed in quoted.items():
        if text in best and best[text][0][0]:
            continue
        evidence = replace(
            _evidence_of_quote(lengths, site, placed, syntax[text].parses),
            errors_more=more[text],
            repeats=repeats.log_odds(inserted[text]),
        )
        score = ranking.score(evidence)
        each = (score ** (1.0 / len(placed.slots)),) * len(placed.slots)
        candidate = Candidate(
            text=text,
            score=score,
            tokens=token_scores(tokenizer, placed.slots, each, constraint),
            parses=evidence.parses and not evidence.errors_more,
            canvas_slots=len(placed.slots),
            evidence=evidence,
        )
        best[text] = ((True, ranking.value(evidence)), candidate)
    ordered = sorted(best.values(), key=lambda pair: pair[0], reverse=True)
    return _distinct([candidate for _, candidate in ordered], site), reason


def _distinct(candidates: Sequence[Candidate], site: Site) -> list[Candidate]:
    """The candidates without those that differ from a better one in nothing that is seen.

    Blanks and line ends at a text's end are not, where nothing follows on the hole's line. What
    was not finished is no better than the whole.
    """
    if line_after(site.data, site.end).strip():
        return list(candidates)
    first: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: candidate.score == 0.0):
        first.setdefault(candidate.text.rstrip(), candidate)
    return [c for c in candidates if first[c.text.rstrip()] is c]


def _drafts(
    tokenizer: Tokenizer,
    site: Site,
    results: Sequence[CanvasResult],
    pins: int,
    constraint: bytes,
) -> tuple[list[_Draft], str]:
    """The canvases that hold something to offer, and why one of the others does not."""
    drafts: list[_Draft] = []
    reason = "the model ended the hole at once"
    for result in results:
        said = read_canvas(tokenizer, result, pins, constraint, site.data)
        if isinstance(said, str):
            reason = said
            continue
        if (not said.data.strip() and not site.suffix) or (not result.finished and not said.slots):
            why = {"deadline": OUT_OF_TIME, "max_steps": OUT_OF_TIME, "unsure": UNSURE}
            reason = why.get(result.reason, reason)
            continue
        blank = "" if result.reason == "unsure" else _blank_after(site, said.data)
        inserted, text = said.data + blank.encode(), said.text + blank + site.suffix
        drafts.append(_Draft(result, inserted, text, len(said.slots)))
    # What a race left behind is cut anywhere: it is offered only if all else came to nothing.
    return [d for d in drafts if d.result.reason != "outrun"] or drafts, reason


def _texts_of(site: Site, quotes: Sequence[PlacedQuote]) -> dict[str, PlacedQuote]:
    """Quotes by the text that they would put into the document; those that are text."""
    found: dict[str, PlacedQuote] = {}
    for placed in quotes:
        try:
            inserted = with_line_ends(placed.quote.text, site.data)
            text = inserted.decode("utf-8") + _blank_after(site, inserted) + site.suffix
        except UnicodeDecodeError:
            continue
        found.setdefault(text, placed)
    return found


def _blank_after(site: Site, inserted: bytes) -> str:
    """The blank that a text ends without and that parts it from the word behind the hole.

    Where the hole begins with a word, it may be that word that goes on behind it; so it may where
    a blank would not parse.
    """
    before, after = site.data[: site.start][-1:], site.data[site.end : site.end + 1]
    if _in_word(before) or not _in_word(after) or not _in_word(inserted[-1:]):
        return ""
    apart, joined = syntax_of(site, inserted + b" "), syntax_of(site, inserted)
    return " " if apart.parses or not joined.parses else ""


def _in_word(byte: bytes) -> bool:
    return byte.isalnum() or byte >= b"\x80"


def _quote_evidence(placed: PlacedQuote | None) -> QuoteEvidence | None:
    if placed is None:
        return None
    quote = placed.quote
    return QuoteEvidence(
        placed.place, quote.likeness, quote.share, quote.matched, sum(placed.said)
    )  # fmt: skip


def _evidence_of_quote(
    lengths: LengthTable, site: Site, placed: PlacedQuote, parses: bool
) -> Evidence:
    """The evidence for a quote that no finished canvas says, too."""
    inserted = with_line_ends(placed.quote.text, site.data)
    return Evidence(
        kind=site.kind,
        finished=True,
        tokens=len(placed.slots),
        mean_log_p=0.0,
        sum_log_p=0.0,
        min_log_p=0.0,
        end_log_p=0.0,
        ended=False,
        length_prior=lengths.prior(site.language, site.kind, len(placed.slots)),
        parses=parses,
        echo=_echoes(inserted, site.data[site.end : site.end + 400]),
        lines=1 + inserted.strip().count(b"\n"),
        sampled=False,
        quote=_quote_evidence(placed),
    )


def _trim(
    tokenizer: Tokenizer, site: Site, draft: _Draft, pins: int, constraint: bytes
) -> tuple[_Draft, Syntax] | None:
    """The longest start of a draft, by tokens, with which the document parses; if there is one.

    None, too, once there is no time to look at one.
    """
    slots = draft.result.ids[pins:]
    for kept in range(draft.kept - 1, max(0, draft.kept - 1 - _MOST_CUTS), -1):
        spelled = tokenizer.decode(list(slots[:kept]))
        if not spelled.startswith(constraint) or not spelled[len(constraint) :].strip():
            return None
        inserted = with_line_ends(spelled[len(constraint) :], site.data)
        if inserted[-1:].isspace():
            continue
        found = syntax_of(site, inserted)
        if not found.parses or found.errors is None:
            if site.allowance.over:
                return None
            continue
        try:
            text = inserted.decode("utf-8") + site.suffix
        except UnicodeDecodeError:
            continue
        return replace(draft, inserted=inserted, text=text, kept=kept, trimmed=True), found
    return None


def _evidence(
    lengths: LengthTable, site: Site, draft: _Draft, pins: int, parses: bool
) -> Evidence:
    result = draft.result
    ended = result.reason == "ended" and not draft.trimmed
    log_p = [math.log(p) if p > 0 else -math.inf for p in result.token_p[pins:]]
    committed = log_p[: draft.kept + 1] if ended else log_p[: draft.kept]
    return Evidence(
        kind=site.kind,
        finished=result.finished,
        tokens=draft.kept,
        mean_log_p=sum(committed) / len(committed) if draft.trimmed else result.mean_log_p,
        sum_log_p=sum(committed),
        min_log_p=min(committed, default=0.0),
        end_log_p=log_p[draft.kept] if ended and draft.kept < len(log_p) else 0.0,
        ended=ended or draft.unfinished,
        length_prior=lengths.prior(site.language, site.kind, draft.kept),
        parses=parses,
        echo=_echoes(draft.inserted, site.data[site.end : site.end + 400]),
        lines=1 + draft.inserted.strip().count(b"\n"),
        trimmed=draft.trimmed,
    )


def _echoes(inserted: bytes, after: bytes) -> bool:
    """Whether the last line of a text of its own lines is also the first one that follows it."""
    last = inserted.rstrip().rpartition(b"\n")[2].strip()
    following = after.lstrip().partition(b"\n")[0].strip()
    return len(last) > 2 and last == following


def token_scores(
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
