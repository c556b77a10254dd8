"""What the server asks of a model, and what it gets back.

These types are the server's own, so that neither the completion pipeline nor a test needs
torch. Invariants: offsets are byte offsets; an answer's candidates replace bytes [start, end)
of the request's text; an empty answer carries a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from diffusion.cancel import CancelToken
from diffusion.suspicion import ScoredWord
from lsp_server.engine.tasks import (
    EngineAlternativesAnswer,
    EngineAlternativesRequest,
    EngineFillAnswer,
    EngineFillRequest,
    OnDraft,
)

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """Fill the hole at a cursor.

    `deadline_ms` counts from the moment the model begins to work on the request. `elsewhere`: open
    documents that may be quoted; `repository`: the lines of files that are not open. `repair`: what
    does not parse is denoised again where the errors are. `at_once`: quotes may be the answer where
    they are as good as the model. `in_haste`: a little less exact, and sooner, is better.
    `least_p`: a text that is less probable need not be finished; it is offered for its start, at a
    score of 0.
    """

    text: bytes
    cursor: int
    language: str
    alternatives: int = 1
    deadline_ms: float | None = None
    elsewhere: tuple[bytes, ...] = ()
    repository: LineIndex | None = None
    repair: bool = False
    at_once: bool = False
    in_haste: bool = False
    least_p: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineCandidate:
    """One fill; `score` is the probability, 0 to 1, that it is exactly what belongs there.

    Of a model that was not calibrated it is the geometric mean probability of the tokens; of a text
    that was left unfinished (`EngineRequest.least_p`) it is 0.
    `quoted`: the text stands elsewhere in the document, and no canvas said it.
    `tokens`: the text token by token, each with its probability; empty where nobody knows.
    """

    text: str
    score: float
    parses: bool = True
    quoted: bool = False
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What is offered for one request, best first; `at_once`: without asking the model.

    `context_read`: how many tokens around the hole had to be encoded for it.
    """

    candidates: tuple[EngineCandidate, ...]
    start: int
    end: int
    kind: str = ""
    steps: int = 0
    context_cached: bool = False
    context_read: int = 0
    reason: str | None = None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class EngineRewriteRequest:
    """Rewrite bytes `[start, end)`; `strength`, 0 to 1, is the share of tokens that is masked.

    `keep`: byte ranges that stay as they are.
    """

    text: bytes
    start: int
    end: int
    language: str
    strength: float
    alternatives: int = 3
    deadline_ms: float | None = None
    keep: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineRewrite:
    """One text for the selection. `changed`: share of tokens that differ, 0 to 1."""

    text: str
    score: float
    changed: float
    parses: bool = True


@dataclass(frozen=True, slots=True)
class EngineRewriteAnswer:
    """What the model offers for one selection, best first."""

    rewrites: tuple[EngineRewrite, ...]
    masked: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EngineScoreRequest:
    """Score the words in bytes `[start, end)`, as many as `max_tokens` tokens hold."""

    text: bytes
    start: int
    end: int
    language: str
    max_tokens: int
    code_only: bool = False


@dataclass(frozen=True, slots=True)
class EngineScoreAnswer:
    """Scored words in order; up to byte `end` everything was looked at."""

    words: tuple[ScoredWord, ...]
    end: int
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which model, and how much of the machine it may use."""

    model_path: str = ""
    threads: int | Literal["auto"] = "auto"
    adapter: str = ""
    """Folder of an adapter to merge into the model; "" for the model as it is."""
    device: str = "auto"
    """"auto", "cpu", "cuda" or "mps"."""
    adapter_sha256: str = ""
    """Of its weights: another one may come into the same folder."""

    def bare(self) -> EngineConfig:
        """The same without an adapter."""
        return replace(self, adapter="", adapter_sha256="")


class EngineState(StrEnum):
    """What the engine is doing."""

    IDLE = "idle"
    """Nothing is loaded; the first request or `preload` loads."""
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    """Loading failed; `detail` says why. A new configuration tries again."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A snapshot, for people and for `diffill/status`."""

    state: EngineState
    detail: str = ""
    model: str = ""
    queue: int = 0
    load_ms: float = 0.0
    adapter: str = ""
    """Folder of the adapter in the loaded model."""
    adapter_sha256: str = ""
    problem: str = ""
    """Why the adapter that was asked for is not served."""


class Filler(Protocol):
    """A loaded model. Called from one thread only."""

    @property
    def model(self) -> str:
        """A name for people."""
        ...

    def infill(
        self,
        request: EngineRequest,
        cancel: CancelToken,
        encoding: CancelToken | None = None,
    ) -> EngineAnswer:
        """Fill a hole.

        Raises Cancelled within one denoising step of `cancel` being set; while its context is
        encoded, within a layer of `encoding` being set, if that is given.
        """
        ...

    def rewrite(
        self,
        request: EngineRewriteRequest,
        cancel: CancelToken,
        on_draft: OnDraft | None = None,
    ) -> EngineRewriteAnswer:
        """Rewrite a selection. Cancelled as `infill` is; DiffillError for what cannot be done."""
        ...

    def fill(
        self, request: EngineFillRequest, cancel: CancelToken, on_draft: OnDraft | None = None
    ) -> EngineFillAnswer:
        """Fill holes together. Raises as `rewrite` does."""
        ...

    def alternatives(
        self, request: EngineAlternativesRequest, cancel: CancelToken
    ) -> EngineAlternativesAnswer:
        """Other tokens for a place of a candidate. Raises as `rewrite` does."""
        ...

    def score(self, request: EngineScoreRequest, cancel: CancelToken) -> EngineScoreAnswer:
        """Score words. Cancelled within one pass of the model; DiffillError as `rewrite`."""
        ...

    def foresee(
        self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
    ) -> EngineAnswer:
        """`infill` for a request that may come."""
        ...

    def prepare(self, request: EngineRequest, cancel: CancelToken) -> None:
        """Do what can be done ahead for a request that may come. Cancelled as `infill` is."""
        ...


Load = Callable[[EngineConfig], Filler]
"""Loads a model; may take seconds, may raise."""


class Engine(Protocol):
    """Where requests go. Every method returns at once and may be called from any thread."""

    def preload(self) -> None:
        """Begin to load, if nothing is loaded."""
        ...

    def submit(self, request: EngineRequest, cancel: CancelToken) -> Future[EngineAnswer]:
        """Queue a request.

        The future raises Cancelled when `cancel` was set, EngineUnavailable when there is no
        model to ask, and whatever the model raised.
        """
        ...

    def submit_rewrite(
        self,
        request: EngineRewriteRequest,
        cancel: CancelToken,
        on_draft: OnDraft | None = None,
    ) -> Future[EngineRewriteAnswer]:
        """Queue a rewrite, as `submit` does a hole. No draft comes after the answer."""
        ...

    def submit_fill(
        self, request: EngineFillRequest, cancel: CancelToken, on_draft: OnDraft | None = None
    ) -> Future[EngineFillAnswer]:
        """Queue several holes, as `submit` does one. No draft comes after the answer."""
        ...

    def submit_alternatives(
        self, request: EngineAlternativesRequest, cancel: CancelToken
    ) -> Future[EngineAlternativesAnswer]:
        """Queue a question for other tokens, as `submit` does a hole."""
        ...

    def submit_score(
        self, request: EngineScoreRequest, cancel: CancelToken
    ) -> Future[EngineScoreAnswer]:
        """Queue words to be scored, as `submit` does a hole."""
        ...

    def ahead(self, requests: Sequence[EngineRequest]) -> None:
        """Prepare for requests that may come, in this order, until a real one does."""
        ...

    def foresee(self, request: EngineRequest) -> Future[EngineAnswer]:
        """Answer a request that may come, after what `ahead` was told last and until then.

        The future is cancelled if a real request comes, or if there is no model at hand.
        """
        ...

    def status(self) -> EngineStatus: ...

    def configure(self, config: EngineConfig, *, again: bool = False) -> None:
        """Use another model or thread count from the next request on.

        The configuration at hand changes nothing; with `again`, what failed of it is tried anew.
        """
        ...

    def close(self) -> None:
        """Refuse further requests; work in flight must be cancelled through its token."""
        ...

    def join(self, timeout_s: float) -> bool:
        """After `close`: wait for the work in flight; say whether it ended in time."""
        ...
