"""What a canvas says when its row is closed: text in its document's line ends, or why none.

Every command that shows what the model wrote reads it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from diffusion.process.canvas_state import CanvasResult
from diffusion.text.canvas import read_back
from diffusion.text.line_ends import with_line_ends
from diffusion.text.tokenizer import DEL, Tokenizer

OUT_OF_TIME: Final = "the time was up before anything was written; allow more of it"
UNSURE: Final = "nothing that the model could write was likely enough"


@dataclass(frozen=True, slots=True)
class Written:
    """`data`, and the same as `text`, for the hole; `slots`: its ids, the constraint's included.

    `token_p`: of every slot of the canvas behind the pins, also of those that say nothing.
    """

    data: bytes
    text: str
    slots: tuple[int, ...]
    token_p: tuple[float, ...]


def read_canvas(
    tokenizer: Tokenizer, result: CanvasResult, pins: int, constraint: bytes, document: bytes
) -> Written | str:
    """What a canvas says behind its pins and the constraint; a sentence where that is nothing.

    It may be blank, and of a row that was cut short it is what there was.
    """
    if not result.constraint_met:
        return OUT_OF_TIME if result.late else "the typed word could not be continued"
    slots = result.ids[pins:]
    kept = slots.index(DEL) if DEL in slots else len(slots)
    if result.late and not kept:
        return OUT_OF_TIME
    data = with_line_ends(read_back(tokenizer, slots, constraint), document)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "the model wrote half of a character"
    return Written(data, text, tuple(slots[:kept]), tuple(result.token_p[pins:]))
