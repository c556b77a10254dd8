"""The facade: a document with a hole in, ranked candidates out. Plain text on both sides.

Flow: select the hole -> place it on a canvas -> lay out and encode the context (or find it in the
cache) -> quote the document -> denoise several canvas sizes in one batch -> rank. Every
stage lives in its own module; this file only connects them.

Invariants: `Candidate.text` replaces `document[hole.start:hole.end]` exactly; an empty list of
candidates comes with a reason; nothing outlives a request but encoded contexts and, in haste, the
tree of a large document.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from diffusion.cancel import CancelToken
from diffusion.candidates import Candidate, TokenScore, rank
from diffusion.config import InfillConfig
from diffusion.contexts import Contexts, EncodedContext
from diffusion.errors import HoleError
from diffusion.first_look import first_look
from diffusion.infill_request import PREDICTED, InfillRequest, InfillResult
from diffusion.model.caching import CachingDenoiser
from diffusion.model.kept_slots import KeptSlots
from diffusion.model.quantize import Mode
from diffusion.model.served import load_served
from diffusion.open_hole import OpenHole, OpenRange
from diffusion.prepared import Prepared
from diffusion.pretrained import default_model_dir
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.copying import COPYING_FILE, CopyingDenoiser, CopyWeights
from diffusion.process.denoiser import Denoise
from diffusion.process.overheard import Overheard
from diffusion.process.sampler import sample
from diffusion.process.vocabulary import Vocabulary
from diffusion.quoting import PlacedQuote, heard_of, place_quotes
from diffusion.ranking import RANKING_FILE, Ranking
from diffusion.repair import repair
from diffusion.spare_cores import SpareCores
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.canvas import MAX_CANVAS, Placement, canvas_ids, place
from diffusion.text.hole_length import LengthTable
from diffusion.text.implied_newline import implied_newline
from diffusion.text.languages import canonical
from diffusion.text.quotes import find_quotes
from diffusion.text.reparse import Versions
from diffusion.text.span import select_hole
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer

__all__ = [
    "Candidate",
    "InfillConfig",
    "InfillRequest",
    "InfillResult",
    "Infiller",
    "TokenScore",
]


class Infiller:
    """A loaded model with its vocabulary, length table and cache of encoded contexts.

    One request at a time; the caller owns the thread.
    """

    def __init__(
        self,
        denoiser: CachingDenoiser,
        tokenizer: Tokenizer,
        lengths: LengthTable,
        config: InfillConfig | None = None,
        ranking: Ranking | None = None,
        copy_weights: CopyWeights | None = None,
        spare_cores: SpareCores | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.ranking = ranking or Ranking()
        self.copy_weights = copy_weights or CopyWeights()
        self.lengths = lengths
        self.config = config or InfillConfig()
        self._denoiser, self._versions = denoiser, Versions()
        self.vocabulary = Vocabulary.build(tokenizer.token_bytes, tokenizer.vocab_size)
        self.contexts = Contexts(
            denoiser, tokenizer,
            context_tokens=self.config.context_tokens,
            copy_bytes=self.config.copy_bytes,
            places=self.config.cached_contexts,
            cache_mb=self.config.cache_mb,
            spare_cores=spare_cores,
        )  # fmt: skip
        self.line_ends = frozenset(
            i
            for i in range(tokenizer.vocab_size)
            if tokenizer.token_bytes(i).startswith((b"\n", b"\r"))
        )

    @property
    def _votes(self) -> bool:
        """Whether a completion is written with the document's votes."""
        return bool(self.copy_weights) and self.ranking.votes

    @property
    def denoiser(self) -> CachingDenoiser:
        """What encodes a context and runs a step, for those who open several holes at once."""
        return self._denoiser

    @classmethod
    def load(
        cls,
        model_dir: str | Path | None = None,
        threads: int | SpareCores | None = None,
        *,
        precision: Mode | str = "auto",
        device: str = "auto",
        config: InfillConfig | None = None,
        adapter: Path | None = None,
    ) -> Infiller:
        """Load a model folder; by default $DIFFILL_MODEL or the bundled one.

        `threads`: for good, or as many as are spare at each request; None leaves torch's.
        `device`: "cpu", "cuda", "mps" or "auto" (`model.device`).
        Raises CheckpointError naming the file that is missing or damaged, AdapterError, or
        ConfigError.
        """
        spare = threads if isinstance(threads, SpareCores) else None
        if threads is not None:
            torch.set_num_threads(threads.threads() if isinstance(threads, SpareCores) else threads)
        path = Path(model_dir) if model_dir else default_model_dir()
        served = load_served(path, precision, adapter, device)
        folder, sha256 = served.folder, served.weights_sha256
        return cls(
            served.denoiser,
            served.tokenizer,
            served.lengths,
            config,
            Ranking.for_model(folder / RANKING_FILE, sha256),
            CopyWeights.for_model(folder / COPYING_FILE, sha256),
            spare,
        )

    def infill(
        self,
        request: InfillRequest,
        *,
        cancel: CancelToken | None = None,
        on_step: Callable[[StepSnapshot], None] | None = None,
        encoding: CancelToken | None = None,
    ) -> InfillResult:
        """Fill the hole at the cursor.

        `encoding`: looked at instead of `cancel` while the context is encoded, which the request
        after a cancelled one may find useful.

        Raises:
            HoleError: the cursor lies outside the document.
            CanvasError: a given length does not fit the canvas.
            Cancelled: `cancel` was cancelled; checked between steps.
        """
        started = time.perf_counter()
        prepared = self._prepare(request)
        placement, site = prepared.placement, prepared.site
        sizes = self._sizes(request, prepared)
        quotes = self._quotes(request, prepared, sizes)
        if request.at_once:
            known = first_look(self.ranking, self.tokenizer, self.lengths, site, placement, quotes)
            if shown := tuple(known[: request.alternatives]):
                ms = (time.perf_counter() - started) * 1000.0
                return InfillResult(shown, prepared.asked_hole, ms, 0, False, at_once=True)
        canvases = [
            CanvasState(
                canvas_ids(placement.pins, slots), len(placement.pins), placement.constraint,
                ends_early=not request.exact, forks=self.ranking.forks,
            )
            for slots in sizes
        ]  # fmt: skip
        encoded = self.contexts.encode(
            prepared.data, placement, prepared.language, encoding or cancel,
            in_haste=request.in_haste,
        )  # fmt: skip
        bind = partial(KeptSlots, self._denoiser) if request.in_haste else self._denoiser.bind
        denoise: Denoise = bind(encoded.cache, encoded.hole_position)
        if self._votes:
            denoise = self._with_copying(denoise, prepared.data, placement, encoded)
        if cancel is not None:
            cancel.raise_if_cancelled()
        steps = 0

        def count(snapshot: StepSnapshot) -> None:
            nonlocal steps
            steps += 1
            if on_step is not None:
                on_step(snapshot)

        limit_ms = request.deadline_ms
        deadline_s = None if limit_ms is None else started + limit_ms / 1000.0

        overheard = Overheard([placed.slots for placed in quotes])
        sampler = replace(self.config.sampler, least_p=request.least_p)

        def run(states: Sequence[CanvasState]) -> list[CanvasResult]:
            return sample(
                denoise, states, sampler, vocabulary=self.vocabulary,
                cancel=cancel, deadline_s=deadline_s, on_step=count, overheard=overheard,
            )  # fmt: skip

        results = run(canvases)
        quotes = heard_of(quotes, overheard)
        if request.repair and prepared.tree.parsed:
            pins, constraint = len(placement.pins), placement.constraint
            results += repair(
                self.tokenizer, site, results, pins, constraint, run,
                ends_early=not request.exact,
            )  # fmt: skip
        candidates, reason = rank(
            self.tokenizer, self.lengths, site, results,
            len(placement.pins), placement.constraint, self.ranking, quotes,
        )  # fmt: skip
        return InfillResult(
            candidates=tuple(candidates[: request.alternatives]),
            hole=prepared.asked_hole,
            ms=(time.perf_counter() - started) * 1000.0,
            steps=steps,
            context_cached=encoded.was_there,
            context_read=encoded.tokens_read,
            reason=None if candidates else reason,
        )

    def encode_ahead(self, request: InfillRequest, cancel: CancelToken) -> bool:
        """Encode the context of a request that may come; says whether it was missing.

        Raises as `infill` does; Cancelled within one layer of the model.
        """
        data, cursor, _ = self._document(request)  # no tree: the context does not depend on it
        placement = place(self.tokenizer, data, cursor, cursor)
        cancel.raise_if_cancelled()
        encoded = self.contexts.encode(
            data, placement, canonical(request.language), cancel, in_haste=request.in_haste
        )
        cancel.raise_if_cancelled()
        if self._votes:
            self.contexts.index(data, placement)
        return not encoded.was_there

    def open(self, request: InfillRequest) -> OpenHole:
        """Encode the context of a request and stop there; for fitting and for looking inside."""
        prepared = self._prepare(request)
        hole = prepared.hole
        return self.canvas_over(prepared.data, hole.start, hole.end, prepared.language)

    def canvas_over(
        self, data: bytes, start: int, end: int, language: str, cancel: CancelToken | None = None,
        floor: int = 0, keep: bool = True,
    ) -> OpenHole:  # fmt: skip
        """Encode the context of bytes `[start, end)`; no tree is parsed. Raises Cancelled.

        `keep`: as in `Contexts.encode`.
        """
        placement = place(self.tokenizer, data, start, end, floor=floor)
        encoded = self.contexts.encode(data, placement, canonical(language), cancel, keep=keep)
        model = self._denoiser.bind(encoded.cache, encoded.hole_position)
        copying = self._with_copying(model, data, placement, encoded, keep)
        return OpenHole(placement, MAX_CANVAS - len(placement.pins), model, copying)

    def open_range(
        self, data: bytes, start: int, end: int, language: str, cancel: CancelToken | None = None
    ) -> OpenRange:
        """Encode the context of bytes `[start, end)`, which are then open as a hole is.

        Raises HoleError for a range outside the document, and Cancelled.
        """
        if not 0 <= start <= end <= len(data):
            raise HoleError(
                f"bytes {start}..{end} lie outside the document of {len(data)}",
                fix="give two offsets inside the document, the first one first",
            )
        tree = SyntaxTree.parse(data, language, budget_ms=self.config.parse_budget_ms)
        opened = self.canvas_over(data, start, end, language, cancel)
        return OpenRange(
            opened.placement, opened.room, opened.model, opened.copying, tree, canonical(language)
        )

    def oracle_slots(self, request: InfillRequest, middle: bytes) -> int:
        """How many slots `middle` takes on the canvas of `request`; for evaluation."""
        prepared = self._prepare(request)
        text = middle.removesuffix(prepared.added_newline)
        needed = prepared.placement.slots_needed(self.tokenizer, text)
        return max(1, min(len(needed), prepared.room))

    def _document(self, request: InfillRequest) -> tuple[bytes, int, bytes]:
        """The text with the line end that an insertion implies, the cursor, and that line end.

        A byte order mark before the cursor is left out.
        """
        data = request.text
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        cursor = request.cursor
        if not 0 <= cursor <= len(data):
            raise HoleError(
                f"the cursor is at byte {cursor}, but the document has {len(data)}",
                fix=f"give an offset from 0 to {len(data)}",
            )
        if mark := mark_before(data, cursor):
            data, cursor = data[mark:], cursor - mark
        added = b"" if request.within_line else implied_newline(data, cursor)
        return data[:cursor] + added + data[cursor:], cursor, added

    def _prepare(self, request: InfillRequest) -> Prepared:
        data, cursor, added = self._document(request)
        parse = self._versions.parse if request.in_haste else SyntaxTree.parse
        tree = parse(data, request.language, budget_ms=self.config.parse_budget_ms)
        hole = select_hole(tree, data, cursor)
        return Prepared(
            data=data,
            language=canonical(request.language),
            tree=tree,
            hole=hole,
            placement=place(self.tokenizer, data, hole.start, hole.end),
            added_newline=added,
            mark=request.cursor - cursor,
        )

    def _sizes(self, request: InfillRequest, prepared: Prepared) -> tuple[int, ...]:
        room = prepared.room
        if request.length == PREDICTED:
            shares = self.ranking.quantiles
            return self.lengths.sizes(
                prepared.language, prepared.hole.kind,
                max_slots=room, quantiles=(max(shares),) if request.in_haste else shares,
            )  # fmt: skip
        if not isinstance(request.length, int):
            raise HoleError(
                f"length {request.length!r} is not known", fix="give 'predicted' or a number"
            )
        return (min(request.length, room),) if request.length > 0 else (request.length,)

    def _quotes(
        self, request: InfillRequest, prepared: Prepared, sizes: tuple[int, ...]
    ) -> list[PlacedQuote]:
        """What documents say at places like the hole, if the ranking can weigh it."""
        if not self.ranking.quotes:
            return []
        data, start, end = prepared.data, prepared.hole.start, prepared.hole.end
        elsewhere = request.elsewhere
        if request.repository is not None:
            elsewhere = (*elsewhere, *request.repository.excerpts(data, start, end))
        prose = prepared.hole.kind in ("string", "comment")
        found = find_quotes(data, start, end, self.ranking.quotes, elsewhere, prose=prose)
        return place_quotes(
            found, self.tokenizer, prepared.placement,
            room=prepared.room if request.length == PREDICTED else max(sizes),
            exact_slots=sizes[0] if request.exact else None,
        )  # fmt: skip

    def _with_copying(
        self, denoise: Denoise, data: bytes, placement: Placement, encoded: EncodedContext,
        keep: bool = True,
    ) -> CopyingDenoiser:  # fmt: skip
        """`denoise` with the votes of the document around the hole."""
        index = self.contexts.index(data, placement, keep=keep)
        before = encoded.ids_before_canvas
        return CopyingDenoiser(denoise, index, self.copy_weights, before, self.line_ends)
