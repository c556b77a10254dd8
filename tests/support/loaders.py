"""Loaders of models that say which adapter they have, and an engine that is served by one."""

from __future__ import annotations

import threading

from diffusion.cancel import CancelToken
from diffusion.errors import AdapterError, CheckpointError
from lsp_server.engine.engine import (
    EngineCandidate,
    EngineConfig,
    EngineRequest,
    EngineStatus,
)
from lsp_server.engine.scripted import ScriptedAnswer, ScriptedFiller
from lsp_server.engine.worker import WorkerEngine
from tests.support.lsp_wire import WAIT_S

REQUEST = EngineRequest(b"x = ", 4, "python")


class Models:
    """A loader whose models say which adapter they have; `bad` ones are refused till mended."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        """Whether a model with an adapter was ever asked for."""
        self.loaded: list[str] = []
        """The adapters that were asked for, in order."""
        self.mended = False

    def load(self, config: EngineConfig) -> ScriptedFiller:
        if config.adapter:
            self.loaded.append(config.adapter)
            self.begun.set()
            assert self.gate.wait(WAIT_S)
        if "bad" in config.adapter and not self.mended:
            raise AdapterError(f"{config.adapter} holds NaN")
        text = config.adapter or "base"
        filler = ScriptedFiller((ScriptedAnswer((EngineCandidate(text, 0.9),)),))
        filler.model = text
        return filler


class Served:
    """An engine, and a way to wait for what it says about itself."""

    def __init__(self, models: Models, adapter: str = "") -> None:
        self._changed = threading.Condition()
        self.engine = WorkerEngine(models.load)
        self.engine.listen(self._on_state)
        self.engine.configure(EngineConfig(adapter=adapter))

    def _on_state(self, status: EngineStatus) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, **wanted: str) -> EngineStatus:
        def there() -> bool:
            status = self.engine.status()
            return all(value in getattr(status, name) for name, value in wanted.items())

        with self._changed:
            assert self._changed.wait_for(there, WAIT_S), self.engine.status()
        return self.engine.status()

    def text(self) -> str:
        answer = self.engine.submit(REQUEST, CancelToken()).result(WAIT_S)
        return answer.candidates[0].text


class Places(Models):
    """Models that say where they lie, too."""

    def load(self, config: EngineConfig) -> ScriptedFiller:
        filler = super().load(config)
        if config.model_path == "/damaged" and not self.mended:
            raise CheckpointError("/damaged has no weights", fix="copy it again")
        filler.model = f"{config.model_path or 'bundled'} + {config.adapter or 'none'}"
        return filler
