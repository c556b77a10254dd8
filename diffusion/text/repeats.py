"""Whether a text for the hole repeats a line that stands nearby, where such lines are, or are not.

`break;` comes again and again, a `case` never does within its switch. What a line may do is read
off its kin: the lines of the document with the same first token and the same *shape*, in which
every name, number and string is one symbol. Of these, how many stand again within the next
`NEAR` lines?

`Repeats.log_odds` is how much likelier a text is for what it repeats or does not, in nats, given
that rate, with `PRIOR` as two kin more; what imports a module hardly ever comes again, whatever is
known of its kin. Fitted rankings weigh it by about 1.1, so it is what it
says (docs/decisions/0026).

Invariants: deterministic; bytes of any kind are welcome; the cost is bounded by `REACH` and
`_MOST_KIN`.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Final

REACH: Final = 24_000
"""Bytes of the document on either side of the hole that are looked at."""
NEAR: Final = 20
"""Visible lines."""
PRIOR: Final = 0.3
"""How often a line comes again of whose kin nothing is known."""
IMPORT_PRIOR: Final = 0.02
"""The same of a line that imports something."""
_PRIOR_KIN: Final = 2.0
_SHORTEST, _LONGEST, _MOST_LINES, _MOST_KIN = 4, 159, 3, 200
_TOKEN: Final = re.compile(
    rb"(?P<name>[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)"
    rb"|(?P<number>[0-9][\w.]*)"
    rb"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)"
    rb"|\s+|."
)
_IMPORT: Final = re.compile(rb"(?:import|from|use|using|package|extern\s+crate|#\s*include)\b")
_SYMBOL_OF: Final = {"name": b"a", "number": b"0", "string": b'"'}


class Repeats:
    """The lines about the hole `[start, end)` of `data`, made ready for its texts."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        above, _, self._typed = data[max(0, start - REACH) : start].rpartition(b"\n")
        self._rest, _, below = data[end : end + REACH].partition(b"\n")
        self._places: dict[bytes, list[int]] = {}
        self._alike: dict[bytes, list[bytes]] = {}
        up, down = _visible(above), _visible(below)
        for place, line in [*enumerate(up, -len(up)), *enumerate(down, 1)]:
            self._places.setdefault(line, []).append(place)
        for line in self._places:
            if len(line) <= _LONGEST:
                self._alike.setdefault(_first_token(line), []).append(line)
        self._shapes: dict[bytes, bytes] = {}
        self._rates: dict[tuple[bytes, bytes], float] = {}

    def log_odds(self, text: bytes) -> float:
        """How much likelier `text` is for what it repeats, in nats; 0 where nothing is known."""
        total = 0.0
        lines = _visible(self._typed + text + self._rest)
        for line in [line for line in lines if len(line) >= _SHORTEST][:_MOST_LINES]:
            if len(line) > _LONGEST:
                continue
            rate = self._rate(line)
            near = any(abs(place) <= NEAR for place in self._places.get(line, ()))
            total += math.log(rate / PRIOR if near else (1.0 - rate) / (1.0 - PRIOR))
        return total

    def _rate(self, line: bytes) -> float:
        """How often lines of this kind come again nearby."""
        first, shape = _first_token(line), self._shape(line)
        if (first, shape) not in self._rates:
            alike = self._alike.get(first, ())[:_MOST_KIN]
            kin = [self._places[other] for other in alike if self._shape(other) == shape]
            again = sum(b - a <= NEAR for places in kin for a, b in pairwise(places))
            count = sum(map(len, kin))
            prior = IMPORT_PRIOR if _IMPORT.match(line) else PRIOR
            self._rates[first, shape] = (again + _PRIOR_KIN * prior) / (count + _PRIOR_KIN)
        return self._rates[first, shape]

    def _shape(self, line: bytes) -> bytes:
        if line not in self._shapes:
            self._shapes[line] = b" ".join(
                _SYMBOL_OF.get(found.lastgroup or "", found[0])
                for found in _TOKEN.finditer(line)
                if not found[0].isspace()
            )
        return self._shapes[line]


def _visible(text: bytes) -> list[bytes]:
    return [line for line in map(bytes.strip, text.split(b"\n")) if line]


def _first_token(line: bytes) -> bytes:
    found = _TOKEN.match(line)
    return found[0] if found else b""
