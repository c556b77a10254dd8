"""Quotes: what is written at the places most like the hole, as texts for the hole.

Code repeats itself with small changes, and a person who fills a hole often looks at a similar
line nearby. The ranking weighs such texts beside those that the model writes itself.
That text at hand makes good proposals is known from prompt-lookup decoding (Saxena, 2023); here
the likeness of both sides of the hole chooses the place.

- Blank before the cursor: between which lines does it look most as it does around the hole, the
  two above counted and the one below? The line there, moved to the hole's indentation; and, where
  more is missing, the lines after it.
- Text before the cursor: where does the longest end of what is typed occur again, under a line and
  above one like those around the hole? What follows there, up to the end of its line or to what
  follows the hole.
- Where the place differs from the hole in a name or two, the text is also quoted with these names
  exchanged (`text.renaming`).
- A document that indents otherwise (tabs, another width) is quoted by levels, in this one's way.

Invariants: deterministic; a quote is visible text, and none occurs twice; bytes of any kind are
welcome. Cost is linear in `REACH`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import AnyStr, Final

from rapidfuzz.distance import Indel

from diffusion.text.renaming import renamed

REACH: Final = 24_000
"""Bytes of the document on either side of the hole that are searched."""
_LONGEST_LINE: Final = 200
_FAR: Final = 1_000_000
_MOST_LINES: Final = 6
_MOST_PLACES: Final = 40
_LINE_COST: Final = 0.02
AFTER_WEIGHT: Final = 0.5
SECOND_ABOVE_WEIGHT: Final = 0.25
_TYPED_BEFORE_WEIGHT: Final = 0.2
_TYPED_AFTER_WEIGHT: Final = 0.1
_FEWEST_TYPED: Final = 2
_MOST_TYPED: Final = 80
_RENAMED_GAIN: Final = 0.01
_RENAMED_BY_OTHER_GAIN: Final = 0.005
_RENAMED_LIKENESS: Final = 0.95
_RIVAL_GAP: Final = 0.05
_OPENERS: Final = (b":", b"{", b"(", b"[", b",", b"\\")
"""What a line ends with below which a deeper one may stand."""
_WORD_ON: Final = re.compile(rb"[\w\x80-\xff]{2}")
_CLOSER_OF: Final = {ord("("): ord(")"), ord("["): ord("]"), ord("{"): ord("}")}


@dataclass(frozen=True, slots=True)
class Quote:
    """A text for the hole.

    `likeness`, 0 to 1: how far its place looks like the hole's. `share`: of the places that look
    about as much like it, those that say the same. `matched`: bytes of what is typed that were
    found again; 0 where the lines around the hole chose the place.
    """

    text: bytes
    likeness: float
    share: float
    matched: int


@dataclass(frozen=True, slots=True)
class _Found:
    """One text at one place. `distance` is in lines.

    `sides`: what the lines above and below a continuation add to its likeness; places that differ
    in nothing else are rivals.
    """

    text: bytes
    likeness: float
    distance: int
    matched: int = 0
    sides: float = 0.0

    @property
    def own(self) -> float:
        """The likeness of the hole's own line alone."""
        return self.likeness - self.sides


def find_quotes(
    data: bytes,
    start: int,
    end: int,
    most: int = 4,
    elsewhere: Sequence[bytes] = (),
    *,
    prose: bool = False,
) -> list[Quote]:
    """Up to `most` texts for the bytes `[start, end)` of `data`, those of the likest places first.

    `elsewhere`: other documents, of which the first `2 * REACH` bytes are searched. Of two places
    alike the nearer one is taken, and one in `data` before one elsewhere. `prose`: the hole is in a
    string or a comment, where the end of a word says nothing of what follows.
    """
    line_start = data.rfind(b"\n", 0, start) + 1
    typed = data[line_start:start]
    above = whole_lines(data, line_start - REACH, line_start)
    rest = data[end : end + REACH].partition(b"\n")[0]
    below = whole_lines(data, end + len(rest) + 1, end + REACH)
    others = [_lines(whole_lines(document, 0, 2 * REACH)) for document in elsewhere]
    if typed.strip():
        blocks = _blocks(_lines(above), _lines(below), others)
        return _best(_continuations(typed, rest.strip(), blocks, prose=prose), most)
    blocks = _blocks(_lines(above), _lines(rest + b"\n" + below), others)
    return _best(_insertions(typed, blocks), most)


def whole_lines(data: bytes, start: int, stop: int) -> bytes:
    """Bytes `[start, stop)`, without the lines of which only a part lies between them."""
    if start > 0:
        start = data.find(b"\n", start - 1, stop) + 1 or stop
    if stop < len(data):
        stop = data.rfind(b"\n", 0, stop) + 1
    return data[max(0, start) : stop]


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of code without a hole among them, and how far each is from the hole, in lines."""

    lines: list[bytes]
    nearest: int
    hole_below: bool = False

    def distance(self, at: int) -> int:
        return self.nearest + (len(self.lines) - 1 - at if self.hole_below else at)


def _blocks(
    above: list[bytes], below: list[bytes], others: Sequence[list[bytes]]
) -> tuple[_Block, ...]:
    """What stands above the hole, what stands below it, and other documents, in this order."""
    found = [_Block(above, 1, hole_below=True), _Block(below, 1)]
    return (*found, *(_Block(lines, _FAR * n) for n, lines in enumerate(others, 1)))


def _best(found: list[_Found], most: int) -> list[Quote]:
    found.sort(key=lambda item: (-item.likeness, item.distance))
    quotes: list[Quote] = []
    seen: set[bytes] = set()
    for item in found:
        if len(quotes) == most:
            break
        if item.text in seen or not item.text.strip():
            continue
        seen.add(item.text)
        rivals = Counter(f.text for f in found if abs(f.own - item.own) <= _RIVAL_GAP)
        share = rivals[item.text] / rivals.total()
        quotes.append(Quote(item.text, min(1.0, item.likeness), share, item.matched))
    return quotes


def _lines(text: bytes) -> list[bytes]:
    return [line[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]


def _is_cut(line: bytes) -> bool:
    """Whether its end may be missing, so that it is company only and no text for a hole."""
    return len(line) >= _LONGEST_LINE


def _insertions(typed: bytes, blocks: tuple[_Block, ...]) -> list[_Found]:
    """What stands between lines like those around the hole, at most `_MOST_LINES` of it."""
    above, below = blocks[0].lines, blocks[1].lines
    before = above[-1] if above else b""
    every = {line for block in blocks for line in block.lines}
    like_before = {line: _likeness(line, before) for line in every}
    like_second = {line: _likeness(line, above[-2] if above[1:] else b"") for line in every}
    like_after = {line: _likeness(line, below[0] if below else b"") for line in every}

    def likeness(around: list[bytes], at: int, lines: int) -> float:
        """How far the place of `lines` lines from `at` on looks like the hole's; not scaled."""
        end = at + lines
        follows = like_after[around[end]] if end < len(around) else 0.0
        second = like_second[around[at - 2]] if at > 1 else 0.0
        sides = AFTER_WEIGHT * follows + SECOND_ABOVE_WEIGHT * second
        return like_before[around[at - 1]] + sides

    places: list[tuple[float, int, list[bytes], int]] = []  # likeness, distance, lines, index
    for block in blocks:
        for at in range(1, len(block.lines)):
            distance = block.distance(at)
            places.append((likeness(block.lines, at, 1), distance, block.lines, at))
    places.sort(key=lambda place: (-place[0], place[1]))
    scale = 1 + AFTER_WEIGHT + SECOND_ABOVE_WEIGHT
    here = _indent_unit([*above, *below]) or b"    "
    there = {id(block.lines): _indent_unit(block.lines) or here for block in blocks[2:]}
    there |= {id(above): here, id(below): here}
    found: list[_Found] = []
    for _, distance, around, at in places[:_MOST_PLACES]:
        base = around[at - 1]
        for n in range(1, _MOST_LINES + 1):
            lines = around[at : at + n]
            if len(lines) < n or _is_cut(lines[-1]) or _indent(lines[-1]) < _indent(lines[0]):
                break
            like = likeness(around, at, n) / scale - _LINE_COST * (n - 1)
            text = _moved(lines, base, before, typed, here, there[id(around)])
            if text is None:
                break
            found.append(_Found(text, like, distance))
            changed = renamed(text, base.strip(), before.strip())
            if changed is not None:
                found.append(_Found(changed, like + _RENAMED_GAIN, distance))
            for base_too, line in (
                (around[at - 2 : at - 1], above[-2:-1]), (around[at + n : at + n + 1], below[:1])
            ):  # fmt: skip
                if base_too and line:
                    other = renamed(text, base_too[0].strip(), line[0].strip())
                    if other is not None and other != changed:
                        found.append(_Found(other, like + _RENAMED_BY_OTHER_GAIN, distance))
    return found


def _moved(
    lines: list[bytes], base: bytes, before: bytes, typed: bytes, here: bytes, there: bytes
) -> bytes | None:
    """`lines`, found under `base`, with the indentation that they would have under `before`.

    Who has indented the hole's line has said how deep it is, unless `before` opens a block; None
    where the lines are shallower, as what ends a block is.
    `here`, `there`: what a level is indented with in the document, and where `lines` are from.
    """
    if here == there:
        shift = _indent(before) - _indent(base)
        unit = b"\t" if before[:1] == b"\t" or lines[0][:1] == b"\t" else b" "
        moved = [unit * max(0, _indent(line) + shift) + line.strip() for line in lines]
    else:
        level = round(_indent(before) / len(here)) - round(_indent(base) / len(there))
        moved = [
            here * max(0, round(_indent(line) / len(there)) + level) + line.strip()
            for line in lines
        ]
    deeper = _indent(moved[0]) - len(typed)
    if typed and deeper < 0:
        return None
    if typed and deeper > 0 and not before.rstrip().endswith(_OPENERS):
        moved = [line[min(deeper, _indent(line)) :] for line in moved]
    text = b"\n".join(moved)
    if text.startswith(typed):
        return text[len(typed) :]
    return text.lstrip()


def _continuations(
    typed: bytes, rest: bytes, blocks: tuple[_Block, ...], *, prose: bool
) -> list[_Found]:
    """What follows the longest end of `typed` elsewhere, if that could stand before `rest`."""
    typed = typed.lstrip()[-_MOST_TYPED:]
    before = blocks[0].lines[-1] if blocks[0].lines else b""
    after = blocks[1].lines[0] if blocks[1].lines else b""
    scale = 1 + _TYPED_BEFORE_WEIGHT + _TYPED_AFTER_WEIGHT
    found: list[_Found] = []
    for block, index, line in ((b, i, line) for b in blocks for i, line in enumerate(b.lines)):
        at, length = longest_end(typed, line)
        if _is_cut(line) or length < min(_FEWEST_TYPED, len(typed)):
            continue
        if prose and (_in_word(typed, len(typed) - length) or _in_word(line, at - length)):
            continue
        text = _up_to(line[at:], rest)
        if text is None:
            continue
        sides = 0.0
        if index:
            sides += _TYPED_BEFORE_WEIGHT * _likeness(block.lines[index - 1], before)
        if index + 1 < len(block.lines):
            sides += _TYPED_AFTER_WEIGHT * _likeness(block.lines[index + 1], after)
        sides /= scale
        distance = block.distance(index)
        likeness = length / len(typed) / scale + sides
        found.append(_Found(text, likeness, distance, length, sides))
        changed = renamed(text, line[:at].lstrip(), typed)
        if changed is not None:
            likeness = _RENAMED_LIKENESS / scale + sides
            found.append(_Found(changed, likeness, distance, length, sides))
    return found


def _in_word(text: bytes, at: int) -> bool:
    return at > 0 and _WORD_ON.match(text, at - 1) is not None


def longest_end(typed: AnyStr, line: AnyStr) -> tuple[int, int]:
    """Where in `line` the longest end of `typed` stops, and how long that end is."""
    low, high, at = 0, len(typed), 0
    while low < high:  # if an end of some length occurs, so do all shorter ones
        middle = (low + high + 1) // 2
        place = line.find(typed[-middle:])
        if place >= 0:
            low, at = middle, place + middle
        else:
            high = middle - 1
    return at, low


def _up_to(follows: bytes, rest: bytes) -> bytes | None:
    """The start of `follows` that could stand before `rest`; None if nothing of it could.

    `rest` has to follow at the depth of brackets at which the hole is; failing that, anywhere.
    """
    if not rest:
        return follows.rstrip()
    open_brackets: list[int] = []
    for i, byte in enumerate(follows):
        if not open_brackets and follows.startswith(rest[:2], i):
            return follows[:i].rstrip()
        if byte in _CLOSER_OF:
            open_brackets.append(_CLOSER_OF[byte])
        elif open_brackets and byte == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets and byte in b")]}":
            break
    last = follows.rfind(rest)
    return follows[:last].rstrip() if last >= 0 else None


def _indent_unit(lines: Sequence[bytes]) -> bytes | None:
    """What a level is indented with: a tab, or the commonest step in spaces; None if unknown."""
    indented = [line for line in lines if line[:1] in (b" ", b"\t")]
    if 2 * sum(line[:1] == b"\t" for line in indented) > len(indented):
        return b"\t"
    steps = Counter(abs(_indent(a) - _indent(b)) for a, b in pairwise(lines))
    likely = [(-steps[width], width) for width in range(2, 9) if steps[width]]
    return b" " * min(likely)[1] if likely else None


def _likeness(a: bytes, b: bytes) -> float:
    return Indel.normalized_similarity(a.strip(), b.strip())


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip())
