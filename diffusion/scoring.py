"""How probable every word of a file is to the model, seen from both sides: pseudo-likelihood.

The file is cut at line ends into stretches that fit a canvas. Of each stretch, which stands with
its context around it like text in a hole, every `STRIDE`-th word is masked in one row of a batch,
the next word in the next row, and so on: each word is predicted once, with most of the others in
view, for one encoded context and one pass a stretch (Salazar et al., 2020, "Masked Language Model
Scoring", at the price of a batch instead of one pass a token). All tokens of a word are masked
together, since half of a name gives the other half away (Kauf and Ivanova, 2023).

Invariants: nothing is changed; no stretch is begun once `max_tokens` tokens were looked at (who
wants no more than that asks `end_after` where to end), and `ScoreResult.end` says how far it came;
words are in document order and never overlap; blanks, words of which a part lies outside the range,
and with `code_only` words inside strings and comments, are not scored; an alternative never runs
into the letters beside its word; `Cancelled` is raised between two stretches.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch

from diffusion.cancel import CancelToken
from diffusion.errors import HoleError
from diffusion.infill import Infiller
from diffusion.process.denoiser import Denoise
from diffusion.process.reading import call_denoiser
from diffusion.process.vocabulary import Vocabulary
from diffusion.suspicion import Alternative, ScoredWord
from diffusion.text.enclosure import prose_at
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import MASK, Tokenizer, pretoken_ends

STRETCH: Final = 112
"""Most tokens of a stretch. What a word may see of its own stretch is better than context."""
STRIDE: Final = 5
MAX_TOKENS: Final = 4000
_ALTERNATIVES: Final = 3
_LETTER: Final = re.compile(rb"[A-Za-z0-9_\x80-\xff]")
_LONGEST_WORD: Final = 8
"""Words of more tokens are not scored: that they are improbable says nothing."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Score the words in bytes `[start, end)` of `text`; `end` None: to the end.

    `max_tokens` bounds the cost, to a stretch: some 150 ms for each of 112 tokens on one core.
    """

    text: str | bytes
    language: str
    start: int = 0
    end: int | None = None
    max_tokens: int = MAX_TOKENS
    code_only: bool = False


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """Words in order. Up to byte `end` everything was looked at."""

    words: tuple[ScoredWord, ...]
    end: int
    tokens: int
    ms: float


@dataclass(frozen=True, slots=True)
class _Word:
    """Slots `[first, last)` of a canvas that spell bytes `[start, end)` of the document."""

    first: int
    last: int
    start: int
    end: int


def score(
    infiller: Infiller,
    request: ScoreRequest,
    *,
    cancel: CancelToken | None = None,
    copying: bool = True,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> ScoreResult:
    """Score the words of a document or of a part of it.

    `copying`: let the rest of the document vote for its own phrases. `on_progress` is told how many
    bytes are done, and of how many.

    Raises:
        HoleError: the range lies outside the document.
        Cancelled: `cancel` was cancelled.
    """
    began = time.perf_counter()
    data = request.text
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    stop = len(data) if request.end is None else request.end
    if not 0 <= request.start <= stop <= len(data):
        raise HoleError(
            f"bytes {request.start}..{stop} lie outside the document of {len(data)}",
            fix="give two offsets inside the document, the first one first",
        )
    tree = None
    if request.code_only:
        budget_ms = infiller.config.parse_budget_ms
        tree = SyntaxTree.parse(data, request.language, budget_ms=budget_ms)
    words: list[ScoredWord] = []
    tokens, at = 0, request.start
    for start, end in _stretches(infiller.tokenizer, data, request.start, stop):
        if tokens >= request.max_tokens:
            break
        if cancel is not None:
            cancel.raise_if_cancelled()
        found, looked_at = _score_stretch(
            infiller, data, start, end, request.language, tree, cancel, copying
        )
        words += found
        tokens += looked_at
        at = end
        on_progress(at - request.start, stop - request.start)
    return ScoreResult(tuple(words), at, tokens, (time.perf_counter() - began) * 1000)


def end_after(tokenizer: Tokenizer, data: bytes, most_tokens: int) -> int:
    """The byte up to which a document has no more tokens than that, without cutting a word."""
    left = most_tokens
    for start, end in _stretches(tokenizer, data, 0, len(data)):
        _, ends = tokenizer.encode_with_ends(data[start:end])
        if len(ends) > left:
            most = ends[left - 1] if left else 0
            fitting = (stop for stop in pretoken_ends(data[start:end]) if stop <= most)
            return start + max(fitting, default=0)
        left -= len(ends)
    return len(data)


def _stretches(
    tokenizer: Tokenizer, data: bytes, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Byte ranges of at most `STRETCH` tokens, cut at line ends where a line is short enough."""
    while start < stop:
        window = data[start : min(stop, start + 16 * STRETCH)]
        _, ends = tokenizer.encode_with_ends(window)
        if len(ends) <= STRETCH and start + len(window) == stop:
            yield start, stop
            return
        most = ends[min(STRETCH, len(ends)) - 1]
        line_end = window.rfind(b"\n", 0, most)
        if line_end > 0:
            cut = line_end + 1
        else:
            cut = max((end for end in pretoken_ends(window) if end <= most), default=most)
        yield start, start + cut
        start += cut


def _score_stretch(
    infiller: Infiller,
    data: bytes,
    start: int,
    end: int,
    language: str,
    tree: SyntaxTree | None,
    cancel: CancelToken | None,
    copying: bool,
) -> tuple[list[ScoredWord], int]:
    """The words of one stretch, and how many tokens it took."""
    if not data[start:end].strip():
        return [], 0
    # Within a line, what stands before is context: as pins it would take the room of the words.
    floor = start if data[start - 1 : start] not in (b"", b"\n") else 0
    opened = infiller.canvas_over(data, start, end, language, cancel, floor=floor, keep=False)
    placement = opened.placement
    constraint = placement.constraint
    spelled = constraint + data[start:end]
    slots, ends = infiller.tokenizer.encode_with_ends(spelled)
    if len(slots) > opened.room:  # one pretoken longer than a canvas: no word
        return [], len(slots)
    words = [
        word
        for word in _words(spelled, ends, start - len(constraint))
        if word.start >= start
        and not (word.start == start and _parts_word(data, start))
        and not (word.end == end and _parts_word(data, end))
        and word.last - word.first <= _LONGEST_WORD
        and (tree is None or prose_at(tree, data, word.end) is None)
    ]
    if not words:
        return [], len(slots)
    denoise = opened.copying if copying and infiller.copy_weights else opened.model
    found = _judge(
        denoise, infiller.tokenizer, infiller.vocabulary, placement.pins, slots, words, data
    )
    return found, len(slots)


def _words(spelled: bytes, ends: list[int], shift: int) -> Iterator[_Word]:
    """The pretokens of a stretch that show something, without the blank they begin with."""
    at, slot = 0, 0
    for stop in pretoken_ends(spelled):
        first = slot
        while slot < len(ends) and ends[slot] <= stop:
            slot += 1
        text = spelled[at:stop]
        visible = text.lstrip()
        if visible and slot > first:
            yield _Word(first, slot, stop - len(visible) + shift, stop + shift)
        at = stop


def _parts_word(data: bytes, at: int) -> bool:
    """Whether the bytes on both sides of a place are of one word."""
    beside = data[max(0, at - 1) : at + 1]
    return len(beside) == 2 and pretoken_ends(beside) == [2] and beside.strip() == beside


@torch.inference_mode()
def _judge(
    denoise: Denoise,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    pins: tuple[int, ...],
    slots: list[int],
    words: list[_Word],
    data: bytes,
) -> list[ScoredWord]:
    rows: list[list[int]] = []
    wanted: list[list[int]] = []
    groups = [words[offset::STRIDE] for offset in range(min(STRIDE, len(words)))]
    for group in groups:
        row = [*pins, *slots]
        masked = [slot for word in group for slot in range(word.first, word.last)]
        for slot in masked:
            row[len(pins) + slot] = MASK
        rows.append(row)
        wanted.append([len(pins) + slot for slot in masked])
    logits_MV = call_denoiser(denoise, rows, wanted, vocabulary)
    log_p_MV = torch.log_softmax(logits_MV, dim=-1)
    top_MK = log_p_MV.topk(min(_ALTERNATIVES, log_p_MV.shape[1]), dim=-1)
    top_ids, top_log_p = top_MK.indices.tolist(), top_MK.values.tolist()
    true_M1 = torch.tensor([slots[s - len(pins)] for row in wanted for s in row])[:, None]
    true_log_p = log_p_MV.gather(1, true_M1.to(log_p_MV.device))[:, 0].tolist()
    found: list[ScoredWord] = []
    m = 0
    for group in groups:
        for word in group:
            span = range(m, m + word.last - word.first)
            m = span.stop
            p = _mean_p([true_log_p[i] for i in span])
            found.append(
                ScoredWord(
                    word.start,
                    word.end,
                    data[word.start : word.end].decode("utf-8", "replace"),
                    p,
                    tuple(
                        other
                        for other in _alternatives(
                            tokenizer, [top_ids[i] for i in span], [top_log_p[i] for i in span]
                        )
                        if not _runs_on(other.text.encode(), word, data)
                    ),
                )
            )
    return sorted(found, key=lambda word: word.start)


def _alternatives(
    tokenizer: Tokenizer, top_ids: list[list[int]], top_log_p: list[list[float]]
) -> tuple[Alternative, ...]:
    """Readings of a place: single tokens by their probability; of longer ones the likeliest."""
    if len(top_ids) == 1:
        readings = [([token], [lp]) for token, lp in zip(top_ids[0], top_log_p[0], strict=True)]
    else:
        readings = [([ids[0] for ids in top_ids], [log_p[0] for log_p in top_log_p])]
    found = []
    for ids, log_p in readings:
        text = tokenizer.decode(ids).decode("utf-8", "replace").strip()
        if text and "\ufffd" not in text:
            found.append(Alternative(text, _mean_p(log_p)))
    return tuple(found)


def _runs_on(text: bytes, word: _Word, data: bytes) -> bool:
    """Whether a text in place of a word would touch a letter with a letter, where it does not."""
    before, after = data[max(0, word.start - 1) : word.start], data[word.end : word.end + 1]
    old = data[word.start : word.end]
    return any(
        _LETTER.match(beside) and _LETTER.match(new) and not _LETTER.match(now)
        for beside, now, new in ((before, old[:1], text[:1]), (after, old[-1:], text[-1:]))
    )


def _mean_p(log_p: list[float]) -> float:
    mean = sum(log_p) / len(log_p)
    return float(torch.tensor(mean).exp())
