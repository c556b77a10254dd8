"""Precision is measured, or as it was asked for."""

from __future__ import annotations

import pytest

from diffusion.errors import ConfigError
from diffusion.train.precision import PRECISIONS, half_is_fast, precision


@pytest.mark.parametrize("asked", PRECISIONS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_asked_for_is_what_comes(asked: str, device: str) -> None:
    assert precision(asked, device) == asked


def test_auto_is_what_is_faster_here() -> None:
    assert precision("auto", "cpu") == ("bf16" if half_is_fast() else "no")
    assert precision("auto", "cuda") == "bf16"


def test_anything_else_is_named() -> None:
    with pytest.raises(ConfigError, match=r"fp8.*auto, bf16, no"):
        precision("fp8", "cpu")
