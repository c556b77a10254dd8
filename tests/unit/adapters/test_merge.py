"""Adapters in weights: the sum is exact, the base is left alone by a refused one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from diffusion.adapters.base import base_of
from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.manifest import FULL, LORA, WEIGHTS_FILE, AdapterManifest
from diffusion.adapters.merge import load_with_adapter
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError
from diffusion.infill import Infiller, InfillRequest
from diffusion.model.checkpoint import load_checkpoint

LAYER = "model.layers.0.mlp.Wo"
Publish = Callable[..., Path]


@pytest.fixture
def publish(tiny_model_dir: Path, tmp_path: Path) -> Publish:
    store = AdapterStore(RepositoryHome(tmp_path / "repo", tmp_path / "home"))
    base = base_of(tiny_model_dir)

    def made(tensors: dict[str, torch.Tensor], method: str = LORA) -> Path:
        manifest = AdapterManifest(
            "one", "2026-01-01", method, 2.0, base.weights_sha256, base.tokenizer_hash, ""
        )
        return store.publish(manifest, save(tensors))

    return made


def pair(rank: int = 2, **shape: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        f"{LAYER}.lora_A": torch.randn(rank, shape.get("inner", 96), generator=generator),
        f"{LAYER}.lora_B": torch.randn(64, rank, generator=generator),
    }


def test_a_lora_pair_is_added_with_its_scale(tiny_model_dir: Path, publish: Publish) -> None:
    tensors = pair()
    merged = load_with_adapter(tiny_model_dir, publish(tensors)).model
    plain = load_checkpoint(tiny_model_dir).model
    change = 2.0 * tensors[f"{LAYER}.lora_B"] @ tensors[f"{LAYER}.lora_A"]
    for name, weight in plain.named_parameters():
        expected = weight + change if name == f"{LAYER}.weight" else weight
        torch.testing.assert_close(merged.get_parameter(name), expected)


def test_full_differences_reach_tied_weights(tiny_model_dir: Path, publish: Publish) -> None:
    plain = load_checkpoint(tiny_model_dir).model
    name = "model.embeddings.tok_embeddings.weight"
    change = torch.full_like(plain.get_parameter(name), 0.5)
    merged = load_with_adapter(tiny_model_dir, publish({name: change}, FULL)).model
    torch.testing.assert_close(merged.get_parameter(name), plain.get_parameter(name) + 0.5)
    assert torch.equal(merged.get_output_embeddings().weight, merged.get_parameter(name))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (pair() | {f"{LAYER}.lora_B": torch.full((64, 2), float("nan"))}, "NaN or infinity"),
        ({name: 3e38 * t.sign() for name, t in pair().items()}, "would make NaN or infinity"),
        (pair(inner=95), "has shape"),
        ({f"{LAYER}.lora_A": torch.ones(2, 96)}, "does not fit"),
        ({"elsewhere.lora_A": torch.ones(2, 4), "elsewhere.lora_B": torch.ones(4, 2)}, "not fit"),
        ({}, "holds no weights"),
    ],
)
def test_what_does_not_fit_is_refused(
    tiny_model_dir: Path, publish: Publish, tensors: dict[str, torch.Tensor], said: str
) -> None:
    with pytest.raises(AdapterError, match=said):
        load_with_adapter(tiny_model_dir, publish(tensors))


def test_weights_that_were_altered_are_refused(tiny_model_dir: Path, publish: Publish) -> None:
    """Whoever chose the adapter may not have read them."""
    file = publish(pair()) / WEIGHTS_FILE
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(AdapterError, match="SHA-256 differs"):
        load_with_adapter(tiny_model_dir, file.parent)


def test_a_served_model_answers_with_its_adapter(tiny_model_dir: Path, publish: Publish) -> None:
    request = InfillRequest(b"x = \n", 4, "python", length=4)
    adapter = publish({name: 3 * tensor for name, tensor in pair().items()})
    texts = [
        [c.text for c in Infiller.load(tiny_model_dir, 1, adapter=which).infill(request).candidates]
        for which in (None, adapter, adapter)
    ]
    assert texts[1] == texts[2] != texts[0]
