"""One training example: a window of a document with several holes, laid out but not yet noised.

Job: document bytes -> `Example`. It calls the same span and canvas code as serving
(`text.hole_sampling`, `text.canvas`), so that a hole drawn here has the canvas that a request at
the same place would get. `process.noising` then says which slots are masked.

Invariant: `Example.ids` holds true ids everywhere; masking happens in `noise`, on a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from diffusion.errors import ConfigError
from diffusion.model.partition import SEGMENTS_PER_DOCUMENT
from diffusion.process.noising import Noise, NoiseConfig, complement, noise_slots, noise_window
from diffusion.text.canvas import MAX_CANVAS, Context, Placement, lay_out, place
from diffusion.text.hole import Hole
from diffusion.text.hole_length import SLOT_COUNTS
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.line_ends import line_end_of
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, MASK, Tokenizer


@dataclass(frozen=True, slots=True)
class ExampleConfig:
    """What a window becomes. Shares are probabilities in 0..1."""

    mix: HoleMix = field(default_factory=HoleMix)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    plain_mlm: float = 0.15
    """Share of windows without holes, trained as an ordinary masked LM."""
    hole_share_low: float = 0.25
    hole_share_high: float = 0.45
    end_of_file: float = 0.1
    """Share of windows cut off after their last hole: somebody typing at the end of a file."""
    exact_length: float = 0.3
    """Share of canvases as long as their text, without DEL."""
    larger_sizes: tuple[float, ...] = (0.5, 0.3, 0.2)
    """Otherwise, the chances of the next size, the one after, and so on."""
    free_sizes: tuple[int, ...] = ()
    """Sizes of canvases that say nothing of their text: where any of these is larger than a text,
    each of them has the same chance, and `larger_sizes` is not asked."""
    complementary: bool = False
    """Each hole has two canvases over the same context, the twin's masks being those that the
    first one does not have: every slot is learned from once, for the price of one context."""

    def __post_init__(self) -> None:
        if self.complementary and 2 * self.mix.max_holes >= SEGMENTS_PER_DOCUMENT:
            raise ConfigError(
                f"{self.mix.max_holes} holes with two canvases each need more segments than a "
                f"document has; use at most {(SEGMENTS_PER_DOCUMENT - 1) // 2} holes"
            )

    def build(
        self,
        tokenizer: Tokenizer,
        tree: SyntaxTree,
        data: bytes,
        window: tuple[int, int],
        language: str,
        rng: Random,
        room: int | None = None,
    ) -> Example:
        """What a window becomes. The autoregressive twin and ablations replace it.

        `room`: the most tokens it should take, None for as many as it needs.
        """
        return build_example(tokenizer, tree, data, window, language, rng, self, room)

    def targets(
        self, example: Example, rng: Random, *, causal: bool, t: float | None
    ) -> NoisedExample:
        """What is to be predicted of an example. `t` fixes the mask share, for validation."""
        return next_tokens(example) if causal else noise(example, rng, self.noise, t=t)


@dataclass(frozen=True, slots=True)
class CanvasPart:
    """Canvas `segment` of an example occupies `ids[start:end]`; its slots are `ids[slots:end]`."""

    start: int
    slots: int
    end: int
    kind: str
    twin: int | None = None
    """Index of the canvas whose complement this one is."""


@dataclass(frozen=True, slots=True)
class Example:
    """Context, then canvases one after another. `segments` is 0 for context, k for canvas k."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    segments: tuple[int, ...]
    canvases: tuple[CanvasPart, ...]
    language: str


@dataclass(frozen=True, slots=True)
class NoisedExample:
    """Input ids, and at `targets` the indices to predict, their true ids and loss weights."""

    input_ids: tuple[int, ...]
    targets: tuple[int, ...]
    true_ids: tuple[int, ...]
    weights: tuple[float, ...]


def build_example(
    tokenizer: Tokenizer,
    tree: SyntaxTree,
    data: bytes,
    window: tuple[int, int],
    language: str,
    rng: Random,
    config: ExampleConfig,
    room: int | None = None,
) -> Example:
    """Draw holes in the byte `window` of `data` and lay out as many as fit `room` tokens."""
    if rng.random() < config.plain_mlm:
        return _assemble(tokenizer, data, window, [], language, rng, config)
    share = rng.uniform(config.hole_share_low, config.hole_share_high)
    target_bytes = int((window[1] - window[0]) * share)
    holes = sample_holes(tree, data, window, rng, config.mix, target_bytes)
    at_end = bool(holes) and rng.random() < config.end_of_file
    if at_end:
        data = ended_after(data, holes[-1].end, rng)
        window = (window[0], len(data))
    return _assemble(
        tokenizer, data, window, holes, language, rng, config, room, keeps_last=at_end
    )


def ended_after(data: bytes, end: int, rng: Random) -> bytes:
    """A file whose text ends with the hole that ends at `end`, half of them with a line end."""
    with_line_end = rng.random() < 0.5 and data[end - 1 : end] != b"\n"
    return data[:end] + (line_end_of(data) if with_line_end else b"")


@dataclass(frozen=True, slots=True)
class _Cut:
    """A hole about to be laid out: its place, the ids that its slots hold, how many it gets."""

    placement: Placement
    text: tuple[int, ...]
    size: int
    kind: str

    @property
    def canvas(self) -> tuple[int, ...]:
        """The true ids of its canvas."""
        return (*self.placement.pins, *self.text, *([DEL] * (self.size - len(self.text))))


def _assemble(
    tokenizer: Tokenizer,
    data: bytes,
    window: tuple[int, int],
    holes: Sequence[Hole],
    language: str,
    rng: Random,
    config: ExampleConfig,
    room: int | None = None,
    *,
    keeps_last: bool = False,
) -> Example:
    cuts: list[_Cut] = []
    edge = window[0]
    for hole in holes:
        placement = place(tokenizer, data, hole.start, hole.end)
        text = placement.slots_needed(tokenizer, data[hole.start : hole.end])
        limit = MAX_CANVAS - len(placement.pins)
        if placement.anchor < edge or not 0 < len(text) <= limit:
            continue
        cuts.append(_Cut(placement, text, canvas_size(len(text), limit, rng, config), hole.kind))
        edge = hole.end
    if room is None:
        context = _context(tokenizer, data, window, cuts, language)
    else:
        cuts, context = _fitting(
            tokenizer, data, window, cuts, language, rng, config, room, keeps_last
        )
    ids, positions = list(context.ids), list(context.positions)
    segments = [0] * len(ids)
    canvases: list[CanvasPart] = []
    for k, cut in enumerate(cuts):
        canvas = cut.canvas
        start, first = len(ids), context.hole_positions[k]
        ids.extend(canvas)
        positions.extend(range(first, first + len(canvas)))
        segments.extend([k + 1] * len(canvas))
        pins = len(cut.placement.pins)
        canvases.append(CanvasPart(start, start + pins, len(ids), cut.kind))
    if config.complementary:
        for k, part in enumerate(tuple(canvases)):
            start, size = len(ids), part.end - part.start
            ids.extend(ids[part.start : part.end])
            positions.extend(positions[part.start : part.end])
            segments.extend([len(canvases) + 1] * size)
            canvases.append(
                CanvasPart(start, start + part.slots - part.start, len(ids), part.kind, twin=k)
            )
    return Example(tuple(ids), tuple(positions), tuple(segments), tuple(canvases), language)


def _context(
    tokenizer: Tokenizer,
    data: bytes,
    window: tuple[int, int],
    cuts: Sequence[_Cut],
    language: str,
) -> Context:
    return lay_out(tokenizer, data, window, [cut.placement for cut in cuts], language)


def _fitting(
    tokenizer: Tokenizer,
    data: bytes,
    window: tuple[int, int],
    cuts: Sequence[_Cut],
    language: str,
    rng: Random,
    config: ExampleConfig,
    room: int,
    keeps_last: bool,
) -> tuple[list[_Cut], Context]:
    """Those of `cuts` that fit `room` tokens with their context, and that.

    Which ones are left out, so that their text is context, is chance alone; with `keeps_last`, the
    last one only after all others.
    """
    copies = 2 if config.complementary else 1
    order = list(range(len(cuts)))
    rng.shuffle(order)
    if keeps_last and cuts:
        order.remove(len(cuts) - 1)
        order.insert(0, len(cuts) - 1)
    while True:
        kept = [cuts[k] for k in sorted(order)]
        context = _context(tokenizer, data, window, kept, language)
        over = len(context.ids) + copies * sum(len(cut.canvas) for cut in kept) - room
        if over <= 0 or not kept:
            return kept, context
        while over > 0 and order:  # an estimate: tokens of text may be others at the edges
            cut = cuts[order.pop()]
            over -= copies * len(cut.canvas) - len(cut.placement.pins) - len(cut.text)


def canvas_size(needed: int, limit: int, rng: Random, config: ExampleConfig) -> int:
    """Number of slots for a hole that needs `needed`: exact, or a larger size."""
    free = [size for size in config.free_sizes if needed < size <= limit]
    larger = [size for size in SLOT_COUNTS if needed < size <= limit][: len(config.larger_sizes)]
    if not (free or larger) or rng.random() < config.exact_length:
        return needed
    if free:
        return rng.choice(free)
    return rng.choices(larger, config.larger_sizes[: len(larger)])[0]


def noise(
    example: Example, rng: Random, config: NoiseConfig, *, t: float | None = None
) -> NoisedExample:
    """Mask an example; `t` fixes the mask share of every canvas, for validation."""
    input_ids = list(example.ids)
    targets: list[int] = []
    weights: list[float] = []
    parts: list[tuple[int, Noise]] = []
    for part in example.canvases:
        slots = example.ids[part.slots : part.end]
        if part.twin is None:
            drawn = noise_slots(slots, rng, config, t=t)
        else:
            drawn = complement(slots, parts[part.twin][1], rng, config)
        parts.append((part.slots, drawn))
    if not parts:  # never the language tag
        parts = [(1, noise_window(len(example.ids) - 1, rng, config))]
    for first, drawn in parts:
        for i in drawn.masked:
            input_ids[first + i] = MASK
        targets.extend(first + i for i in drawn.scored)
        weights.extend(drawn.weights)
    true_ids = tuple(example.ids[i] for i in targets)
    return NoisedExample(tuple(input_ids), tuple(targets), true_ids, tuple(weights))


def next_tokens(example: Example) -> NoisedExample:
    """Nothing masked: each token is to be predicted from the one before it in its segment.

    The target of index i is the token at i + 1. Nothing predicts across a hole, from one canvas
    to the next, or a second DEL.
    """
    ids, positions, segments = example.ids, example.positions, example.segments
    targets = tuple(
        i
        for i in range(len(ids) - 1)
        if segments[i] == segments[i + 1]
        and positions[i] + 1 == positions[i + 1]
        and not ids[i] == ids[i + 1] == DEL
    )
    return NoisedExample(ids, targets, tuple(ids[i + 1] for i in targets), (1.0,) * len(targets))
