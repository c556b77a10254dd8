"""Several holes of a document opened at once: one context around them, one step over them.

Invariant: the context is that of `text.canvas.lay_out`, as in training, and is encoded once; what
stands between two holes of a line is on the canvas of the second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffusion.cancel import CancelToken
from diffusion.infill import Infiller
from diffusion.process.joint import JointDenoise
from diffusion.process.joint_copying import JointCopying
from diffusion.text.canvas import Placement, place
from diffusion.text.languages import canonical


@dataclass(frozen=True, slots=True)
class OpenParts:
    """Several open holes of one context, and what a joint step calls."""

    placements: tuple[Placement, ...]
    denoise: JointDenoise


def open_parts(
    infiller: Infiller,
    data: bytes,
    parts: Sequence[tuple[int, int]],
    language: str,
    cancel: CancelToken,
) -> OpenParts:
    """Encode the context of byte ranges, in order and apart, without what is in them.

    Raises Cancelled, and CanvasError for ranges that overlap.
    """
    placements: list[Placement] = []
    for start, end in parts:
        floor = placements[-1].end if placements else 0
        placements.append(place(infiller.tokenizer, data, start, end, floor=floor))
    encoded = infiller.contexts.encode_around(data, placements, canonical(language), cancel)
    step = infiller.denoiser.bind_jointly(encoded.cache, encoded.context.hole_positions)
    if not infiller.copy_weights:
        return OpenParts(tuple(placements), step)
    ends = [0, *(placement.end for placement in placements)]
    starts = [*(placement.anchor for placement in placements), len(data)]
    pieces = [data[low:high] for low, high in zip(ends, starts, strict=True)]
    pieces[0] = pieces[0][-infiller.config.copy_bytes :]
    pieces[-1] = pieces[-1][: infiller.config.copy_bytes]
    ids = [infiller.tokenizer.encode(piece) for piece in pieces]
    copying = JointCopying(step, ids, infiller.copy_weights, infiller.line_ends)
    return OpenParts(tuple(placements), copying)
