"""An encoder's two uses: a context in, its cache out; canvases in, logits out.

`CachingDenoiser` is what both the facade and the tests call. What computes is a subclass's: any
transformers model (`diffusion.model.denoiser`), or the bundled one without transformers
(`diffusion.model.lean_denoiser`).

Invariants: a step never changes the cache, and its logits do not depend on padding, on the other
canvases of the batch (beyond float rounding), or on which positions are wanted. No state is kept
between calls, so one denoiser may be used from several threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diffusion.cancel import CancelToken
from diffusion.errors import ModelError, PositionError
from diffusion.model.context_cache import ContextCache, ReadPass, WritePass, WritingPass
from diffusion.model.extended_context import ExtendPass, Opened
from diffusion.text.tokenizer import DEL, MASK


@dataclass(frozen=True, slots=True)
class PositionRange:
    """How an encoder numbers positions. `limit` None: any position (rotary)."""

    offset: int = 0  # added to our positions before the encoder sees them
    limit: int | None = None  # positions 0 .. limit - 1 exist

    def check(self, last_position: int) -> None:
        """Raises PositionError when the encoder has no such position."""
        if self.limit is not None and last_position >= self.limit:
            raise PositionError(
                f"position {last_position} is needed, but this encoder has learned positions "
                f"0..{self.limit - 1} only (the gap reserved for the canvas counts too)",
                fix="use a smaller context, or an encoder with rotary positions",
            )


class CachingDenoiser(ABC):
    """Denoises canvases on a cached context."""

    positions = PositionRange()
    kept_dtype: torch.dtype | None = None
    """What a context's keys and values are rounded to; None keeps them as they are computed."""
    read_dtype: torch.dtype | None = None
    """What attention computes in, where a context is kept in something else."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the model runs; ids given to it are moved there."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of logits of a token."""

    extends: bool = False
    """Whether a context can be read on from: `extend_context`."""

    @abstractmethod
    def _write(self, ids_T: torch.Tensor, positions_T: torch.Tensor, write: WritingPass) -> None:
        """Hands every layer's keys and values of a context to `write`."""

    def _turn(self, key_1HCD: torch.Tensor, by: int) -> torch.Tensor:
        """Keys as they would be `by` positions further on. Only of a denoiser that `extends`."""
        raise ModelError(
            "positions of this encoder are learned one by one, so no key can be moved",
            fix="encode the whole context, or use an encoder with rotary positions",
        )

    @abstractmethod
    def _wanted(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, read: ReadPass, wanted_T: torch.Tensor
    ) -> torch.Tensor:
        """Last hidden states [M, D] of the canvas tokens that are wanted; all attend by `read`."""

    @abstractmethod
    def _logits(self, hidden_MD: torch.Tensor) -> torch.Tensor:
        """Vocabulary logits [M, V] float32 of M hidden states."""

    @torch.inference_mode()
    def encode_context(
        self,
        ids_1C: torch.Tensor,
        positions_1C: torch.Tensor,
        cancel: CancelToken | None = None,
    ) -> ContextCache:
        """Encodes the clean tokens around a hole.

        Args:
            ids_1C: token ids of prefix and suffix, int64.
            positions_1C: their positions; the suffix starts a fixed gap after the prefix.
            cancel: looked at before every layer.

        Raises:
            ModelError: shapes disagree or the context is empty.
            PositionError: a position lies beyond what the encoder has learned.
            Cancelled: `cancel` was cancelled.
        """
        if ids_1C.ndim != 2 or ids_1C.shape[0] != 1 or ids_1C.shape != positions_1C.shape:
            raise ModelError(
                f"a context is one row of ids and one of positions, not {tuple(ids_1C.shape)} "
                f"and {tuple(positions_1C.shape)}",
                fix="pass both as [1, C]",
            )
        if ids_1C.shape[1] == 0:
            raise ModelError("the context has no token", fix="start it with BOF at least")
        self.positions.check(int(positions_1C.max()))
        positions_1C = positions_1C.to(self.device)
        write = WritePass(cancel, self.kept_dtype)
        self._write(ids_1C[0].to(self.device), positions_1C[0] + self.positions.offset, write)
        return write.finish(positions_1C)

    @torch.inference_mode()
    def extend_context(
        self,
        cache: ContextCache,
        opened: Opened,
        ids_1N: torch.Tensor,
        positions_1N: torch.Tensor,
        cancel: CancelToken | None = None,
    ) -> ContextCache:
        """A context with a part in its midst, which sees the rest and is not seen by it.

        Args:
            cache: stays as it is.
            opened: where, and by how far what stands behind moves.
            ids_1N, positions_1N: what is read, as in `encode_context`.
            cancel: looked at before every layer.

        Raises:
            ModelError: `opened` or the shapes make no sense, or nothing is read.
            PositionError: a position lies beyond what the encoder has.
            Cancelled: `cancel` was cancelled.
        """
        if ids_1N.ndim != 2 or ids_1N.shape[0] != 1 or ids_1N.shape != positions_1N.shape:
            raise ModelError(
                f"one row of ids and one of positions are read, not {tuple(ids_1N.shape)} "
                f"and {tuple(positions_1N.shape)}",
                fix="pass both as [1, N]",
            )
        if not ids_1N.shape[1]:
            raise ModelError("nothing is to be read", fix="use the context as it is")
        last = int(cache.positions_1C.max()) + opened.moved
        self.positions.check(max(last, int(positions_1N.max())))
        positions_1N = positions_1N.to(self.device)
        extend = ExtendPass(cache, opened, self._turn, cancel)
        self._write(ids_1N[0].to(self.device), positions_1N[0] + self.positions.offset, extend)
        return extend.finish(positions_1N)

    def bind(self, cache: ContextCache, start_position: int) -> BoundDenoiser:
        """The step function for canvases whose first token has position `start_position`."""
        return BoundDenoiser(self, cache.read_in(self.read_dtype), start_position)

    def bind_jointly(
        self, cache: ContextCache, start_positions: Sequence[int]
    ) -> JointBoundDenoiser:
        """The step function for several holes; hole k's canvas begins at `start_positions[k]`."""
        return JointBoundDenoiser(self, cache.read_in(self.read_dtype), tuple(start_positions))

    @torch.no_grad()
    def step(
        self,
        cache: ContextCache,
        start_position: int,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        """Logits [M, V] float32 of the M wanted positions, row by row. See `BoundDenoiser`."""
        starts_B = torch.full_like(lengths_B, start_position)
        return self._read(cache, starts_B, None, ids_BN, lengths_B, wanted_BN)

    @torch.no_grad()
    def joint_step(
        self,
        cache: ContextCache,
        starts_B: torch.Tensor,
        drafts_B: torch.Tensor,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        """As `step`, for canvases of several holes of one context.

        `starts_B`: the position at which each canvas begins. Canvases with the same number in
        `drafts_B` see the text on each other: everything but MASK and DEL.
        """
        return self._read(cache, starts_B, drafts_B, ids_BN, lengths_B, wanted_BN)

    def _read(
        self,
        cache: ContextCache,
        starts_B: torch.Tensor,
        drafts_B: torch.Tensor | None,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        """One pass over all canvases as one row of T tokens."""
        valid_BN = check_wanted(ids_BN, lengths_B, wanted_BN)
        if not bool(wanted_BN.any()):
            return torch.empty(0, self.vocab_size)
        canvas_of_T, column_of_T = (part.to(self.device) for part in valid_BN.nonzero().unbind(1))
        ids_T = ids_BN[valid_BN].to(self.device)
        sees_TT = canvas_of_T[:, None] == canvas_of_T[None, :]
        if drafts_B is not None:
            draft_of_T = drafts_B.to(self.device)[canvas_of_T]
            is_text_T = (ids_T != MASK) & (ids_T != DEL)
            sees_TT |= (draft_of_T[:, None] == draft_of_T[None, :]) & is_text_T[None, :]
        start_of_T = starts_B.to(self.device)[canvas_of_T]
        read = ReadPass(cache, sees_TT)
        return self.read(read, ids_T, column_of_T + start_of_T, wanted_BN[valid_BN])

    def read(
        self,
        read: ReadPass,
        ids_T: torch.Tensor,
        positions_T: torch.Tensor,
        wanted_T: torch.Tensor,
    ) -> torch.Tensor:
        """One pass over a row of canvas tokens: logits [M, V] of those wanted (bool).

        They are on the CPU, wherever the model runs (`model.device`).

        Raises PositionError where the encoder has no such position.
        """
        self.positions.check(int(positions_T.max()))
        hidden_MD = self._wanted(
            ids_T.to(self.device),
            positions_T.to(self.device) + self.positions.offset,
            read,
            wanted_T.to(self.device),
        )
        read.finish()
        return self._logits(hidden_MD).cpu()


def check_wanted(
    ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor
) -> torch.Tensor:
    """Where the canvases have tokens, bool [B, N]. Raises ModelError if more is wanted."""
    column_N = torch.arange(ids_BN.shape[1], device=ids_BN.device)
    valid_BN = column_N < lengths_B.to(ids_BN.device)[:, None]
    if bool((wanted_BN & ~valid_BN).any()):
        raise ModelError(
            "logits are wanted where a canvas has no token",
            fix="want positions below each row's length only",
        )
    return valid_BN


@dataclass(frozen=True, slots=True, eq=False)
class BoundDenoiser:
    """One hole's step function: what the process calls a `Denoise`."""

    denoiser: CachingDenoiser
    cache: ContextCache
    start_position: int

    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor
    ) -> torch.Tensor:
        """One denoising pass over B canvases.

        Args:
            ids_BN: canvas tokens, int64; anything at and beyond a row's length is padding.
            lengths_B: tokens of each canvas, int64, 0..N.
            wanted_BN: bool, where logits are needed.

        Returns:
            Logits [M, V] float32 of the M wanted positions in row-major order.

        Raises:
            ModelError: logits are wanted at padding.
            PositionError: the canvas runs past what the encoder has learned.
        """
        return self.denoiser.step(self.cache, self.start_position, ids_BN, lengths_B, wanted_BN)


@dataclass(frozen=True, slots=True, eq=False)
class JointBoundDenoiser:
    """The step function of several holes of one context: what the process calls a `JointDenoise`.

    One draft fills every hole; its canvases see the text on each other, those of other drafts
    do not.
    """

    denoiser: CachingDenoiser
    cache: ContextCache
    start_positions: tuple[int, ...]

    def __call__(
        self,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
        holes_B: torch.Tensor,
        drafts_B: torch.Tensor,
    ) -> torch.Tensor:
        """One pass; see `BoundDenoiser`. `holes_B` says which hole each canvas is in."""
        starts_B = torch.tensor(self.start_positions)[holes_B]
        return self.denoiser.joint_step(
            self.cache, starts_B, drafts_B, ids_BN, lengths_B, wanted_BN
        )
