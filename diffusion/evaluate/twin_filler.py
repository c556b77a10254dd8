"""The autoregressive twin as a filler: the harness drives it like the diffusion model.

Job: a case in, what the twin writes into its hole out. The hole, the line that an insertion
implies, the window with its budget of tokens, the pins and the constraint are those of serving
(`diffusion.infill`); only the model and its way of decoding differ.

Lengths: `predicted` lets END decide, or the end of the line, up to the size of the largest canvas;
a number is the most tokens that it may write, as a canvas of that size would end early; `oracle`
is exactly as many tokens as the reference takes. What is written of what follows on the line is
cut off, as servers do.

Invariant: nothing of the reference is looked at but, for the oracle length, its token count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from diffusion.data.fim import ORDERS, SPM, prompt
from diffusion.errors import CheckpointError, EvaluationError
from diffusion.evaluate.cases import Case, to_bytes
from diffusion.evaluate.infill_eval import Fill, Length
from diffusion.evaluate.twin_writing import Model, Written, write
from diffusion.infill import InfillConfig
from diffusion.model.manifest import FIM, Manifest
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.canvas import MAX_CANVAS, Placement, place, read_back, window_around
from diffusion.text.implied_newline import implied_newline
from diffusion.text.languages import canonical
from diffusion.text.line_ends import with_line_ends
from diffusion.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from diffusion.model.quantize import Mode

CONTEXT_TOKENS = InfillConfig().context_tokens


@dataclass(frozen=True, slots=True)
class _Site:
    """A hole as the twin sees it. `data` has the implied newline, if there is one."""

    data: bytes
    placement: Placement
    added_newline: bytes

    @property
    def room(self) -> int:
        return MAX_CANVAS - len(self.placement.pins)


class TwinFiller:
    """Fills a case greedily, in one order of prefix and suffix."""

    name = "twin"

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        *,
        order: str = SPM,
        lines: bool = False,
        model_hash: str | None = None,
    ) -> None:
        """`lines`: whether it may write more than one.

        Raises EvaluationError if `order` is none of ORDERS.
        """
        if order not in ORDERS:
            raise EvaluationError(
                f"order '{order}' is unknown", fix=f"name one of {', '.join(ORDERS)}"
            )
        self._model = model
        self._tokenizer = tokenizer
        self._vocabulary = Vocabulary.build(tokenizer.token_bytes, tokenizer.vocab_size)
        self._order = order
        self._stops = frozenset[int]() if lines else frozenset(
            token
            for token in range(tokenizer.vocab_size)
            if tokenizer.token_bytes(token).startswith((b"\n", b"\r"))
        )  # fmt: skip
        self.model_hash = model_hash

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        budget = MAX_CANVAS if length == "predicted" else length
        if length == "oracle":
            site = self._site(case)
            middle = to_bytes(case.middle).removesuffix(site.added_newline)
            budget = len(site.placement.slots_needed(self._tokenizer, middle))
        if not isinstance(budget, int):
            raise EvaluationError(f"length '{length}' is unknown", fix="give predicted or oracle")
        wanted, exact = max(1, budget), length == "oracle"
        return lambda: self._fill(case, wanted, exact)

    def _site(self, case: Case) -> _Site:
        document, cursor = case.text_without_middle, case.cursor
        added = implied_newline(document, cursor)
        data = document[:cursor] + added + document[cursor:]
        return _Site(data, place(self._tokenizer, data, cursor, cursor), added)

    def _fill(self, case: Case, budget: int, exact: bool) -> Fill:
        site = self._site(case)
        window = window_around(self._tokenizer, site.data, site.placement, CONTEXT_TOKENS)
        ids = prompt(
            self._tokenizer, site.data, window, site.placement,
            canonical(case.language), self._order,
        )  # fmt: skip
        written = write(
            self._model, ids, self._vocabulary,
            constraint=site.placement.constraint, budget=min(budget, site.room), exact=exact,
            stops=self._stops,
        )  # fmt: skip
        return self._read(site, written, exact)

    def _read(self, site: _Site, written: Written, exact: bool) -> Fill:
        """What was written as a completion, with the line ends of the document."""
        if not written.spelled:
            return Fill("", steps=written.passes, reason="the typed word could not be continued")
        raw = read_back(self._tokenizer, written.ids, site.placement.constraint)
        if not exact:
            raw = _without_rest(raw, site)
        try:
            text = (with_line_ends(raw, site.data) + site.added_newline).decode("utf-8")
        except UnicodeDecodeError:
            return Fill("", steps=written.passes, reason="the model wrote half of a character")
        mean_log_p = sum(written.log_p) / max(1, len(written.log_p))
        return Fill(text, len(written.ids), written.passes, confidence=math.exp(mean_log_p))


def _without_rest(text: bytes, site: _Site) -> bytes:
    """`text` up to what already stands behind the hole on its line."""
    rest = site.data[site.placement.end :].partition(b"\n")[0].strip()
    found = text.find(rest) if rest else -1
    return text[:found] if found > 0 else text


def is_twin(directory: Path) -> bool:
    """Whether a model folder says that it holds a twin.

    Raises:
        CheckpointError: its manifest cannot be understood.
    """
    manifest = Manifest.read(directory)
    return manifest is not None and manifest.objective == FIM


def load_twin(
    directory: Path,
    *,
    threads: int | None = None,
    precision: Mode | Literal["auto"] = "auto",
    order: str = SPM,
    lines: bool = False,
) -> TwinFiller:
    """A filler over a twin's folder, in the precision that serving would choose.

    Raises:
        CheckpointError: the folder is missing, damaged, or holds no twin.
    """
    import torch

    from diffusion.evaluate.model_filler import weights_hash
    from diffusion.model.checkpoint import load_checkpoint
    from diffusion.model.decoder import CausalDecoder
    from diffusion.model.quantize import for_cpu

    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load_checkpoint(directory)
    if loaded.tokenizer_path is None or not is_twin(directory):
        raise CheckpointError(
            f"{directory} holds no autoregressive twin",
            fix="name a folder that `diffill pretrain --twin --export` wrote",
        )
    tokenizer = Tokenizer.load(loaded.tokenizer_path)
    decoder = CausalDecoder(for_cpu(loaded.model, precision))
    known = weights_hash(directory)
    return TwinFiller(decoder, tokenizer, order=order, lines=lines, model_hash=known)
