"""Where the typed part of a line ends for the model, and what the first slots must spell.

Job: token healing (Lundberg 2023, "guidance"; Dagan et al. 2024). The pretoken that the cursor
touches may still grow, so it is taken off the pins; its bytes become a constraint that the first
slots must spell before anything else. A model then never has to continue half a token, which
none of its training text contains.

Invariant: `decode(pins) + constraint == typed`, and for every text `t`, `pins` are the first
tokens of `encode(typed + t)`.
"""

from __future__ import annotations

from diffusion.text.tokenizer import Tokenizer, pretoken_ends


def heal(tokenizer: Tokenizer, typed: bytes) -> tuple[tuple[int, ...], bytes]:
    """Split typed text into pinned token ids and the byte constraint on the first slots."""
    ends = pretoken_ends(typed)
    if not ends:
        return (), b""
    cut = ends[-2] if len(ends) > 1 else 0
    return tuple(tokenizer.encode(typed[:cut])), typed[cut:]
