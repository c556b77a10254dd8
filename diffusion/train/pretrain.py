"""The pretraining loop: causal warm start, multi-step diffusion and infilling in one objective.

Job: model, corpus and config in; checkpoints, `log.jsonl` and `status.json` out. The device,
precision and number of processes are accelerate's business.

Invariants: batch n is the same whatever the machine and the number of processes, so a resumed run
sees what an unbroken one would have seen; a NaN loss stops the run before it reaches a checkpoint;
a folder has one run at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from diffusion.cancel import CancelToken
from diffusion.data.batches import Batch, BatchStream, Share, to_device
from diffusion.errors import ConfigError, DiffillError, TrainingError
from diffusion.model.architecture import build_model, recipe_named
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.checkpoints import Progress
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.ema import WeightAverage
from diffusion.train.fingerprint import other_rates
from diffusion.train.folder_lock import held
from diffusion.train.growing_corpus import GrowingCorpus
from diffusion.train.house import House, SampledMatch
from diffusion.train.objective import Objective, compile_layers
from diffusion.train.optimisers import build_optimisers, lr_scale, set_lr_scale, state_tensors
from diffusion.train.placement import whole
from diffusion.train.run_log import Report, RunLog, Window
from diffusion.train.sharding import Sharded
from diffusion.train.validation import Validator
from diffusion.train.weight_export import load_carried, resume_from_export

_MEASURED_STEPS = 3
"""After so many steps of a fresh run, it is known how many fit into its minutes."""
_MOST_EMPTY_BATCHES = 10
"""In a row, before a run ends that would learn nothing."""


def pretrain(
    corpus: Path,
    out: Path,
    tokenizer: Tokenizer,
    config: PretrainConfig,
    budget: Budget,
    *,
    report: Report = lambda event: None,
    start_from: Path | None = None,
    resume_export: Path | None = None,
    sampled_match: SampledMatch | None = None,
    cancel: CancelToken | None = None,
) -> PreTrainedModel:
    """Train until the budget is spent (or `cancel`), resuming from `out` if it holds a checkpoint.

    A fresh run takes its weights from the checkpoint or weight export `start_from`, if given: the
    next stage of a recipe, on the batches that come next, with an optimiser that warms up again.
    Or it goes on with the run whose weight export is `resume_export`. `report` gets each logged
    event as a dict. `sampled_match` fills real holes with the current weights and returns the share
    that is exactly right. It may raise Cancelled, as `cancel` does between the batches of a
    validation, which is then left out.

    Raises:
        TrainingError: NaN loss, a disk too full for the last checkpoint, a checkpoint or export
            that is damaged or of another run or vocabulary, or another run is at work in `out`.
        CorpusError: the corpus is missing or damaged.
        TokenizerError: the corpus is of another vocabulary.
        ConfigError: the budget or the rows are too small, or a batch cannot be shared out.
    """
    out.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision=config.mixed_precision)
    main = accelerator.is_main_process
    cancel = CancelToken() if cancel is None else cancel
    with held(out) if main else nullcontext():
        log = RunLog(out, report, enabled=main)
        try:
            run = _Run(accelerator, log, corpus, out, tokenizer, config, budget)
            run.begin(start_from, resume_export, sampled_match, cancel)
            stopped = False
            for passes in run.batches():
                run.train_on(passes)
                run.keep_house()
                stopped = run.stops(cancel)
                if run.spent >= 1.0 or stopped:
                    break
            run.finish(stopped=stopped)
        except DiffillError as error:
            log.write({"event": "failed", "message": str(error)})
            raise
        return run.trained


class _Run:
    """One run in progress: the model, its optimisers, and how far it is."""

    def __init__(
        self,
        accelerator: Accelerator,
        log: RunLog,
        corpus: Path,
        out: Path,
        tokenizer: Tokenizer,
        config: PretrainConfig,
        budget: Budget,
    ) -> None:
        self.out, self.config, self.budget = out, config, budget
        self._accelerator, self._log = accelerator, log
        if accelerator.distributed_type == DistributedType.FSDP:
            raise TrainingError(
                "accelerate's own FSDP would flatten the matrices that Muon needs; launch without "
                "--use_fsdp and give diffill --shard instead"
            )
        torch.manual_seed(config.seed)
        self.model = build_model(recipe_named(config.recipe), tokenizer.vocab_size)
        budget.check(config.batch.rows * config.batch.row_tokens)
        self._tokenizer = tokenizer
        world = accelerator.num_processes
        self._corpus = GrowingCorpus(
            corpus, tokenizer.hash, log,
            processes=world, add_up=self._sum if world > 1 else lambda value: value,
        )  # fmt: skip
        self._share = Share(
            accelerator.process_index, accelerator.num_processes, config.rows_per_pass
        )
        self._share.passes(0, config.batch.rows)
        self.progress = Progress()
        self._window = Window()
        self._step_seconds: list[float] = []
        self._tick = time.monotonic()
        self._empty_batches = 0

    def begin(
        self,
        start_from: Path | None,
        resume_export: Path | None,
        sampled_match: SampledMatch | None,
        cancel: CancelToken,
    ) -> None:
        """Load what the run goes on from, and put it on its device."""
        config, words = self.config, self._tokenizer.hash
        wanted = stored = config.fingerprint()
        found = checkpoints.newest(self.out)
        if found is not None:
            self.progress, stored = checkpoints.resume(found, self.model, wanted, words)
        elif resume_export is not None:
            self.progress, stored = resume_from_export(resume_export, self.model, wanted, words)
        elif start_from is not None:
            before = load_carried(start_from, self.model, words)
            next_batch, tokens = before.next_batch, before.tokens_in_all
            self.progress = Progress(next_batch=next_batch, tokens_before=tokens)
        self._fresh = self.progress.step == 0
        if not self._fresh:
            self._write("resumed", tokens=self.progress.tokens_seen, progress=self.spent)
        for name, (old, new) in other_rates(stored, wanted).items():
            self._write("warning", message=f"the run goes on with {name} {new:g}, not {old:g}")
        if config.compile:
            compile_layers(self.model)
        self._place(found)
        self._average.restart(None if found is None else checkpoints.load_average(found))
        validator = Validator(
            self._corpus.now.validation, self._tokenizer, config.batch, config.validation_rows
        )
        self._house = House(
            self.out,
            config,
            self.model if self._sharded is None else self._sharded.copy,
            self._optimiser_states,
            self._average if self._sharded is None else self._sharded.average,
            validator,
            self._log,
            tokenizer_hash=self._tokenizer.hash,
            autocast=self._accelerator.autocast,
            sampled_match=sampled_match,
            on_batch=cancel.raise_if_cancelled,
        )

    def _place(self, found: Path | None) -> None:
        """Bring model and optimisers to their devices, the optimisers' state being `found`'s."""
        config, accelerator = self.config, self._accelerator
        objective = Objective(
            self.model, blind_context=config.blind_context, attention=config.attention
        )
        self._sharded: Sharded | None = None
        if config.shard:
            self._sharded = Sharded(self.model, config.ema_decay, accelerator)
            self._sharded.shard(objective)
        self._plain_optimisers = build_optimisers(
            self.model, config.optimiser, accelerator.device.type
        )
        self._average = WeightAverage(self.model, config.ema_decay)
        if found is not None:
            checkpoints.resume_optimisers(found, self._plain_optimisers)
        self._objective: Any = objective
        self._optimisers: list[Any] = list(self._plain_optimisers)
        if self._sharded is None:
            prepared = accelerator.prepare(objective, *self._plain_optimisers)
            self._objective, self._optimisers = prepared[0], list(prepared[1:])

    def _optimiser_states(self) -> list[dict[str, Tensor]]:
        if self._sharded is not None:
            return self._sharded.optimiser_states
        return [state_tensors(optimiser) for optimiser in self._plain_optimisers]

    def _write(self, event: str, **figures: Any) -> None:
        self._log.write({"event": event, "step": self.progress.step, **figures})

    @property
    def trained(self) -> PreTrainedModel:
        """The model, whole."""
        return self.model if self._sharded is None else self._sharded.copy

    @property
    def spent(self) -> float:
        """Share of the budget that is spent, 0..1."""
        return self.budget.progress(self.progress.tokens_seen, self.progress.seconds_trained)

    def batches(self) -> Iterator[tuple[Batch, ...]]:
        """This process's batches from where the run stands, stage by stage; none if it is over."""
        self._tick = time.monotonic()
        named = None
        while self.spent < 1.0:
            stage = self.config.stage_at(self.spent)
            if stage is not named:
                self._write("stage", name=stage.name)
                named = stage
            stream = BatchStream(
                self._corpus.now.train,
                self._tokenizer,
                stage.batch(self.config.batch),
                first=self.progress.next_batch,
                share=self._share,
            )
            workers = self.config.workers
            loader = DataLoader(
                stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
            )
            asked = time.monotonic()
            for passes in loader:
                self._window.waiting_s += time.monotonic() - asked
                yield passes
                asked = time.monotonic()
                over = self.config.stage_at(self.spent) is not stage or self.spent >= 1.0
                if over or self._corpus.grew(self.progress.seconds_trained):
                    break

    def train_on(self, passes: tuple[Batch, ...]) -> None:
        """One optimiser step.

        Raises TrainingError for a loss that is no number, before the weights that it spoiled reach
        a checkpoint, and ConfigError where batch after batch holds nothing to learn.
        """
        started = time.monotonic()
        accelerator, optimiser_config = self._accelerator, self.config.optimiser
        passes = tuple(to_device(batch, accelerator.device) for batch in passes)
        step = self.progress.step - self.progress.warm_from_step
        scale = lr_scale(step, self.spent, optimiser_config)
        set_lr_scale(self._plain_optimisers, scale)
        world = accelerator.num_processes
        # DDP averages gradients over processes; what is wanted is the mean over all tokens.
        weight = torch.stack([batch.weights_M.sum() for batch in passes]).sum()
        tokens_and_weight = torch.stack(
            [weight, weight.new_tensor(float(sum(batch.tokens for batch in passes)))]
        )
        mean_weight, mean_tokens = accelerator.reduce(tokens_and_weight, "mean").unbind()
        loss = torch.zeros((), device=accelerator.device)
        for number, batch in enumerate(passes):
            last = number == len(passes) - 1
            with self._in_pass(syncs=last or world == 1):
                part = self._objective(batch, mean_weight)
                accelerator.backward(part)
            loss += part.detach()
        gradient_norm = self._clip(optimiser_config.clip_norm)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self._average.update(self.progress.step)
        # Looked at last: an accelerator is waited for once a step, with all its work queued.
        value, norm = float(accelerator.reduce(loss, "mean")), float(gradient_norm)
        self._check(value, norm, float(mean_weight))
        self._count(round(float(mean_tokens) * world), value, time.monotonic() - started)
        if self.progress.step % self.config.log_every_steps == 0:
            self._log_window(scale, norm)

    def _check(self, loss: float, norm: float, weight: float) -> None:
        if not math.isfinite(loss) or not math.isfinite(norm):
            good = checkpoints.newest(self.out)
            raise TrainingError(
                f"loss {loss} (gradient norm {norm}) at step {self.progress.step}",
                fix="start again with a lower --matrix-lr"
                if good is None
                else f"{good} is good: go on from it, by the same command with a lower --matrix-lr",
            )
        self._empty_batches = 0 if weight else self._empty_batches + 1
        if self._empty_batches >= _MOST_EMPTY_BATCHES:
            raise ConfigError(
                f"{self._empty_batches} batches in a row hold nothing to learn: no text of the "
                f"corpus fits into rows of {self.config.batch.row_tokens} tokens",
                fix="give more with --row-tokens, or another --corpus",
            )

    def _count(self, tokens: int, loss: float, step_seconds: float) -> None:
        """Move on by one step of `tokens`, and by the wall time since the last one."""
        now = time.monotonic()
        seconds, self._tick = now - self._tick, now
        if self._accelerator.num_processes > 1:
            # One clock, or the processes would stop at different steps.
            seconds = self._sum(seconds) / self._accelerator.num_processes
        before = self.progress
        self.progress = replace(
            before,
            step=before.step + 1,
            next_batch=before.next_batch + 1,
            tokens_seen=before.tokens_seen + tokens,
            seconds_trained=before.seconds_trained + seconds,
        )
        self._window.add(loss, tokens, step_seconds)
        if self._fresh and len(self._step_seconds) < _MEASURED_STEPS:
            self._step_seconds.append(seconds)
            # The first steps warm up, or compile.
            if len(self._step_seconds) == _MEASURED_STEPS or self.spent >= 1.0:
                tokens_per_batch = self.config.batch.rows * self.config.batch.row_tokens
                self.budget.check(min(tokens_per_batch, tokens), min(self._step_seconds))

    def _sum(self, value: float) -> float:
        there = torch.tensor(value, dtype=torch.float32, device=self._accelerator.device)
        return float(self._accelerator.reduce(there, "sum"))

    def _log_window(self, scale: float, norm: float) -> None:
        window, self._window = self._window, Window()
        minutes = self.progress.seconds_trained / 60
        self._write(
            "train",
            tokens=self.progress.tokens_seen,
            gradient_norm=norm,
            lr_scale=scale,
            **window.figures,
            progress=self.spent,
            minutes=minutes,
            eta_minutes=minutes * (1.0 - self.spent) / max(self.spent, 1e-6),
        )

    def stops(self, cancel: CancelToken) -> bool:
        """Whether the run is cancelled: in one process, so in all, after the same step."""
        here = cancel.is_cancelled
        return here if self._accelerator.num_processes == 1 else self._sum(float(here)) > 0

    def _in_pass(self, *, syncs: bool) -> AbstractContextManager[Any]:
        """Around one pass: its precision, and whether gradients leave this process after it."""
        if self._sharded is not None:
            self._objective.set_requires_gradient_sync(syncs)
            return self._accelerator.autocast()
        return nullcontext() if syncs else self._accelerator.no_sync(self._objective)

    def _clip(self, most: float) -> Tensor:
        """Scale the gradient down to a norm of `most`; returns its norm before that."""
        parameters = self.model.parameters()
        if self._sharded is None:
            return torch.as_tensor(self._accelerator.clip_grad_norm_(parameters, most))
        return whole(torch.nn.utils.clip_grad_norm_(parameters, most))

    def _gather(self) -> None:
        """Bring what is saved up to date; all processes come here at once."""
        if self._sharded is not None:
            self._sharded.gather(self.model, self._average, self._plain_optimisers)

    def keep_house(self) -> None:
        """Save, export and validate when it is time."""
        main = self._accelerator.is_main_process
        due = self._house.due() if main else frozenset()
        if self._sharded is not None and self._sum(float(len(due))) > 0:
            self._gather()
        if main:
            self._house.keep(self.progress, due)

    def finish(self, *, stopped: bool) -> None:
        """The last checkpoint and figures."""
        self._gather()
        if self._accelerator.is_main_process:
            self._house.finish(self.progress, stopped=stopped)
        self._write("stopped" if stopped else "done", tokens=self.progress.tokens_seen)
        self._accelerator.wait_for_everyone()

