"""The bundled encoder without transformers: the same ModernBERT, written as it is computed here.

A step is a hundred small operations, and what stands between them (modules, hooks, keyword
arguments, fresh rotations) costs as much as they do; importing transformers costs a server half of
its start. `LeanEncoder` runs a `ModernBertForMaskedLM` whose layers all attend globally and have
no biases (Warner et al. 2024; `diffusion.model.architecture`) from its named weights.

Rotary positions (Su et al. 2021): the rows of query and key weights are put in another order when
the model is loaded, so that the two numbers that turn together lie side by side. All of a layer's
queries and keys then turn in one complex product (on the processor), and no dot product changes.

In int8, what a cache holds is bfloat16 (half the memory), and so is attention, unless the processor
is faster in float32. The embedding stays in the precision that it comes in: its rows are looked up.

Invariants: the weights given are not changed; in float32 the logits are those of transformers to
rounding (`tests/unit/model/test_lean.py`); nothing is kept between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from diffusion.errors import ModelError
from diffusion.model.context_cache import Pass, ReadPass, WritingPass
from diffusion.model.device import CPU
from diffusion.model.int8 import int8_of
from diffusion.model.quantize import Mode, fastest_attention_dtype

Project = Callable[[Tensor], Tensor]
_LOADERS = 2
"""Threads that round weights: half of what a server waits for once torch is there."""
_LARGEST_SIZE = 1 << 20
_CONFIG_FIX = "copy or download the config.json of this model again"
_BIASES = ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias", "decoder_bias")


@dataclass(frozen=True, slots=True)
class LeanShape:
    """What a config says that the weights do not."""

    width: int
    layers: int
    heads: int
    vocab_size: int
    norm_eps: float
    rope_theta: float
    max_positions: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LeanShape | None:
        """The shape that a Hugging Face config.json describes; None for any other model.

        Raises ModelError for sizes of such a model that are missing or no sizes.
        """
        types, rope = config.get("layer_types"), config.get("rope_parameters")
        plain = (
            config.get("model_type") == "modernbert"
            and isinstance(types, list)
            and all(kind == "full_attention" for kind in types)
            and not any(config.get(name, True) for name in _BIASES)
            and config.get("hidden_activation") == config.get("classifier_activation") == "gelu"
            and config.get("tie_word_embeddings") is True
        )
        turning = rope.get("full_attention") if isinstance(rope, Mapping) else None
        if not plain or not isinstance(turning, Mapping) or turning.get("rope_type") != "default":
            return None
        heads = _size(config, "num_attention_heads")
        layers, width = _size(config, "num_hidden_layers"), _size(config, "hidden_size")
        for name, fits in (
            ("layer_types", layers == len(types or ())),
            ("num_attention_heads", not width % (2 * heads)),
        ):
            if not fits:
                raise ModelError(
                    f"{name} does not go with {layers} layers of width {width}", fix=_CONFIG_FIX
                )
        return cls(
            width,
            layers,
            heads,
            _size(config, "vocab_size"),
            _number(config, "norm_eps"),
            _number(turning, "rope_theta"),
            _size(config, "max_position_embeddings"),
        )


def _size(config: Mapping[str, Any], name: str) -> int:
    found = config.get(name)
    if not isinstance(found, int) or not 0 < found <= _LARGEST_SIZE:
        raise ModelError(
            f"{name} is {found!r}, not a whole number from 1 to {_LARGEST_SIZE}", fix=_CONFIG_FIX
        )
    return found


def _number(config: Mapping[str, Any], name: str) -> float:
    found = config.get(name)
    if not isinstance(found, int | float) or not found > 0:
        raise ModelError(f"{name} is {found!r}, not a number above 0", fix=_CONFIG_FIX)
    return float(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One block. `attention_norm_D` is None in the first, which takes its input as it is."""

    attention_norm_D: Tensor | None
    query_key_value: Project
    attention_out: Project
    mlp_norm_D: Tensor
    mlp_in: Project
    mlp_out: Project


class LeanEncoder:
    """Token ids and positions in, hidden states out; and hidden states in, logits out."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        shape: LeanShape,
        mode: Mode,
        device: torch.device = CPU,
    ) -> None:
        """`weights` are a `ModernBertForMaskedLM`'s, in any precision; int8 is for the CPU.

        Raises ModelError naming a weight that is missing or of another shape, or for weights of a
        deeper model.
        """
        if any(name.startswith(f"model.layers.{shape.layers}.") for name in weights):
            raise ModelError(
                f"the weights have more layers than the {shape.layers} of config.json",
                fix=_CONFIG_FIX,
            )
        self.shape, self.mode, self.device = shape, mode, device
        self.dtype = torch.bfloat16 if mode == "bf16" else torch.float32
        self.attention_dtype = fastest_attention_dtype() if mode == "int8" else self.dtype
        self.kept_dtype = torch.bfloat16 if mode == "int8" else self.dtype
        taken, width = _Weights(weights, self.dtype, mode, device), shape.width
        embedding = "model.embeddings.tok_embeddings.weight"
        self._embedding_VD = taken.as_given(embedding, shape.vocab_size, width)
        self._embedding_norm_D = taken.plain("model.embeddings.norm.weight", shape.width)
        self._head_dense = taken.project("head.dense.weight", width, width)
        loaders = min(_LOADERS, torch.get_num_threads())
        with ThreadPoolExecutor(loaders) as pool:  # once the first weight is rounded: model.int8
            decoder = pool.submit(taken.project, embedding, shape.vocab_size, width)
            self._layers = tuple(pool.map(partial(_layer, taken, shape), range(shape.layers)))
        self._final_norm_D = taken.plain("model.final_norm.weight", shape.width)
        self._head_norm_D = taken.plain("head.norm.weight", shape.width)
        self._decoder = decoder.result()
        self._turns_PE2 = _turns(shape).to(device)

    def write(self, ids_T: Tensor, positions_T: Tensor, write: WritingPass) -> None:
        """Hands every layer's keys and values to `write`, and stops at those of the last layer."""
        _, (_, key_1HTD, value_1HTD) = self._to_last(ids_T, positions_T, write)
        write.keep(key_1HTD, value_1HTD)

    def turned_on(self, key_1HCD: Tensor, by: int) -> Tensor:
        """Keys, which are turned already, as they would be `by` positions further on."""
        if not by or not key_1HCD.numel():
            return key_1HCD
        turn_1E2 = self._turns_PE2[by][None]
        return _turn(key_1HCD[0], turn_1E2)[None].to(key_1HCD.dtype)

    def wanted(
        self, ids_T: Tensor, positions_T: Tensor, read: ReadPass, wanted_T: Tensor
    ) -> Tensor:
        """The last hidden states [M, D] of the tokens that are wanted (bool).

        The last layer runs for no others.
        """
        hidden_TD, (query_1HTD, key_1HTD, value_1HTD) = self._to_last(ids_T, positions_T, read)
        rows_M = wanted_T.nonzero()[:, 0]
        mixed_1HMD = read.attend(query_1HTD[:, :, rows_M], key_1HTD, value_1HTD, None, rows_M)
        hidden_MD = self._leave(self._layers[-1], hidden_TD[rows_M], mixed_1HMD)
        return self._normed(hidden_MD, self._final_norm_D)

    def _to_last(
        self, ids_T: Tensor, positions_T: Tensor, under_way: Pass
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """What the last layer is given, and its query, key and value. `under_way` attends."""
        turns_T1E2 = self._turns_PE2[positions_T][:, None]
        embedded_TD = self._embedding_VD[ids_T].to(self.dtype)
        hidden_TD = self._normed(embedded_TD, self._embedding_norm_D)
        for layer in self._layers[:-1]:
            parts = self._query_key_value(layer, hidden_TD, turns_T1E2)
            hidden_TD = self._leave(layer, hidden_TD, under_way.attend(*parts, None))
        return hidden_TD, self._query_key_value(self._layers[-1], hidden_TD, turns_T1E2)

    def _normed(self, hidden_TD: Tensor, norm_D: Tensor) -> Tensor:
        return layer_norm(hidden_TD, (self.shape.width,), norm_D, None, self.shape.norm_eps)

    def _query_key_value(
        self, layer: _Layer, hidden_TD: Tensor, turns_T1E2: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        heads, norm_D = self.shape.heads, layer.attention_norm_D
        input_TD = hidden_TD if norm_D is None else self._normed(hidden_TD, norm_D)
        qkv_TGD = layer.query_key_value(input_TD).view(len(hidden_TD), 3 * heads, -1)
        turned_TGD = _turn(qkv_TGD[:, : 2 * heads], turns_T1E2).to(self.attention_dtype)
        value_THD = qkv_TGD[:, 2 * heads :].to(self.attention_dtype)
        query_1HTD, key_1HTD, value_1HTD = (
            part_THD.transpose(0, 1)[None]
            for part_THD in (turned_TGD[:, :heads], turned_TGD[:, heads:], value_THD)
        )
        return query_1HTD, key_1HTD, value_1HTD

    def _leave(self, layer: _Layer, hidden_TD: Tensor, mixed_1HTD: Tensor) -> Tensor:
        """What a block makes of its input and of what its attention gathered."""
        mixed_TD = mixed_1HTD[0].transpose(0, 1).reshape(len(hidden_TD), -1).to(self.dtype)
        hidden_TD = hidden_TD + layer.attention_out(mixed_TD)
        inner_TI, gate_TI = layer.mlp_in(self._normed(hidden_TD, layer.mlp_norm_D)).chunk(2, dim=1)
        return hidden_TD + layer.mlp_out(gelu(inner_TI) * gate_TI)

    def logits(self, hidden_MD: Tensor) -> Tensor:
        """Vocabulary logits [M, V] float32."""
        features_MD = gelu(self._head_dense(hidden_MD))
        return self._decoder(self._normed(features_MD, self._head_norm_D)).float()


def _layer(taken: _Weights, shape: LeanShape, number: int) -> _Layer:
    at, width = f"model.layers.{number}", shape.width
    inner = taken.rows(f"{at}.mlp.Wi.weight") // 2
    return _Layer(
        taken.plain(f"{at}.attn_norm.weight", shape.width) if number else None,
        taken.turned(f"{at}.attn.Wqkv.weight", shape.heads, width),
        taken.project(f"{at}.attn.Wo.weight", width, width),
        taken.plain(f"{at}.mlp_norm.weight", shape.width),
        taken.project(f"{at}.mlp.Wi.weight", 2 * inner, width),
        taken.project(f"{at}.mlp.Wo.weight", width, inner),
    )


def _turns(shape: LeanShape) -> Tensor:
    """Cosine and sine of every position's angles, [P, E, 2] with E = head width / 2."""
    width = shape.width // shape.heads
    speed_E = shape.rope_theta ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angle_PE = torch.arange(shape.max_positions, dtype=torch.float32)[:, None] * speed_E
    return torch.stack((angle_PE.cos(), angle_PE.sin()), dim=-1)


def _turn(pairs_TGD: Tensor, turns_T1E2: Tensor) -> Tensor:
    """Rotate each pair of neighbouring features by its position's angle."""
    pairs_TGE2 = pairs_TGD.float().reshape(*pairs_TGD.shape[:2], -1, 2)
    turned = _turned_as_complex if pairs_TGD.device.type == "cpu" else _turned_by_parts
    return turned(pairs_TGE2, turns_T1E2).reshape(pairs_TGD.shape)


def _turned_as_complex(pairs_TGE2: Tensor, turns_T1E2: Tensor) -> Tensor:
    complex_TGE = torch.view_as_complex(pairs_TGE2)
    return torch.view_as_real(complex_TGE * torch.view_as_complex(turns_T1E2))


def _turned_by_parts(pairs_TGE2: Tensor, turns_T1E2: Tensor) -> Tensor:
    """The same for devices that have no complex numbers, or slow ones."""
    (x_TGE, y_TGE), (cos_T1E, sin_T1E) = pairs_TGE2.unbind(-1), turns_T1E2.unbind(-1)
    return torch.stack(
        (x_TGE * cos_T1E - y_TGE * sin_T1E, x_TGE * sin_T1E + y_TGE * cos_T1E), dim=-1
    )


@dataclass(frozen=True, slots=True)
class _Weights:
    """Named weights, taken in the precision of a mode."""

    named: Mapping[str, Tensor]
    dtype: torch.dtype
    mode: Mode
    device: torch.device

    def as_given(self, name: str, *shape: int) -> Tensor:
        """A copy: a view would keep the whole file in memory."""
        return self._named(name, *shape).to(self.device, copy=True)

    def rows(self, name: str) -> int:
        return len(self._named(name))

    def _named(self, name: str, *shape: int) -> Tensor:
        """Of the shape that is given, if one is."""
        if name not in self.named:
            raise ModelError(
                f"weight {name} is missing", fix="use a checkpoint that was saved as a masked LM"
            )
        weight = self.named[name].detach()
        if shape and tuple(weight.shape) != shape:
            raise ModelError(
                f"weight {name} has shape {tuple(weight.shape)}, the config says {shape}",
                fix="check that config.json and model.safetensors belong together",
            )
        return weight

    def plain(self, name: str, *shape: int) -> Tensor:
        return self._named(name, *shape).to(self.device, self.dtype)

    def project(self, name: str, *shape: int) -> Project:
        return self._projecting(self.plain(name, *shape))

    def turned(self, name: str, heads: int, width: int) -> Project:
        """Query, key and value in one; the pairs of query and key features side by side."""
        weight_ND = self.plain(name, 3 * width, width)
        query_key_GPED, value_ND = (
            weight_ND[: 2 * len(weight_ND) // 3].view(2 * heads, 2, -1, weight_ND.shape[1]),
            weight_ND[2 * len(weight_ND) // 3 :],
        )
        side_by_side_ND = query_key_GPED.transpose(1, 2).reshape(-1, weight_ND.shape[1])
        return self._projecting(torch.cat((side_by_side_ND, value_ND)))

    def _projecting(self, weight_ND: Tensor) -> Project:
        if self.mode == "int8":
            return int8_of(weight_ND)
        return lambda input_TD: linear(input_TD, weight_ND)
