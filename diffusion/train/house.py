"""What a run does besides training: checkpoints, exports and validation, each when it is due.

Only the main process keeps house; the others wait for it at their next common step.

Invariants: what is validated and exported is the average of the weights where the run keeps one;
a disk that refuses a checkpoint or an export while the run goes on costs a warning and is tried
again at the next turn, but the last checkpoint must be written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from diffusion.cancel import Cancelled
from diffusion.errors import TrainingError
from diffusion.train import checkpoints
from diffusion.train.checkpoints import Progress
from diffusion.train.config import PretrainConfig
from diffusion.train.ema import WeightAverage
from diffusion.train.run_log import RunLog
from diffusion.train.validation import Validator
from diffusion.train.weight_export import write_export

SampledMatch = Callable[[PreTrainedModel], float]
EXPORTS = "exports"


class House:
    """Keeps the folder of one run."""

    def __init__(
        self,
        out: Path,
        config: PretrainConfig,
        model: PreTrainedModel,
        optimiser_states: Callable[[], list[dict[str, Tensor]]],
        average: WeightAverage,
        validator: Validator,
        log: RunLog,
        *,
        tokenizer_hash: str,
        autocast: Callable[[], AbstractContextManager[None]],
        sampled_match: SampledMatch | None,
        on_batch: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_batch` is called before each batch of a validation, which ends where it raises
        Cancelled; `sampled_match` may raise it too."""
        self._out, self._config = out, config
        self._model, self._average = model, average
        self._optimiser_states = optimiser_states
        self._validator, self._log = validator, log
        self._tokenizer_hash = tokenizer_hash
        self._autocast = autocast
        self._sampled_match, self._on_batch = sampled_match, on_batch
        now = time.monotonic()
        self._last = {"save": now, "validate": now, "export": now}

    def due(self) -> frozenset[str]:
        """What it is time for, of "save", "export" and "validate"; their clocks start again."""
        config = self._config
        every_minutes = {
            "save": config.save_every_minutes,
            "export": config.export_every_minutes,
            "validate": config.validate_every_minutes,
        }
        return frozenset(what for what, often in every_minutes.items() if self._due(what, often))

    def keep(self, progress: Progress, due: frozenset[str]) -> None:
        """Do what is due."""
        if "save" in due:
            self._or_warn(self.save, progress)
        if "export" in due:
            self._or_warn(self.export, progress)
        if "validate" in due:
            self.validate(progress)

    def finish(self, progress: Progress, *, stopped: bool) -> None:
        """The last checkpoint, figures and export of this start."""
        self.save(progress)
        if self._config.export_every_minutes is not None:
            self._or_warn(self.export, progress)
        if not stopped:
            self.validate(progress)

    def _due(self, what: str, every_minutes: float | None) -> bool:
        now = time.monotonic()
        if every_minutes is None or now - self._last[what] < 60 * every_minutes:
            return False
        self._last[what] = now
        return True

    def _or_warn(self, action: Callable[[Progress], None], progress: Progress) -> None:
        try:
            action(progress)
        except TrainingError as error:
            self._log.write({"event": "warning", "step": progress.step, "message": str(error)})

    def save(self, progress: Progress) -> None:
        """Write a checkpoint. Raises TrainingError if the disk refuses."""
        checkpoints.save(
            self._out,
            self._model,
            self._optimiser_states(),
            progress,
            self._config.fingerprint(),
            self._average.tensors(),
            tokenizer_hash=self._tokenizer_hash,
        )

    def export(self, progress: Progress) -> None:
        """Write a weight export. Raises TrainingError if the disk refuses."""
        with self._average.in_place():
            path = write_export(
                self._out / EXPORTS,
                self._model,
                progress,
                self._config.fingerprint(),
                self._tokenizer_hash,
            )
        self._log.write({"event": "export", "step": progress.step, "newest_export": str(path)})

    def validate(self, progress: Progress) -> None:
        """Measure and log the validation figures; those of one that is cancelled are left out."""
        try:
            event = self._measured(progress)
        except Cancelled:
            message = "the validation was stopped before its end, and has no figures"
            event = {"event": "warning", "step": progress.step, "message": message}
        self._log.write(event)

    def _measured(self, progress: Progress) -> dict[str, Any]:
        with self._average.in_place():
            measured = self._validator.measure(
                self._model,
                self._autocast(),
                blind_context=self._config.blind_context,
                on_batch=self._on_batch,
            )
            event: dict[str, Any] = {
                "event": "validation",
                "step": progress.step,
                "tokens": progress.tokens_seen,
                "loss": measured.mean,
                "by_share": {str(k): v for k, v in measured.by_share.items()},
                "accuracy": {str(k): v for k, v in measured.accuracy_by_share.items()},
                "by_language": measured.by_language,
            }
            if self._sampled_match is not None:
                event["sampled_exact_match"] = self._sampled_match(self._model)
        return event
