"""Holes that are asked for, and the parts of them that are filled.

Job: find markers in a document; check holes and pins; split each hole around its pins. A *part*
is a piece of a hole between pins: a pin is text that stays, so what is left to fill lies before
and behind it, and each part gets a canvas of its own.

Invariants: parts are sorted and apart; no byte of a pin lies in a part; holes, pins and parts are
byte ranges of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from diffusion.errors import HoleError
from diffusion.text.byte_order_mark import mark_before

MARKER = "___"
"""What stands for a hole in a text, unless somebody says otherwise."""
MAX_PARTS = 16
"""Parts that one request may have."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `[start, end)` of hole number `hole`. `beside_pin`: it may come to nothing."""

    hole: int
    start: int
    end: int
    beside_pin: bool


def find_markers(data: bytes, marker: str = MARKER) -> list[Span]:
    """The byte ranges of a marker. Where it begins or ends like a word, it stands alone.

    Raises HoleError for an empty marker.
    """
    if not marker.strip():
        raise HoleError("the marker is blank", fix="give some visible text, such as ___")
    word = r"[\w\x80-\xff]"
    before = rf"(?<!{word})" if re.match(r"\w", marker) else ""
    after = rf"(?!{word})" if re.search(r"\w$", marker) else ""
    pattern = before + re.escape(marker) + after
    mark = mark_before(data, len(data))  # no word, though it has the bytes of one
    found = re.finditer(pattern.encode("utf-8", "surrogatepass"), data[mark:])
    return [(match.start() + mark, match.end() + mark) for match in found]


def _in_bytes(kind: str, span: Span) -> str:
    return f"{kind} {span[0]}..{span[1]}"


def split(
    data: bytes,
    holes: Sequence[Span],
    pins: Sequence[Span] = (),
    *,
    called: Callable[[str, Span], str] = _in_bytes,
) -> list[Part]:
    """The parts of holes, in the order of the document.

    `called`: what an error calls a "hole" or a "pin", for who gave it in other words than bytes.

    Raises HoleError: no hole, too many, one outside the document, two that overlap or stand at
    one place, or a pin that is not inside a hole or is no text.
    """
    if not holes:
        raise HoleError("there is no hole", fix=f"mark one by {MARKER}, or give ranges")
    if len(holes) > MAX_PARTS:
        raise HoleError(
            f"{len(holes)} holes are to be filled, {MAX_PARTS} parts are the most",
            fix="fill them in several requests",
        )
    for kind, spans in (("hole", holes), ("pin", pins)):
        for start, end in spans:
            if not 0 <= start <= end <= len(data):
                raise HoleError(
                    f"{called(kind, (start, end))} lies outside the document of {len(data)} bytes",
                    fix="give two offsets inside the document, the first one first",
                )
        for one, other in pairwise(sorted(spans)):
            if other[0] < one[1] or one == other:
                raise HoleError(
                    f"{called(kind, other)} overlaps {called(kind, one)}",
                    fix="give ranges that are apart",
                )
    _check_pins(data, holes, pins, called)
    parts: list[Part] = []
    for number, (start, end) in sorted(enumerate(holes), key=lambda item: item[1]):
        inside = sorted(pin for pin in pins if start <= pin[0] and pin[1] <= end)
        edges = [start, *(edge for pin in inside for edge in pin), end]
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            if low < high or not inside:
                parts.append(Part(number, low, high, beside_pin=bool(inside)))
    if len(parts) > MAX_PARTS:
        raise HoleError(
            f"{len(parts)} parts are to be filled, {MAX_PARTS} are the most",
            fix="fill them in several requests",
        )
    return parts


def _check_pins(
    data: bytes,
    holes: Sequence[Span],
    pins: Sequence[Span],
    called: Callable[[str, Span], str],
) -> None:
    for low, high in pins:
        name = called("pin", (low, high))
        if not any(start <= low and high <= end for start, end in holes):
            raise HoleError(
                f"{name} lies in no hole", fix="pin text inside one of the holes"
            )
        try:
            data[low:high].decode("utf-8")
        except UnicodeDecodeError as error:
            raise HoleError(
                f"{name} is no text in UTF-8, so that it could not stay as it is",
                fix="pin whole characters",
            ) from error
