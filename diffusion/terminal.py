"""How confidence looks in a terminal: one scale, used by `infill` and `demo`.

Invariant: text given here is shown as it is, never read as markup, so a document that
contains rich's square brackets or escape characters cannot change the display.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.text import Text

MASK_GLYPH = "\u2591"
ENDED_GLYPH = "\u00b7"
NEWLINE_GLYPH = "\u23ce"
# Probability of the token at least -> style. The last row catches everything.
CONFIDENCE_STYLES: tuple[tuple[float, str], ...] = (
    (0.90, "bright_green"),
    (0.60, "green"),
    (0.30, "yellow"),
    (0.00, "red"),
)
PINNED_STYLE = "dim"
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
