"""Which device and precision a name stands for, here and where there is a GPU."""

from __future__ import annotations

import pytest
import torch

from diffusion.errors import ConfigError
from diffusion.model import device as places
from diffusion.model.device import device_for, mode_on
from diffusion.model.lean import _turned_as_complex, _turned_by_parts
from diffusion.model.served import load_served
from diffusion.pretrained import bundled_model_dir

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("there", "free_gb", "expected"), [(False, 0.0, "cpu"), (True, 0.5, "cpu"), (True, 4.0, "cuda")]
)
def test_auto_is_a_gpu_with_room(
    monkeypatch: pytest.MonkeyPatch, there: bool, free_gb: float, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (int(1e9 * free_gb), int(8e9)))
    assert device_for("auto").type == expected


@pytest.mark.parametrize(
    ("asked", "said"),
    [("cuda", "no CUDA device"), ("mps", "no GPU of a Mac"), ("tpu", "no device is called 'tpu'")],
)
def test_a_device_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, asked: str, said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=said) as caught:
        device_for(asked)
    assert "cpu" in caught.value.fix


@pytest.mark.parametrize("asked", places.PLACES)
def test_every_place_is_a_device(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, int(8e9)))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_for(asked).type == ("cpu" if asked == "auto" else asked)


def test_precisions_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for halves, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda halves=halves: halves)
        assert mode_on(CUDA, "auto") == expected
    assert mode_on(torch.device("mps"), "auto") == "fp32"
    assert [mode_on(CUDA, mode) for mode in ("fp32", "bf16")] == ["fp32", "bf16"]
    with pytest.raises(ConfigError, match="there is no int8 on cuda"):
        mode_on(CUDA, "int8")


def test_a_folder_is_not_loaded_onto_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        load_served(bundled_model_dir(), device="cuda")


def test_both_ways_to_turn_are_one_rotation() -> None:
    """The one with complex numbers is the processor's, the other one the GPUs'."""
    torch.manual_seed(1)
    pairs_TGE2, angles_T1E = torch.randn(5, 4, 8, 2), torch.randn(5, 1, 8)
    turns_T1E2 = torch.stack((angles_T1E.cos(), angles_T1E.sin()), dim=-1)
    turned = _turned_by_parts(pairs_TGE2, turns_T1E2)
    torch.testing.assert_close(turned, _turned_as_complex(pairs_TGE2, turns_T1E2))
    torch.testing.assert_close(turned.norm(dim=-1), pairs_TGE2.norm(dim=-1))
    assert (turned - pairs_TGE2).abs().max() > 0.5
