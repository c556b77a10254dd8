"""How confidence and places look in a terminal: one scale, used by `infill` and `demo`.

Without colours (`NO_COLOR`, a pipe) the scale says nothing, and numbers take its place.

Invariant: text given here is shown as it is, never read as markup, so a document that
contains rich's square brackets or escape characters cannot change the display.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

MASK_GLYPH = "\u2591"
ENDED_GLYPH = "\u00b7"
NEWLINE_GLYPH = "\u23ce"
CUT_GLYPH = "\u2026"
MOST_BESIDE = 80
"""Characters that are shown of a line on each side of a place: it may be of a minified file."""
# Probability of the token at least -> style. The last row catches everything.
CONFIDENCE_STYLES: tuple[tuple[float, str], ...] = (
    (0.90, "bright_green"),
    (0.60, "green"),
    (0.30, "yellow"),
    (0.00, "red"),
)
PINNED_STYLE = "dim"
_BREAK = re.compile(r"\r?\n[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def confidence_style(p: float) -> str:
    """The style for a token of probability `p`; NaN counts as no confidence."""
    for least, style in CONFIDENCE_STYLES:
        if p >= least:
            return style
    return CONFIDENCE_STYLES[-1][1]


def printable(text: str) -> str:
    """Text with control characters (but newline and tab) replaced, so none reaches a terminal."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Printable text with a glyph for every line break and the indentation after it."""
    return _BREAK.sub(NEWLINE_GLYPH, printable(text))


def beside(left: str, right: str) -> tuple[str, str]:
    """What stands on both sides of a place in its line, printable; what is far off is cut."""
    shown_left, shown_right = printable(left[-MOST_BESIDE:]), printable(right[:MOST_BESIDE])
    return (
        CUT_GLYPH * (len(left) > MOST_BESIDE) + shown_left,
        shown_right + CUT_GLYPH * (len(right) > MOST_BESIDE),
    )


def has_colours(console: Console) -> bool:
    """Whether a style shows as a colour there."""
    return console.color_system is not None and not console.no_color


def in_numbers(tokens: Iterable[tuple[str, float]]) -> str:
    """Every token with its probability, for where there are no colours."""
    return "  ".join(f"{one_line(text).strip()} {p:.0%}" for text, p in tokens)


def tokens_text(tokens: Iterable[tuple[str, float]]) -> Text:
    """Tokens side by side, each in the colour of its probability."""
    shown = Text()
    for text, p in tokens:
        shown.append(printable(text), confidence_style(p))
    return shown


def legend() -> Text:
    """The scale in words: `90% 60% 30% less`, each in its colour."""
    shown = Text("confidence ")
    for least, style in CONFIDENCE_STYLES:
        shown.append(f"\u2265{least:.0%} " if least else "less", style)
    return shown
