"""The pretraining loop: MLM, multi-step diffusion and infilling in one objective.

Job: model, corpus and config in; checkpoints, `log.jsonl` and `status.json` out. The device,
precision and number of processes are accelerate's business.

Invariants: batch n is the same whatever the machine, so a resumed run sees what an unbroken one
would have seen; a NaN loss stops the run before it reaches a checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from diffusion.cancel import CancelToken
from diffusion.data.batches import Batch, BatchStream
from diffusion.data.shards import ShardSet
from diffusion.errors import TrainingError
from diffusion.model.architecture import build_model, recipe_named
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.checkpoints import Progress
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.objective import Objective
from diffusion.train.optimisers import build_optimisers, lr_scale, set_lr_scale
from diffusion.train.validation import Validator, to_device

Report = Callable[[dict[str, Any]], None]
SampledMatch = Callable[[PreTrainedModel], float]


def pretrain(
    corpus: Path,
    out: Path,
    tokenizer: Tokenizer,
    config: PretrainConfig,
    budget: Budget,
    *,
    report: Report = lambda event: None,
    start_from: Path | None = None,
    sampled_match: SampledMatch | None = None,
    cancel: CancelToken | None = None,
) -> PreTrainedModel:
    """Train until the budget is spent (or `cancel`), resuming from `out` if it holds a checkpoint.

    A fresh run takes its weights from the checkpoint folder `start_from`, if given: the next
    stage of a recipe, with an optimiser that warms up again. `report` gets each logged event as a
    dict. `sampled_match` fills real holes with the current weights and returns the share that is
    exactly right. Raises TrainingError on NaN loss, a full disk, or a checkpoint of another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(corpus, out, tokenizer, config, budget, report, start_from, sampled_match)
    for batch in run.batches():
        run.train_on(batch)
        run.keep_house()
        if run.spent >= 1.0 or run.stops(cancel):
            break
    run.finish()
    return run.model


class _Run:
    """One run in progress: the model, its optimisers, and how far it is."""

    def __init__(
        self,
        corpus: Path,
        out: Path,
        tokenizer: Tokenizer,
        config: PretrainConfig,
        budget: Budget,
        report: Report,
        start_from: Path | None,
        sampled_match: SampledMatch | None,
    ) -> None:
        self.out, self.config, self.budget = out, config, budget
        self._sampled_match = sampled_match
        self._accelerator = Accelerator(mixed_precision=config.mixed_precision)
        self._log = _Log(out, report, enabled=self._accelerator.is_main_process)
        torch.manual_seed(config.seed)
        self.model = build_model(recipe_named(config.recipe), tokenizer.vocab_size)
        optimisers = build_optimisers(self.model, config.optimiser)
        self.progress = _resume(out, self.model, optimisers, config, report)
        if self.progress.step == 0 and start_from is not None:
            checkpoints.load_weights(start_from, self.model)
        self._plain_optimisers = optimisers
        self._shards = ShardSet.open(corpus, "train")
        self._tokenizer = tokenizer
        held_out = ShardSet.open(corpus, "validation")
        self._validator = Validator(held_out, tokenizer, config.batch, config.validation_rows)
        prepared = self._accelerator.prepare(
            Objective(self.model, blind_context=config.blind_context), *optimisers
        )
        self._objective, self._optimisers = prepared[0], list(prepared[1:])
        if config.compile:
            self._objective = torch.compile(self._objective)
        self._window = _Window()
        self._last_save = self._last_validation = time.monotonic()

    @property
    def spent(self) -> float:
        """Share of the budget that is spent, 0..1."""
        return self.budget.progress(self.progress.tokens_seen, self.progress.seconds_trained)

    def batches(self) -> Iterator[Batch]:
        """This process's batches from where the run stands, stage by stage; none if it is over."""
        while self.spent < 1.0:
            stage = self.config.stage_at(self.spent)
            self._log.write({"event": "stage", "step": self.progress.step, "name": stage.name})
            stream = BatchStream(
                self._shards,
                self._tokenizer,
                stage.batch(self.config.batch),
                first=self.progress.next_batch,
                rank=self._accelerator.process_index,
                world=self._accelerator.num_processes,
            )
            workers = self.config.workers
            loader = DataLoader(
                stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
            )
            for batch in loader:
                yield batch
                if self.config.stage_at(self.spent) is not stage or self.spent >= 1.0:
                    break

    def train_on(self, batch: Batch) -> None:
        """One optimiser step. Raises TrainingError before a loss that is no number does harm."""
        started = time.monotonic()
        batch = to_device(batch, self._accelerator.device)
        scale = lr_scale(self.progress.step, self.spent, self.config.optimiser)
        set_lr_scale(self._plain_optimisers, scale)
        world = self._accelerator.num_processes
        # DDP averages gradients over processes; what is wanted is the mean over all tokens.
        mean_weight = self._accelerator.reduce(batch.weights_M.sum(), "mean")
        loss = self._objective(batch, mean_weight)
        self._accelerator.backward(loss)
        norm = float(
            self._accelerator.clip_grad_norm_(
                self.model.parameters(), self.config.optimiser.clip_norm
            )
        )
        value = float(self._accelerator.reduce(loss.detach(), "mean"))
        if not math.isfinite(value) or not math.isfinite(norm):
            raise TrainingError(
                f"loss {value} (gradient norm {norm}) at step {self.progress.step}; the last "
                f"checkpoint in {self.out} is good. Resume with a lower --matrix-lr"
            )
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        seconds = time.monotonic() - started
        if world > 1:  # one clock, or the processes would stop at different steps
            clock = torch.tensor(seconds, device=self._accelerator.device)
            seconds = float(self._accelerator.reduce(clock, "mean"))
        tokens = batch.tokens * world
        self.progress = Progress(
            self.progress.step + 1,
            self.progress.next_batch + 1,
            self.progress.tokens_seen + tokens,
            self.progress.seconds_trained + seconds,
        )
        self._window.add(value, tokens, seconds)
        if self.progress.step % self.config.log_every_steps == 0:
            self._log.write(self._window.event(self.progress, scale, norm, self.spent))
            self._window = _Window()

    def stops(self, cancel: CancelToken | None) -> bool:
        """Whether the run is cancelled: in one process, so in all, after the same step."""
        here = cancel is not None and cancel.is_cancelled
        if self._accelerator.num_processes == 1:
            return here
        flag = torch.tensor(float(here), device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag, "sum") > 0)

    def keep_house(self) -> None:
        """Save and validate when it is time."""
        now = time.monotonic()
        if now - self._last_save > 60 * self.config.save_every_minutes:
            self.save()
            self._last_save = time.monotonic()
        if now - self._last_validation > 60 * self.config.validate_every_minutes:
            self.validate()
            self._last_validation = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint, in the main process."""
        if self._accelerator.is_main_process:
            checkpoints.save(
                self.out,
                self.model,
                self._plain_optimisers,
                self.progress,
                self.config.fingerprint(),
            )

    def validate(self) -> None:
        """Measure and log the validation figures."""
        measured = self._validator.measure(
            self.model, self._accelerator.autocast(), blind_context=self.config.blind_context
        )
        event: dict[str, Any] = {
            "event": "validation",
            "step": self.progress.step,
            "tokens": self.progress.tokens_seen,
            "loss": measured.mean,
            "by_share": {str(k): v for k, v in measured.by_share.items()},
            "accuracy": {str(k): v for k, v in measured.accuracy_by_share.items()},
            "by_language": measured.by_language,
        }
        if self._sampled_match is not None:
            event["sampled_exact_match"] = self._sampled_match(self.model)
        self._log.write(event)

    def finish(self) -> None:
        """The last checkpoint and figures."""
        self.save()
        self.validate()
        self._log.write(
            {"event": "done", "step": self.progress.step, "tokens": self.progress.tokens_seen}
        )


def _resume(
    out: Path,
    model: PreTrainedModel,
    optimisers: list[torch.optim.Optimizer],
    config: PretrainConfig,
    report: Report,
) -> Progress:
    found = checkpoints.newest(out)
    if found is None:
        return Progress()
    progress = checkpoints.resume(found, model, optimisers, config.fingerprint())
    report({"event": "resumed", "step": progress.step, "tokens": progress.tokens_seen})
    return progress


class _Window:
    """Sums since the last logged line."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.steps = 0
        self.tokens = 0
        self.seconds = 0.0

    def add(self, loss: float, tokens: int, seconds: float) -> None:
        self.loss += loss
        self.steps += 1
        self.tokens += tokens
        self.seconds += seconds

    def event(self, progress: Progress, scale: float, norm: float, spent: float) -> dict[str, Any]:
        return {
            "event": "train",
            "step": progress.step,
            "tokens": progress.tokens_seen,
            "loss": self.loss / self.steps,
            "gradient_norm": norm,
            "lr_scale": scale,
            "tokens_per_s": self.tokens / max(self.seconds, 1e-9),
            "progress": spent,
            "minutes": progress.seconds_trained / 60,
        }


class _Log:
    """Appends events to `log.jsonl` and keeps the newest in `status.json`."""

    def __init__(self, out: Path, report: Report, *, enabled: bool) -> None:
        self._out, self._report, self._enabled = out, report, enabled

    def write(self, event: dict[str, Any]) -> None:
        if not self._enabled:
            return
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        partial = self._out / "status.json.part"
        partial.write_text(json.dumps(event), encoding="utf-8")
        partial.replace(self._out / "status.json")
        self._report(event)
