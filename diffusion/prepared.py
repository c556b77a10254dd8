"""A request as the model sees it: document, tree and hole, and where that is on a canvas."""

from __future__ import annotations

from dataclasses import dataclass

from diffusion.site import Site
from diffusion.text.canvas import MAX_CANVAS, Placement
from diffusion.text.hole import Hole
from diffusion.text.syntax import SyntaxTree


@dataclass(frozen=True, slots=True)
class Prepared:
    """`data` has the implied newline, if there is one.

    `mark`: bytes of the byte order mark that it has not, and before which no offset lies.
    """

    data: bytes
    language: str
    tree: SyntaxTree
    hole: Hole
    placement: Placement
    added_newline: bytes
    mark: int

    @property
    def asked_hole(self) -> Hole:
        """The hole in the document of the request."""
        hole = self.hole
        return Hole(hole.start + self.mark, hole.end + self.mark, hole.kind)

    @property
    def room(self) -> int:
        """Slots that fit the canvas beside the pins."""
        return MAX_CANVAS - len(self.placement.pins)

    @property
    def site(self) -> Site:
        """Where candidates are judged."""
        return Site(
            tree=self.tree, data=self.data, start=self.hole.start, end=self.hole.end,
            language=self.language, kind=self.hole.kind, suffix=self.added_newline.decode(),
        )  # fmt: skip
