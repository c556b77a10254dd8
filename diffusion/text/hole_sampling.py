"""Training holes: byte ranges of real text to be cut out of a document.

Invariants of `sample_holes`: the holes are sorted, lie inside the window, hold at least one
byte that is no whitespace, split neither a UTF-8 code point (of valid UTF-8) nor a CRLF, and
each starts on a later line than the one on which the hole before it ends. The line break
before a hole's first line lies in the window too (unless the window opens the document): the
canvas is anchored there, so canvases never overlap nor leave the window. A window inside one
long line therefore yields nothing. The result depends on the arguments and `rng` alone.

Cost: the tree is entered only along the path to a random byte; a window costs tens of
microseconds per hole whatever the size of the document.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from typing import Final

import tree_sitter

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.hole import Hole
from diffusion.text.implied_newline import implied_newline
from diffusion.text.syntax import SyntaxTree

MIN_TARGET_BYTES: Final = 3
MAX_TARGET_BYTES: Final = 350
MAX_HOLE_BYTES: Final = 400
MAX_CUT_BYTES: Final = 200
MAX_LINES: Final = 6
_TRIES_PER_HOLE: Final = 6
_SPACE: Final = b" \t\r\n\x0b\x0c"
_CLOSERS: Final = b")]};:,> \t{"
_TOKEN = re.compile(rb"\w+|[^\w\s]+")
# Prose is long: without this share a uniform byte lands in comments most of the time.
_PROSE_KEPT: Final = 0.35
_STRUCTURE_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class HoleMix:
    """Shares of the sources of training holes (relative weights) and their limit."""

    node: float = 0.55
    rest_of_line: float = 0.20
    lines: float = 0.10
    cut: float = 0.15
    max_holes: int = 8
    one_line: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.node, self.rest_of_line, self.lines, self.cut, self.one_line)
        if min(shares) < 0 or sum(shares) - self.node <= 0:
            raise HoleError(
                f"hole mix {shares} has a negative share, or none that works without a tree",
                fix="give shares >= 0 with rest_of_line, lines or cut above 0",
            )


AS_TYPED: Final = HoleMix(
    node=0.25, rest_of_line=0.3, lines=0.05, cut=0.05, max_holes=1, one_line=0.35
)
"""What people leave to a completion: mostly a line, or its rest. For what is learned of lengths
and of candidates; a model is trained on longer holes than these, of every length alike."""

_Draw = Callable[["_Window"], "tuple[int, int, str] | None"]


@dataclass(slots=True)
class _Window:
    """What a source of holes sees: the document, the window, and the length wished for."""

    tree: SyntaxTree | None
    data: bytes
    start: int
    end: int
    rng: random.Random
    target_bytes: float


def sample_holes(
    tree: SyntaxTree | None,
    data: bytes,
    window: tuple[int, int],
    rng: random.Random,
    mix: HoleMix,
    target_bytes: int,
) -> list[Hole]:
    """Draw holes of about `target_bytes` in total from bytes [window[0], window[1]).

    `tree` is the tree of the whole document `data`; None (or a tree without nodes) leaves out
    the node source. The list is empty when the window holds nothing but whitespace.
    """
    start, end = max(0, window[0]), min(len(data), window[1])
    if start >= end or not data[start:end].strip(_SPACE):
        return []
    sources: tuple[_Draw, ...] = (_node, _rest_of_line, _lines, _cut, _one_line)
    weights = [mix.node, mix.rest_of_line, mix.lines, mix.cut, mix.one_line]
    if tree is None or not tree.parsed:
        weights[0] = 0.0
    view = _Window(tree, data, start, end, rng, 0.0)
    # (anchor, start, end, kind): the anchor is the start of the line on which a hole starts.
    taken: list[tuple[int, int, int, str]] = []
    total = 0
    for _ in range(2 * mix.max_holes):
        if len(taken) >= mix.max_holes or total >= 0.9 * target_bytes:
            break
        draw = rng.choices(sources, weights)[0]
        wanted = (target_bytes - total) / (mix.max_holes - len(taken))
        for _ in range(_TRIES_PER_HOLE):
            view.target_bytes = _target(rng, wanted)
            drawn = draw(view)
            hole = None if drawn is None else _place(view, drawn, taken)
            if hole is not None and total + hole[2] - hole[1] <= 1.25 * target_bytes:
                taken.append(hole)
                total += hole[2] - hole[1]
                break
    taken.sort()
    return [Hole(begin, stop, kind) for _, begin, stop, kind in taken]


def _target(rng: random.Random, wanted: float) -> float:
    """A length in bytes: log-uniform, with a part near what the window still lacks."""
    if rng.random() < 0.3:
        return min(max(wanted, MIN_TARGET_BYTES), MAX_TARGET_BYTES)
    return exp(rng.uniform(log(MIN_TARGET_BYTES), log(MAX_TARGET_BYTES)))


def _place(
    view: _Window, drawn: tuple[int, int, str], taken: list[tuple[int, int, int, str]]
) -> tuple[int, int, int, str] | None:
    """Round a drawn range to whole characters; None if it is no hole or meets another one."""
    data = view.data
    start, end = _boundary(data, drawn[0], -1), _boundary(data, drawn[1], +1)
    if not (view.start <= start < end <= view.end) or end - start > MAX_HOLE_BYTES:
        return None
    if not data[start:end].strip(_SPACE):
        return None
    anchor = data.rfind(b"\n", 0, start) + 1
    if view.start and anchor - 1 - (data[anchor - 2 : anchor - 1] == b"\r") < view.start:
        return None
    for other_anchor, other_start, other_end, _ in taken:
        if other_start <= start:
            if anchor <= other_end:
                return None
        elif other_anchor <= end:
            return None
    return anchor, start, end, drawn[2]


def _boundary(data: bytes, offset: int, step: int) -> int:
    """The nearest offset in the direction of `step` that splits no character and no CRLF."""
    for _ in range(3):
        if not 0 < offset < len(data) or data[offset] & 0xC0 != 0x80:
            break
        offset += step
    if 0 < offset < len(data) and data[offset] == 0x0A and data[offset - 1] == 0x0D:
        offset += step
    return offset


# ---------------------------------------------------------------- syntax nodes


def _node(view: _Window) -> tuple[int, int, str] | None:
    """A node, a run of aligned siblings, or the inside of a bracketed node."""
    data, rng, target = view.data, view.rng, view.target_bytes
    offset = rng.randrange(view.start, view.end)
    if data[offset] in _SPACE or view.tree is None:
        return None
    if rng.random() < _STRUCTURE_SHARE:
        return _structure(view, offset)
    cursor = view.tree.cursor()
    if cursor is None:
        return None
    kinds = languages.grammar(view.tree.grammar)
    # Go down to the first node no longer than the target; `parent` is the one above it.
    parent: tree_sitter.Node | None = None
    node = cursor.node
    while node is not None and node.end_byte - node.start_byte > target:
        if cursor.goto_first_child_for_byte(offset) is None:
            break
        parent, node = node, cursor.node
    if node is None or kinds is None or not node.start_byte <= offset < node.end_byte:
        return None
    kind_of = kinds.kinds
    kind = kind_of.get(node.type, "expression")
    if kind in ("string", "comment") and rng.random() > _PROSE_KEPT:
        return None
    length = node.end_byte - node.start_byte
    if parent is not None and rng.random() < 0.5:
        # Single: whichever of child and parent is nearer to the target in ratio.
        above = parent.end_byte - parent.start_byte
        inside = parent.start_byte >= view.start and parent.end_byte <= view.end
        if inside and above <= MAX_HOLE_BYTES and above * length < target * target:
            node, kind = parent, kind_of.get(parent.type, "expression")
        if node.is_named:
            if node.child_count >= 3 and rng.random() < 0.7:
                return _inside(view, node, kind)
            return node.start_byte, node.end_byte, kind
    return _run(view, cursor, node, kind, parent)


def _structure(view: _Window, offset: int) -> tuple[int, int, str] | None:
    """The whole inside of a list or body around `offset`, or a whole condition.

    A cursor between fresh brackets is common, and would be drawn rarely by length alone.
    """
    cursor = view.tree.cursor() if view.tree is not None else None
    built = languages.grammar(view.tree.grammar) if view.tree is not None else None
    if cursor is None or built is None:
        return None
    found: list[tuple[tree_sitter.Node, str]] = []
    while cursor.goto_first_child_for_byte(offset) is not None:
        node = cursor.node
        if node is None or not node.start_byte <= offset < node.end_byte:
            break
        if node.start_byte < view.start or node.end_byte > view.end:
            continue
        if node.end_byte - node.start_byte <= MAX_HOLE_BYTES:
            kind = built.kinds.get(node.type)
            if cursor.field_name == "condition":
                found.append((node, "condition"))
            elif kind in ("arguments", "parameters", "block"):
                found.append((node, kind))
    return _inside(view, *view.rng.choice(found)) if found else None


def _inside(view: _Window, node: tree_sitter.Node, kind: str) -> tuple[int, int, str] | None:
    """The inside of a bracketed node, mostly without the blanks at its ends."""
    start, end = node.start_byte, node.end_byte
    count = node.child_count
    first, last = (node.child(0), node.child(count - 1)) if count else (None, None)
    if first is not None and last is not None and first.type in ("(", "[", "{"):
        if last.type in (")", "]", "}"):
            start, end = first.end_byte, last.start_byte
        if view.rng.random() < 0.75:
            inner = view.data[start:end]
            start += len(inner) - len(inner.lstrip(_SPACE))
            end -= len(inner) - len(inner.rstrip(_SPACE))
    return (start, end, kind) if start < end else None


def _run(
    view: _Window,
    cursor: tree_sitter.TreeCursor,
    node: tree_sitter.Node,
    kind: str,
    parent: tree_sitter.Node | None,
) -> tuple[int, int, str] | None:
    """Siblings from `node` (where `cursor` is) to the right, up to the target length."""
    while not node.is_named:
        # Runs begin at a named node: a leading comma or bracket belongs to the context.
        following = cursor.node if cursor.goto_next_sibling() else None
        if following is None:
            return None
        node = following
    start, end = node.start_byte, node.end_byte
    if parent is not None:
        name = parent.type
        outer = languages.kind_of_type(name)
        if outer == "block" or kind == "statement":
            kind = "statement"
        elif outer in ("arguments", "parameters"):
            kind = "element"
    stop = min(start + 1.2 * view.target_bytes, view.end)
    while cursor.goto_next_sibling():
        following = cursor.node
        if following is None or following.end_byte > stop:
            break
        if following.is_named or following.type in (";", "("):
            end = following.end_byte
    return start, end, kind


# ---------------------------------------------------------------- lines and cuts


def _line_at(view: _Window, offset: int) -> tuple[int, int, int]:
    """(start, first byte of code, end without the line break) of the line at `offset`."""
    data = view.data
    start = data.rfind(b"\n", 0, offset) + 1
    end = data.find(b"\n", offset)
    end = len(data) if end < 0 else end
    if end > start and data[end - 1] == 0x0D:
        end -= 1
    line = data[start:end]
    return start, start + len(line) - len(line.lstrip(_SPACE)), end


def _rest_of_line(view: _Window) -> tuple[int, int, str] | None:
    """From a place in a line's code to its end, or to the brackets that close it."""
    rng, data = view.rng, view.data
    offset = rng.randrange(view.start, view.end)
    _, code, end = _line_at(view, offset)
    if end <= code:
        return None
    if rng.random() < 0.7:
        tokens = list(_TOKEN.finditer(data, code, min(end, code + 2 * MAX_HOLE_BYTES)))
        if not tokens:
            return None
        token = rng.choice(tokens)
        # The end of a token is where a cursor rests; the start is where a space precedes it.
        start = token.start() if rng.random() < 0.6 else token.end()
    else:
        start = rng.randrange(code, end)
    if rng.random() < 0.25:
        kept = data[start:end].rstrip(_CLOSERS)
        end = start + len(kept)
    return (start, end, "rest_of_line") if start < end else None


def _one_line(view: _Window) -> tuple[int, int, str] | None:
    """A line without its line break; mostly without its indentation, which an editor has typed."""
    start, code, end = _line_at(view, view.rng.randrange(view.start, view.end))
    if end <= code:
        return None
    return (start if view.rng.random() < 0.4 else code), end, "lines"


def _lines(view: _Window) -> tuple[int, int, str] | None:
    """One to six whole lines: with their line break, without it, or with the one before.

    Serving is never asked for a line break before a line that is whole (`implied_newline`).
    """
    rng, data = view.rng, view.data
    count = min(rng.randint(1, MAX_LINES), rng.randint(1, MAX_LINES))
    start, code, end = _line_at(view, rng.randrange(view.start, view.end))
    if end <= code:
        return None
    limit = min(view.end, start + MAX_HOLE_BYTES)
    for _ in range(count - 1):
        following = data.find(b"\n", end)
        if following < 0:
            break
        _, _, next_end = _line_at(view, following + 1)
        if next_end > limit:
            break
        end = next_end
    end = start + len(data[start:end].rstrip(b"\r\n"))
    form = rng.random()
    if form < 0.35:
        following = data.find(b"\n", end)
        stop = len(data) if following < 0 else following + 1
        if implied_newline(data[:start] + data[stop:], start):
            stop = end  # nobody is asked to type this line break
        return start, stop, "lines"
    if form < 0.75 or start == 0:
        return code, end, "lines"
    before = start - 2 if data[start - 2 : start] == b"\r\n" else start - 1
    return before, end, "lines"


def _cut(view: _Window) -> tuple[int, int, str] | None:
    """Characters from anywhere to anywhere."""
    rng = view.rng
    if rng.random() < 0.5:
        length = rng.randint(1, MAX_CUT_BYTES)
    else:
        length = int(exp(rng.uniform(0.0, log(MAX_CUT_BYTES + 1))))
    start = rng.randrange(view.start, view.end)
    return start, min(start + length, view.end), "cut"
