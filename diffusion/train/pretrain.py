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
from collections.abc import Callable
from dataclasses import replace
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
    stage of a recipe, with an optimiser that warms up again.

    `report` gets each logged event as a dict. `sampled_match` fills real holes with the current
    weights and returns the share that is exactly right. Raises TrainingError on NaN loss, a full
    disk, or a checkpoint of another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision=config.mixed_precision)
    torch.manual_seed(config.seed)
    model = build_model(recipe_named(config.recipe), tokenizer.vocab_size)
    objective = Objective(model, blind_context=config.blind_context)
    optimisers = build_optimisers(model, config.optimiser)
    progress = _resume(out, model, optimisers, config, report)
    if progress.step == 0 and start_from is not None:
        checkpoints.load_weights(start_from, model)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak_lr"] = float(group["lr"])

    shards = ShardSet.open(corpus, "train")
    stream = BatchStream(
        shards,
        tokenizer,
        config.batch,
        first=progress.next_batch,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    validator = Validator(
        ShardSet.open(corpus, "validation"), tokenizer, config.batch, config.validation_rows
    )
    prepared = accelerator.prepare(objective, *optimisers)
    objective, optimisers = prepared[0], list(prepared[1:])
    step_of = torch.compile(objective) if config.compile else objective
    log = _Log(out, report, enabled=accelerator.is_main_process)

    def validate() -> None:
        measured = validator.measure(
            model, accelerator.autocast(), blind_context=config.blind_context
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
        if sampled_match is not None:
            event["sampled_exact_match"] = sampled_match(model)
        log.write(event)

    def save() -> None:
        if accelerator.is_main_process:
            plain = [getattr(o, "optimizer", o) for o in optimisers]
            checkpoints.save(out, model, plain, progress, config.fingerprint())

    last_save = last_validation = time.monotonic()
    window = _Window()
    batches = iter(loader)
    spent = budget.progress(progress.tokens_seen, progress.seconds_trained)
    while spent < 1.0 and not (cancel is not None and cancel.is_cancelled):
        started = time.monotonic()
        batch: Batch = to_device(next(batches), accelerator.device)
        scale = lr_scale(progress.step, spent, config.optimiser)
        set_lr_scale([getattr(o, "optimizer", o) for o in optimisers], scale)
        loss = step_of(batch)
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), config.optimiser.clip_norm)
        value = float(loss.detach())
        if not math.isfinite(value) or not math.isfinite(float(norm)):
            raise TrainingError(
                f"loss {value} (gradient norm {float(norm)}) at step {progress.step}; the last "
                f"checkpoint in {out} is good. Resume with a lower --matrix-lr"
            )
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        seconds = time.monotonic() - started
        progress = Progress(
            progress.step + 1,
            progress.next_batch + 1,
            progress.tokens_seen + batch.tokens * accelerator.num_processes,
            progress.seconds_trained + seconds,
        )
        spent = budget.progress(progress.tokens_seen, progress.seconds_trained)
        window.add(value, batch.tokens * accelerator.num_processes, seconds)
        if progress.step % config.log_every_steps == 0:
            log.write(window.event(progress, scale, float(norm), spent))
            window = _Window()
        now = time.monotonic()
        if now - last_save > 60 * config.save_every_minutes:
            save()
            last_save = now
        if now - last_validation > 60 * config.validate_every_minutes:
            validate()
            last_validation = time.monotonic()
    save()
    validate()
    log.write({"event": "done", "step": progress.step, "tokens": progress.tokens_seen})
    return model


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
    return replace(progress)


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
