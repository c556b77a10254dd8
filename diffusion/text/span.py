"""The span selector: which bytes are the hole, and of which kind.

`sample_holes` (training) and `select_hole` / `classify` (serving) are both offered here.
"""

from __future__ import annotations

from diffusion.text.hole import KINDS, Hole
from diffusion.text.hole_sampling import HoleMix, sample_holes

__all__ = ["KINDS", "Hole", "HoleMix", "sample_holes"]
