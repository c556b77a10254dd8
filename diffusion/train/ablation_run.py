"""One row of an ablation: train it, measure it, keep the figures.

Every row sees the same number of tokens and is measured on the same things: validation batches as
the base's infilling stage has them at three mask shares, and validation holes filled by the facade
(without the document's votes) at oracle and predicted length.

Invariants: a result is written once, under a digest of everything that shaped it, and a row whose
digest is known is not trained again; a row that was interrupted goes on from its checkpoint. A
result tells the digest of its setting, which rows that may be compared share, whatever their seed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from diffusion.cancel import CancelToken
from diffusion.data.batches import BatchConfig
from diffusion.data.gap import GapConfig
from diffusion.data.open_corpus import open_corpus
from diffusion.data.shards import ShardSet
from diffusion.errors import TrainingError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate, totals
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import ModelFiller
from diffusion.evaluate.validation_holes import validation_holes
from diffusion.infill import Infiller
from diffusion.model.ablated_denoisers import FullAttentionDenoiser, GapDenoiser
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.text.canvas import GAP
from diffusion.text.hole_length import LengthTable
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.ablations import Ablation
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.export import learn_lengths
from diffusion.train.pretrain import Report, pretrain
from diffusion.train.stages import plan
from diffusion.train.validation import Validator, as_sampled
from diffusion.train.weight_export import MANIFEST as EXPORT_MANIFEST
from diffusion.train.weight_export import read_export

RESULTS = "results.jsonl"
_NEVER_MINUTES = 1e9
_LENGTHS = ("oracle", "predicted")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rows of a comparison share."""

    recipe: str = "nano"
    tokens: int = 2_000_000
    rows: int = 16
    row_tokens: int = 512
    validation_rows: int = 96
    cases: int = 300
    """Validation holes to fill; 0 leaves filling out, and a result then has losses alone."""
    length_samples: int = 5_000
    workers: int = 1
    mixed_precision: str = "bf16"
    stages: str = "three"
    """The plan of stages of every run."""
    attention: str | None = None
    """As in `PretrainConfig`; no part of what a result depends on."""
    start_from: Path | None = None
    """A checkpoint whose weights every run begins with; None is nothing but the seed."""

    def start(self) -> str:
        """Twelve digits of the SHA-256 of the first weights, or their pieces; "nothing" for none.

        Raises TrainingError where there are no such weights.
        """
        if self.start_from is None:
            return "nothing"
        if (self.start_from / EXPORT_MANIFEST).exists():
            digests = [digest for _, _, digest in read_export(self.start_from).pieces]
            data = "".join(digests).encode()
        else:
            try:
                data = (self.start_from / "weights.safetensors").read_bytes()
            except OSError as error:
                raise TrainingError(
                    f"{self.start_from} holds no weights ({error.strerror}); "
                    "name a step-<n> or export-<n> folder"
                ) from error
        return hashlib.sha256(data).hexdigest()[:12]

    def config(self, seed: int) -> PretrainConfig:
        """The base run."""
        config = PretrainConfig(
            recipe=self.recipe,
            batch=BatchConfig(rows=self.rows, row_tokens=self.row_tokens, seed=seed),
            mixed_precision=self.mixed_precision,
            attention=self.attention,
            stages=plan(self.stages, self.row_tokens),
            seed=seed,
            workers=self.workers,
            validate_every_minutes=_NEVER_MINUTES,
            validation_rows=8,
        )
        steps = self.tokens / (self.rows * self.row_tokens)
        warmup = min(config.optimiser.warmup_steps, max(1, int(steps / 10)))
        return replace(config, optimiser=replace(config.optimiser, warmup_steps=warmup))

    def measured_on(self) -> BatchConfig:
        """The validation batches of every row: holes as the base's infilling has them."""
        base = self.config(0)
        stage = next((s for s in base.stages if s.name == "infill"), base.stages[-1])
        return replace(base.batch, example=replace(stage.example, complementary=False))


class Runner:
    """Rows of one setting over one corpus, with results in `out`."""

    def __init__(
        self,
        corpus: Path,
        out: Path,
        tokenizer: Tokenizer,
        setting: Setting,
        *,
        report: Report = lambda event: None,
        cancel: CancelToken | None = None,
        keep: bool = False,
    ) -> None:
        """`keep`: leave the checkpoints of finished rows in place."""
        out.mkdir(parents=True, exist_ok=True)
        self._corpus, self._out, self._tokenizer = corpus, out, tokenizer
        self.setting, self._start = setting, setting.start()
        self._report, self._cancel, self._keep = report, cancel, keep
        self._data = open_corpus(corpus, tokenizer.hash)
        self._common: _Common | None = None

    def run(self, rows: Sequence[Ablation], seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Every row with every seed, seed by seed; those with a known result are not run again.

        Stops early, without a result for the row under way, when cancelled.
        """
        found: list[dict[str, Any]] = []
        for seed in seeds:
            for row in rows:
                result = self.result(row, seed)
                if result is None:
                    return found
                found.append(result)
        return found

    def result(self, row: Ablation, seed: int) -> dict[str, Any] | None:
        """The figures of one row; None if it was cancelled."""
        config = row.change(self.setting.config(seed))
        digest = self._digest(config, row.gap)
        told = {
            "setting": self._digest(self.setting.config(0), GAP),
            "rows": self.setting.rows,
            "precision": self.setting.mixed_precision,
        }
        earlier = read_results(self._out)
        for number, known in enumerate(earlier):
            if known["digest"] != digest:
                continue
            if "setting" not in known:  # of before results told it; the digest vouches for it
                earlier[number] = known | told
                _write(self._out, earlier)
            return earlier[number]
        started = time.monotonic()
        self._report({"event": "row", "name": row.name, "seed": seed})
        folder = self._out / f"{row.name}-seed{seed}-{digest[:8]}"
        model = pretrain(
            self._corpus, folder, self._tokenizer, config, Budget(tokens=self.setting.tokens),
            report=self._report, cancel=self._cancel, start_from=self.setting.start_from,
        )  # fmt: skip
        if self._cancel is not None and self._cancel.is_cancelled:
            return None
        if self._common is None:
            self._common = _Common.made(self._corpus, self._tokenizer, self.setting, self._out)
        result = {
            "name": row.name,
            "question": row.question,
            "seed": seed,
            "digest": digest,
            **{name: getattr(self.setting, name) for name in ("recipe", "tokens", "row_tokens")},
            "stages": self.setting.stages,
            "start": self._start,
            **told,
            **_validation(self._common, self._tokenizer, model, row, config, self.setting),
            **_filled(self._common, self._tokenizer, model, row, config),
            "minutes": round((time.monotonic() - started) / 60, 1),
            "machine": _machine(),
        }
        _write(self._out, [*read_results(self._out), result])
        self._report({"event": "result", **result})
        if not self._keep:
            shutil.rmtree(folder)
        return result

    def _digest(self, config: PretrainConfig, gap: int) -> str:
        measured = asdict(self.setting)
        del measured["workers"], measured["attention"]
        measured["start_from"] = self._start
        shaped = {
            "config": config.fingerprint(),
            "gap": gap,
            "setting": measured,
            "validation": asdict(self.setting.measured_on().example),
            "corpus": [
                {name: len(shards[name]) for name in shards.languages}
                for shards in (self._data.train, self._data.validation)
            ],
            "tokenizer": self._tokenizer.hash,
        }
        return hashlib.sha256(json.dumps(shaped, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Common:
    """What every row is measured on."""

    held_out: ShardSet
    cases: list[Case]
    lengths: LengthTable | None

    @classmethod
    def made(cls, corpus: Path, tokenizer: Tokenizer, setting: Setting, out: Path) -> _Common:
        held_out = open_corpus(corpus, tokenizer.hash).validation
        if not setting.cases:
            return cls(held_out, [], None)
        path = out / f"lengths-{setting.length_samples}.json"
        if not path.exists():
            learn_lengths(corpus, tokenizer, samples=setting.length_samples).save(path)
        cases = validation_holes(corpus, tokenizer, setting.cases)
        return cls(held_out, cases, LengthTable.load(path))


def _validation(
    common: _Common,
    tokenizer: Tokenizer,
    model: PreTrainedModel,
    row: Ablation,
    config: PretrainConfig,
    setting: Setting,
) -> dict[str, Any]:
    """Loss and accuracy by mask share on the base's batches, laid out with the row's gap."""
    batch = setting.measured_on()
    if row.gap != GAP:
        batch = replace(batch, example=GapConfig.of(batch.example, row.gap))
    validator = Validator(common.held_out, tokenizer, batch, setting.validation_rows)
    device = next(model.parameters()).device
    autocast = (
        torch.autocast(device.type, torch.bfloat16)
        if config.mixed_precision == "bf16"
        else nullcontext()
    )
    loss = validator.measure(model, autocast, blind_context=config.blind_context)
    asked = Validator(common.held_out, tokenizer, as_sampled(batch), setting.validation_rows)
    next_slot = asked.measure(model, autocast, blind_context=config.blind_context)
    return {
        "loss": round(loss.mean, 4),
        "loss_by_t": {str(t): round(value, 4) for t, value in loss.by_share.items()},
        "accuracy_by_t": {str(t): round(v, 4) for t, v in loss.accuracy_by_share.items()},
        "next_slot_loss": round(next_slot.mean, 4),
        "next_slot_accuracy": round(
            sum(next_slot.accuracy_by_share.values()) / len(next_slot.accuracy_by_share), 4
        ),
    }


def _filled(
    common: _Common,
    tokenizer: Tokenizer,
    model: PreTrainedModel,
    row: Ablation,
    config: PretrainConfig,
) -> dict[str, Any]:
    """How well the sampler fills validation holes, by length mode; nothing without holes."""
    filled: dict[str, Any] = {"cases": len(common.cases)}
    if common.lengths is None:
        return filled
    served = model.float().to("cpu")
    denoiser: MaskedLMDenoiser
    if not config.blind_context:
        denoiser = FullAttentionDenoiser(served)
    else:
        denoiser = GapDenoiser(served, row.gap) if row.gap != GAP else MaskedLMDenoiser(served)
    filler = ModelFiller(Infiller(denoiser, tokenizer, common.lengths))
    for length in _LENGTHS:
        summary = totals(list(evaluate(filler, common.cases, length)))
        if summary["errors"]:
            raise TrainingError(f"{summary['errors']} holes of {row.name} could not be filled")
        for name in ("exact_match", "edit_similarity", "repetition"):
            filled[f"{name}_{length}"] = summary[name]
    return filled


def _machine() -> str:
    if not torch.cuda.is_available():
        return describe()
    return f"{torch.cuda.get_device_name()}, {describe()}"


def _write(out: Path, results: Sequence[dict[str, Any]]) -> None:
    """Keep these results; the file is replaced whole, so no crash leaves half a line."""
    partial = out / f"{RESULTS}.part"
    partial.write_text("".join(json.dumps(one) + "\n" for one in results), encoding="utf-8")
    partial.replace(out / RESULTS)


def read_results(out: Path) -> list[dict[str, Any]]:
    """The results so far, oldest first. Raises TrainingError for a line that is none."""
    path = out / RESULTS
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise TrainingError(f"{path}, line {number} is no result; delete that line") from error
    return found
