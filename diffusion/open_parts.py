"""Several holes of a document opened at once: one context around them, one step over them.

What has to be known of them before: which ones lie near enough together, and before which a line
end is meant that nobody typed.

Invariant: the context is that of `text.canvas.lay_out`, as in training, and is encoded once; what
stands between two holes of a line is on the canvas of the second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from diffusion.cancel import CancelToken
from diffusion.infill import Infiller
from diffusion.process.joint import JointDenoise
from diffusion.process.joint_copying import JointCopying
from diffusion.text.canvas import Placement, place
from diffusion.text.implied_newline import implied_newline
from diffusion.text.languages import canonical
from diffusion.text.parts import Part, Span

GROUP_PARTS = 8
"""Parts filled in one context: as many holes as training puts into a window."""
GROUP_BYTES = 2400
"""From the first part of a group to its last: about as many tokens as half a window has."""


@dataclass(frozen=True, slots=True)
class OpenParts:
    """Several open holes of one context, and what a joint step calls."""

    placements: tuple[Placement, ...]
    denoise: JointDenoise


def with_implied_newlines(
    data: bytes, holes: Sequence[Span], parts: Sequence[Part]
) -> tuple[bytes, list[Span], list[Part]]:
    """A document, its holes and their parts, with the line ends that insertions imply.

    Such a line end is the end of its hole, and in no part: it stays, as a pin does.
    """
    out, at = bytearray(), 0
    longer, moved = list(holes), []
    for number, (start, end) in sorted(enumerate(holes), key=lambda item: item[1]):
        out += data[at:end]
        shift, at = len(out) - end, end
        own = [part for part in parts if part.hole == number]
        moved += [replace(p, start=p.start + shift, end=p.end + shift) for p in own]
        if own and start == end:
            out += implied_newline(data, start)
        longer[number] = (start + shift, len(out))
    return bytes(out) + data[at:], longer, moved


def groups_of(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts, in order, by the context that they are filled in."""
    groups: list[list[Part]] = []
    for part in parts:
        if (
            groups
            and len(groups[-1]) < GROUP_PARTS
            and part.end - groups[-1][0].start <= GROUP_BYTES
        ):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def with_texts(
    data: bytes, parts: Sequence[Part], texts: Sequence[bytes], group: Sequence[Part]
) -> tuple[bytes, list[Part]]:
    """The document with `texts` in the parts before `group`, and `group` where it then lies."""
    out, at = bytearray(), 0
    for part, text in zip(parts, texts, strict=False):
        out += data[at : part.start] + text
        at = part.end
    shift = len(out) - at
    moved = [replace(part, start=part.start + shift, end=part.end + shift) for part in group]
    return bytes(out) + data[at:], moved


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
