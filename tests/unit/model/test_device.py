"""Which device and precision a name stands for, here and where there is a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from diffusion.errors import ConfigError
from diffusion.model import device as places
from diffusion.model.device import device_for, mode_on, settle
from diffusion.model.lean import _turned_as_complex, _turned_by_parts
from diffusion.model.served import load_served
from lsp_server.engine.engine import EngineConfig
from lsp_server.engine.local import load

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing has been decided in this process, and the environment decides nothing."""
    monkeypatch.delenv("DIFFILL_DEVICE", raising=False)
    places.gpu_serves.cache_clear()
    yield
    places.gpu_serves.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, free_gb: float, *, works: bool = True) -> None:
    """A CUDA device with so much free memory. Its products are made on the processor."""
    make = torch.ones

    def ones(*shape: int, device: str) -> torch.Tensor:
        assert device == "cuda"
        if not works:
            raise RuntimeError("CUDA error: no kernel image is available")
        return make(*shape)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (int(1e9 * free_gb), int(8e9)))
    monkeypatch.setattr(torch, "ones", ones)


def test_a_gpu_attends_without_plans_for_every_shape() -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        settle(places.CPU)
        assert torch.backends.cuda.cudnn_sdp_enabled()
        settle(CUDA)
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


@pytest.mark.parametrize(("free_gb", "expected"), [(0.5, "cpu"), (4.0, "cuda")])
def test_auto_is_a_gpu_with_room(
    monkeypatch: pytest.MonkeyPatch, free_gb: float, expected: str
) -> None:
    pretend(monkeypatch, free_gb)
    assert device_for("auto").type == expected


def test_auto_is_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later the memory of the model at hand would count against the next one."""
    pretend(monkeypatch, 4.0)
    assert device_for("auto").type == "cuda"
    pretend(monkeypatch, 0.5)
    assert device_for("auto").type == "cuda"


def test_auto_with_int8_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 4.0)
    assert device_for("auto", "int8").type == "cpu"


def test_the_environment_says_what_auto_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 4.0)
    monkeypatch.setenv("DIFFILL_DEVICE", "cpu")
    assert (device_for("auto").type, device_for("cuda").type) == ("cpu", "cuda")


def test_a_gpu_that_cannot_be_used_leaves_the_processor(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, 4.0, works=False)
    assert device_for("auto").type == "cpu"
    assert "no kernel image" in caplog.text


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
    assert "cpu" in caught.value.fix and (asked == "tpu" or "--device," in caught.value.fix)


@pytest.mark.parametrize("asked", places.PLACES)
def test_every_place_is_a_device(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    pretend(monkeypatch, 0.0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_for(asked).type == ("cpu" if asked == "auto" else asked)


def test_precisions_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for halves, expected in ((True, "bf16"), (False, "fp32")):

        def supported(including_emulation: bool, halves: bool = halves) -> bool:
            return halves or including_emulation

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        assert mode_on(CUDA, "auto") == expected
    assert mode_on(torch.device("mps"), "auto") == "fp32"
    assert [mode_on(CUDA, mode) for mode in ("fp32", "bf16")] == ["fp32", "bf16"]
    with pytest.raises(ConfigError, match="there is no int8 on cuda"):
        mode_on(CUDA, "int8")


def test_the_server_and_a_folder_ask_for_the_device_they_are_told(
    monkeypatch: pytest.MonkeyPatch, tiny_model_dir: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        load_served(tiny_model_dir, device="cuda")
    with pytest.raises(ConfigError, match="no CUDA device"):
        load(EngineConfig(str(tiny_model_dir), 1, device="cuda"))


def test_both_ways_to_turn_are_one_rotation() -> None:
    """The one with complex numbers is the processor's, the other one the GPUs'."""
    torch.manual_seed(1)
    pairs_TGE2, angles_T1E = torch.randn(5, 4, 8, 2), torch.randn(5, 1, 8)
    turns_T1E2 = torch.stack((angles_T1E.cos(), angles_T1E.sin()), dim=-1)
    turned = _turned_by_parts(pairs_TGE2, turns_T1E2)
    torch.testing.assert_close(turned, _turned_as_complex(pairs_TGE2, turns_T1E2))
    torch.testing.assert_close(turned.norm(dim=-1), pairs_TGE2.norm(dim=-1))
    assert (turned - pairs_TGE2).abs().max() > 0.5
