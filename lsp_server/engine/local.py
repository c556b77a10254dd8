"""The bundled model as a `Filler`: the only module that imports `diffusion.infill`.

Invariant: importing this module imports no torch; `load`, which runs on the inference thread,
does.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.cancel import Cancelled, CancelToken
from diffusion.model.digests import sha256_of
from diffusion.model.manifest import WEIGHTS_FILE
from diffusion.pretrained import default_model_dir
from diffusion.threads import follow
from lsp_server.engine.engine import (
    EngineAnswer,
    EngineCandidate,
    EngineConfig,
    EngineRequest,
    EngineRewrite,
    EngineRewriteAnswer,
    EngineRewriteRequest,
    EngineScoreAnswer,
    EngineScoreRequest,
    Filler,
)
from lsp_server.engine.tasks import (
    EngineAlternative,
    EngineAlternativesAnswer,
    EngineAlternativesRequest,
    EngineDraft,
    EngineFill,
    EngineFillAnswer,
    EngineFillRequest,
    OnDraft,
    Span,
)
from lsp_server.engine.worker import WorkerEngine
from lsp_server.errors import DeviceFailed

if TYPE_CHECKING:
    from diffusion.drafts import Draft
    from diffusion.infill import Infiller, InfillRequest


class LocalFiller:
    """A thin coat over `Infiller`: plain types in and out."""

    def __init__(self, infiller: Infiller, model: str) -> None:
        self._infiller = infiller
        self.model = model

    def infill(
        self,
        request: EngineRequest,
        cancel: CancelToken,
        encoding: CancelToken | None = None,
    ) -> EngineAnswer:
        with self._on_device():
            result = self._infiller.infill(_asked(request), cancel=cancel, encoding=encoding)
        return EngineAnswer(
            candidates=tuple(
                EngineCandidate(
                    c.text,
                    float(c.score),
                    c.parses,
                    c.quoted,
                    tuple((token.text, float(token.p)) for token in c.tokens),
                )
                for c in result.candidates
            ),
            start=result.hole.start,
            end=result.hole.end,
            kind=result.hole.kind,
            steps=result.steps,
            context_cached=result.context_cached,
            context_read=result.context_read,
            at_once=result.at_once,
            reason=result.reason,
        )

    def rewrite(
        self,
        request: EngineRewriteRequest,
        cancel: CancelToken,
        on_draft: OnDraft | None = None,
    ) -> EngineRewriteAnswer:
        from diffusion.rewriting import RewriteRequest, rewrite

        asked = RewriteRequest(
            text=request.text,
            start=request.start,
            end=request.end,
            language=request.language,
            strength=request.strength,
            alternatives=request.alternatives,
            deadline_ms=request.deadline_ms,
            keep=request.keep,
        )
        watch = _watch(((request.start, request.end),), on_draft)
        with self._on_device():
            result = rewrite(self._infiller, asked, cancel=cancel, on_draft=watch)
        return EngineRewriteAnswer(
            rewrites=tuple(
                EngineRewrite(r.text, r.score, r.changed, r.parses) for r in result.rewrites
            ),
            masked=result.masked,
            reason=result.reason,
        )

    def fill(
        self, request: EngineFillRequest, cancel: CancelToken, on_draft: OnDraft | None = None
    ) -> EngineFillAnswer:
        from diffusion.bridging import carry_out
        from diffusion.filling import FillRequest, fill
        from diffusion.text.line_tasks import bridge_task, comment_task
        from diffusion.text.syntax import SyntaxTree

        asked = FillRequest(
            request.text,
            request.holes,
            request.language,
            request.pins,
            request.alternatives,
            request.deadline_ms,
            elsewhere=request.elsewhere,
            repository=request.repository,
        )
        holes = request.holes
        if request.task == "holes":
            watch = _watch(holes, on_draft)
            with self._on_device():
                result = fill(self._infiller, asked, cancel=cancel, on_draft=watch)
        else:
            if request.task == "bridge":
                task = bridge_task(request.text, request.at)
            else:
                tree = SyntaxTree.parse(request.text, request.language, budget_ms=200)
                task = comment_task(tree, request.text, request.at)
            holes = ((task.start, task.end),)
            watch = _watch(holes, on_draft)
            with self._on_device():
                result = carry_out(self._infiller, task, asked, cancel=cancel, on_draft=watch)
        return EngineFillAnswer(
            fills=tuple(EngineFill(f.texts, float(f.score), f.parses) for f in result.fills),
            holes=holes,
            reason=result.reason,
        )

    def alternatives(
        self, request: EngineAlternativesRequest, cancel: CancelToken
    ) -> EngineAlternativesAnswer:
        from diffusion.token_alternatives import AlternativesRequest, alternatives

        asked = AlternativesRequest(
            request.text,
            request.start,
            request.end,
            request.language,
            request.candidate,
            request.at,
            request.count,
            request.deadline_ms,
        )
        with self._on_device():
            result = alternatives(self._infiller, asked, cancel=cancel)
        return EngineAlternativesAnswer(
            token=result.token,
            p=result.p,
            alternatives=tuple(
                EngineAlternative(a.token, a.p, a.text, a.score, a.parses)
                for a in result.alternatives
            ),
            reason=result.reason,
        )

    def score(self, request: EngineScoreRequest, cancel: CancelToken) -> EngineScoreAnswer:
        from diffusion.scoring import ScoreRequest, score

        asked = ScoreRequest(
            text=request.text,
            language=request.language,
            start=request.start,
            end=request.end,
            max_tokens=request.max_tokens,
            code_only=request.code_only,
        )
        with self._on_device():
            result = score(self._infiller, asked, cancel=cancel)
        return EngineScoreAnswer(result.words, result.end, result.tokens)

    def foresee(
        self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
    ) -> EngineAnswer:
        with self._infiller.contexts.ahead() as has_room:
            if not has_room:
                raise Cancelled("no room")
            return self.infill(request, cancel, encoding)

    def prepare(self, request: EngineRequest, cancel: CancelToken) -> None:
        with self._on_device(), self._infiller.contexts.ahead() as has_room:
            if has_room:
                self._infiller.encode_ahead(_asked(request), cancel)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        """What torch raises on a GPU is taken for the GPU's: `DeviceFailed`.

        A driver may be reset, and another program may take the memory. Were the fault ours, the
        processor, which is asked next, would raise it again.
        """
        try:
            yield
        except RuntimeError as error:
            device = self._infiller.denoiser.device.type
            if device == "cpu":
                raise
            [first, *_] = str(error).splitlines() or [type(error).__name__]
            raise DeviceFailed(
                f"the model ran on {device}, which failed ({first}), and runs on the processor now",
                fix="reload the server to try the GPU again, or set diffill.performance.device "
                'to "cpu"',
            ) from error


def _watch(holes: tuple[Span, ...], on_draft: OnDraft | None) -> Callable[[Draft], None] | None:
    """What hands the model's drafts of `holes` on."""
    if on_draft is None:
        return None
    tell = on_draft
    return lambda draft: tell(EngineDraft(holes, draft.holes, draft.done))


def _asked(request: EngineRequest) -> InfillRequest:
    from diffusion.infill import InfillRequest

    return InfillRequest(
        text=request.text,
        cursor=request.cursor,
        language=request.language,
        alternatives=request.alternatives,
        deadline_ms=request.deadline_ms,
        elsewhere=request.elsewhere,
        repository=request.repository,
        repair=request.repair,
        at_once=request.at_once,
        in_haste=request.in_haste,
        least_p=request.least_p,
    )


def load(config: EngineConfig) -> Filler:
    """Load the model of a configuration. Imports torch; raises DiffillError for a bad model.

    With an adapter, one hole is filled before anybody is served; AdapterError for a bad one.
    """
    threads = follow(None if config.threads == "auto" else config.threads)
    folder = Path(config.model_path).expanduser() if config.model_path else None
    # Beside the import of torch, which takes one core a second: the weights' hash is remembered.
    weights = (folder or default_model_dir()) / WEIGHTS_FILE
    threading.Thread(target=_hash, args=(weights,), name="diffill-hash", daemon=True).start()
    _import_torch()
    from diffusion.infill import Infiller

    name = folder.name if folder is not None else "bundled"
    if not config.adapter:
        return LocalFiller(Infiller.load(folder, threads=threads, device=config.device), name)
    from diffusion.adapters.smoke import check_served

    adapter = Path(config.adapter)
    infiller = Infiller.load(folder, threads=threads, device=config.device, adapter=adapter)
    check_served(infiller)
    return LocalFiller(infiller, f"{name} + {adapter.name}")


def _hash(file: Path) -> None:
    with suppress(OSError):  # whoever needs it is told
        sha256_of(file)


def _import_torch() -> None:
    """The first import of the model's side, with the garbage collector away.

    It would walk 170,000 objects again and again meanwhile, and once in a while ever after. Only
    what is there before a model is loaded is left to itself: models come and go.
    """
    if "diffusion.infill" in sys.modules:
        return
    gc.disable()
    try:
        import diffusion.infill  # noqa: F401

        gc.freeze()
    finally:
        gc.enable()


def local_engine() -> WorkerEngine:
    """The engine of the installed server; loads nothing yet."""
    return WorkerEngine(load)
