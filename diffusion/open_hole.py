"""A hole whose context is encoded: what rewriting, scoring and fitting work on.

Invariant: nothing is denoised yet; what is called as `model` or `copying` is bound to this hole.
"""

from __future__ import annotations

from dataclasses import dataclass

from diffusion.process.copying import CopyingDenoiser
from diffusion.process.denoiser import Denoise
from diffusion.text.canvas import Placement
from diffusion.text.syntax import SyntaxTree


@dataclass(frozen=True, slots=True)
class OpenHole:
    """A hole with its context encoded: what a step calls, with the document's votes or without."""

    placement: Placement
    room: int
    model: Denoise
    copying: CopyingDenoiser


@dataclass(frozen=True, slots=True)
class OpenRange(OpenHole):
    """An open hole that stands for text that is there, with the document's syntax tree."""

    tree: SyntaxTree
    language: str
