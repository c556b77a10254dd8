"""Left-to-right decoding with a cache of keys and values, for the autoregressive twin.

Job: `CausalDecoder.start` reads a prompt in one pass; each `next` reads one token and gives the
logits of the one after it. The trunk is the denoiser's own, run through the attention function of
`model.context_cache`; only who sees whom differs. `uncached` computes the same logits in one pass
under a causal mask and exists to be compared with.

Invariants: room is taken once, and a token costs one row of products, never a second look at the
prompt; a `Decoding` belongs to one request, the decoder holds no state.
"""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

from diffusion.errors import ModelError
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.attention import PASS
from diffusion.model.denoiser import MaskedLMDenoiser


class _LayerBuffers:
    """One layer's keys and values, with room for what is still to come."""

    def __init__(self, like_1HLD: torch.Tensor, room: int) -> None:
        heads, width = like_1HLD.shape[1], like_1HLD.shape[3]
        self.key_1HRD = like_1HLD.new_empty(1, heads, room, width)
        self.value_1HRD = like_1HLD.new_empty(1, heads, room, width)


class Decoding:
    """One text being written: what has been read so far, layer by layer."""

    def __init__(self, decoder: CausalDecoder, room: int) -> None:
        self._decoder = decoder
        self._room = room
        self._layers: list[_LayerBuffers] = []
        self._next_layer = 0
        self.read = 0
        """Tokens read so far."""

    @torch.inference_mode()
    def next(self, ids: tuple[int, ...]) -> torch.Tensor:
        """Logits [V] float32 of the token after `ids`, which are read now.

        Raises:
            ModelError: there is nothing to read, or no room left.
        """
        if not ids or self.read + len(ids) > self._room:
            raise ModelError(
                f"{len(ids)} tokens after {self.read} do not fit a decoding of {self._room}",
                fix="start it with more room, and read one token at least",
            )
        device = self._decoder.model.device
        ids_1L = torch.tensor([ids], device=device)
        positions_1L = torch.arange(self.read, self.read + len(ids), device=device)[None]
        self._next_layer = 0
        output = trunk(self._decoder.model)(
            input_ids=ids_1L,
            position_ids=positions_1L + self._decoder.offset,
            **{PASS: self},
        )
        self.read += len(ids)
        last_1D = output.last_hidden_state[0, -1:]
        return head_logits(self._decoder.model, last_1D)[0].float()

    def attend(
        self,
        query_1HLD: torch.Tensor,
        key_1HLD: torch.Tensor,
        value_1HLD: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        """Attention of the new tokens over all that was read and, causally, over themselves."""
        if self._next_layer == len(self._layers):
            self._layers.append(_LayerBuffers(key_1HLD, self._room))
        layer = self._layers[self._next_layer]
        self._next_layer += 1
        new = query_1HLD.shape[2]
        end = self.read + new
        layer.key_1HRD[:, :, self.read : end] = key_1HLD
        layer.value_1HRD[:, :, self.read : end] = value_1HLD
        mask_LK = None
        if new > 1 and self.read > 0:
            mask_LK = torch.ones(new, end, dtype=torch.bool, device=query_1HLD.device)
            mask_LK = mask_LK.tril(self.read)
        return scaled_dot_product_attention(
            query_1HLD,
            layer.key_1HRD[:, :, :end],
            layer.value_1HRD[:, :, :end],
            attn_mask=mask_LK,
            is_causal=new > 1 and self.read == 0,
            scale=scaling,
        )


class CausalDecoder:
    """A trained twin, ready to write. Puts the model in eval mode; safe to share."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Raises ModelError if the model's attention cannot be taken over."""
        taken_over = MaskedLMDenoiser(model)
        self.model = taken_over.model
        self.offset = taken_over.positions.offset
        self._positions = taken_over.positions

    def start(self, prompt: tuple[int, ...], more: int) -> tuple[Decoding, torch.Tensor]:
        """Read `prompt`; room is taken for `more` tokens. Logits [V] of the first of them.

        Raises:
            ModelError: the prompt is empty.
            PositionError: prompt and text are longer than the encoder has positions.
        """
        self._positions.check(len(prompt) + more - 1)
        decoding = Decoding(self, len(prompt) + more)
        return decoding, decoding.next(prompt)

    @torch.inference_mode()
    def uncached(self, ids: tuple[int, ...]) -> torch.Tensor:
        """Logits [L, V] float32 after each of `ids`, in one pass through transformers' own mask."""
        length = len(ids)
        mask_11LL = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
        output = trunk(self.model)(
            input_ids=torch.tensor([ids], device=self.model.device),
            position_ids=torch.arange(length, device=self.model.device)[None] + self.offset,
            attention_mask=mask_11LL.to(self.model.device),
        )
        return head_logits(self.model, output.last_hidden_state[0]).float()
