"""The weights that a tuning run changes, and what becomes of them in an adapter.

LoRA (Hu et al. 2021) puts a pair of small matrices beside every linear layer of the trunk and of
the prediction head, by peft; the vocabulary projection is tied to the embedding and stays as it
is. Full tuning changes every weight; its adapter holds the differences.

Invariant: before the first step the model computes what the base model computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from transformers import PreTrainedModel

from diffusion.adapters.manifest import FULL
from diffusion.adapters.merge import LORA_A, LORA_B
from diffusion.errors import TrainingError
from diffusion.train.tune_config import TuneConfig

_PEFT_A, _PEFT_B = ".lora_A.default.weight", ".lora_B.default.weight"


class TrainedPart(nn.Module):
    """The parameters under training, by name, as one module: for averages and checkpoints."""

    def __init__(self, parameters: dict[str, nn.Parameter]) -> None:
        super().__init__()
        self.names = sorted(parameters)
        self._found = parameters
        for number, name in enumerate(self.names):
            self.register_parameter(f"p{number}", parameters[name])

    @torch.no_grad()
    def tensors(self) -> dict[str, Tensor]:
        """Copies of the weights by name."""
        return {name: self._found[name].detach().cpu().clone() for name in self.names}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave. Raises TrainingError for those of another model."""
        if tensors.keys() != self._found.keys():
            raise TrainingError(
                "the checkpoint belongs to another model or method", fix="start over with --fresh"
            )
        for name, tensor in tensors.items():
            self._found[name].copy_(tensor)

    def renamed(self, by_number: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors that a `WeightAverage` keeps by parameter, by name."""
        return {name: by_number[f"p{number}"] for number, name in enumerate(self.names)}

    def numbered(self, by_name: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inverse of `renamed`."""
        return {f"p{number}": by_name[name] for number, name in enumerate(self.names)}


def prepare(model: PreTrainedModel, config: TuneConfig) -> TrainedPart:
    """Make `model` ready for tuning, in place, and give back what will change."""
    torch.manual_seed(config.seed)
    if config.method != FULL:
        _add_lora(model, config)
    return TrainedPart(
        {name: p for name, p in model.named_parameters() if p.requires_grad}  # tied ones once
    )


def _add_lora(model: PreTrainedModel, config: TuneConfig) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    decoder = model.get_output_embeddings()
    targets = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not decoder
    ]
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        target_modules=targets,
        lora_dropout=0.0,
        bias="none",
    )
    inject_adapter_in_model(lora, model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def adapter_bytes(
    trained: dict[str, Tensor], base: dict[str, Tensor], config: TuneConfig
) -> bytes:
    """The weights file of an adapter. `base` holds the weights before tuning, for `full`."""
    kept: dict[str, Tensor] = {}
    for name, tensor in trained.items():
        if config.method == FULL:
            kept[name] = (tensor - base[name]).to(torch.bfloat16).contiguous()
        elif name.endswith(_PEFT_A):
            kept[name.removesuffix(_PEFT_A) + LORA_A] = tensor.to(torch.bfloat16).contiguous()
        elif name.endswith(_PEFT_B):
            kept[name.removesuffix(_PEFT_B) + LORA_B] = tensor.to(torch.bfloat16).contiguous()
        else:
            raise TrainingError(f"weight {name} has no place in an adapter", fix="report this")
    for name, tensor in kept.items():
        if not bool(torch.isfinite(tensor).all()):
            raise TrainingError(
                f"weight {name} holds NaN or infinity, so no adapter was made",
                fix="run again with a lower --learning-rate",
            )
    data: Any = save_tensors(kept)
    return bytes(data)


def decayed(part: TrainedPart) -> Iterator[tuple[list[nn.Parameter], bool]]:
    """Parameters that weight decay is for (matrices), and those it is not for."""
    parameters = [part._found[name] for name in part.names]
    yield [p for p in parameters if p.ndim >= 2], True
    yield [p for p in parameters if p.ndim < 2], False
