"""Training examples whose gap is another than serving's, for the ablation of its size.

The gap is how many positions a hole takes whatever its canvas holds (`text.canvas.GAP`). An
example is built as always and renumbered; nothing else of it changes. A gap below the largest
canvas lets long canvases run into the positions of the text after them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random

from diffusion.data.examples import Example, ExampleConfig, build_example
from diffusion.text.canvas import GAP
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class GapConfig(ExampleConfig):
    """What a window becomes when every hole takes `gap` positions."""

    gap: int = GAP

    @classmethod
    def of(cls, config: ExampleConfig, gap: int) -> GapConfig:
        """`config` with another gap."""
        same = {f.name: getattr(config, f.name) for f in fields(ExampleConfig)}
        return cls(**same, gap=gap)

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
        """The usual example, renumbered."""
        example = build_example(tokenizer, tree, data, window, language, rng, self, room)
        return renumbered(example, self.gap)


def renumbered(example: Example, gap: int) -> Example:
    """The same example with `gap` positions for every hole."""
    extra = gap - GAP
    positions = list(example.positions)
    holes, last = 0, -1
    for i, segment in enumerate(example.segments):
        if segment == 0:
            holes += (example.positions[i] - last - 1) // GAP
            last = example.positions[i]
            positions[i] += holes * extra
    for k, part in enumerate(example.canvases):
        for i in range(part.start, part.end):
            positions[i] += (k if part.twin is None else part.twin) * extra
    return Example(
        example.ids, tuple(positions), example.segments, example.canvases, example.language
    )
