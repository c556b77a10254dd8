"""What tuning on a repository would do: which files, how much text, how long. Nothing is changed.

The time comes from a short probe on this machine: a few rows go through the model as they would in
training. Offered before every run, on the command line and to editors.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from diffusion.data.repository import Progress, Repository
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.tune_config import TuneConfig
from diffusion.train.tune_data import TRAIN, VALIDATION, check_enough, repository_documents

PROBE_S = 5.0
FEW_TOKENS = 20_000
_FILLED = 0.85
"""Share of a row that is not padding, roughly."""
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """The plan of one run. Tokens are those of the repository, each counted once."""

    root: str
    files: int
    held_out_files: int
    tokens: int
    held_out_tokens: int
    languages: dict[str, int]
    """Tokens by language, training and held-out."""
    excluded: dict[str, int]
    """Files left out, by reason."""
    excluded_paths: list[dict[str, str]]
    used_paths: list[dict[str, Any]]
    data_digest: str
    most_minutes: float
    expected_minutes: float | None = None
    epochs: float | None = None
    tokens_per_s: float | None = None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For `--json` and for editors."""
        return asdict(self)


def most_steps(tokens: int, config: TuneConfig) -> int:
    """Steps until the repository's tokens have been seen `most_epochs` times."""
    per_step = config.rows * config.row_tokens * _FILLED * (1.0 - config.replay)
    return max(config.validate_every_steps, round(config.most_epochs * tokens / per_step))


def make_plan(
    repository: Repository,
    tokenizer: Tokenizer,
    config: TuneConfig,
    minutes: float,
    *,
    tokens_per_s: float | None = None,
    licence_headers: bool = False,
    on_progress: Progress = lambda: None,
) -> TuningPlan:
    """The plan of a run over a scanned repository. Raises CorpusError where there can be none."""
    tokens: Counter[bool] = Counter()
    languages: Counter[str] = Counter()
    used: list[dict[str, Any]] = []
    for file in repository.files:
        on_progress()
        pieces = repository_documents(file.path, file.data, licence_headers=licence_headers)
        count = sum(len(tokenizer.encode(piece)) for piece in pieces)
        tokens[file.held_out] += count
        languages[file.language] += count
        used.append({"path": file.path, "tokens": count, "heldOut": file.held_out,
                     "recent": file.recent})  # fmt: skip
    sides = ((TRAIN, tokens[False]), (VALIDATION, tokens[True]))
    check_enough({split for split, count in sides if count})
    plan = TuningPlan(
        root=str(repository.root),
        files=sum(not file.held_out for file in repository.files),
        held_out_files=sum(file.held_out for file in repository.files),
        tokens=tokens[False],
        held_out_tokens=tokens[True],
        languages=dict(languages.most_common()),
        excluded=repository.reasons(),
        excluded_paths=[asdict(item) for item in repository.excluded[:_SHOWN]],
        used_paths=used[:_SHOWN],
        data_digest=repository.digest,
        most_minutes=minutes,
        notes=_notes(repository, tokens[False]),
        **_time(tokens[False], config, minutes, tokens_per_s),
    )
    return plan


def _time(
    tokens: int, config: TuneConfig, minutes: float, tokens_per_s: float | None
) -> dict[str, Any]:
    if not tokens_per_s:
        return {}
    steps = most_steps(tokens, config)
    step_s = config.rows * config.row_tokens * _FILLED / tokens_per_s
    expected = min(minutes, steps * step_s / 60)
    own = 60 * expected * tokens_per_s * (1.0 - config.replay)
    return {
        "expected_minutes": round(expected, 1),
        "epochs": round(own / max(tokens, 1), 1),
        "tokens_per_s": round(tokens_per_s),
    }


def _notes(repository: Repository, tokens: int) -> list[str]:
    notes = []
    if tokens < FEW_TOKENS:
        notes.append(f"{tokens} tokens are little to learn from; expect a small gain")
    if not repository.uses_git:
        notes.append("git tells of no commits here, so no file counts as touched lately")
    if repository.reasons().get("secret"):
        notes.append("files that seem to hold a secret are left out whole")
    return notes


def probe(
    run: Path,
    model: Any,
    tokenizer: Tokenizer,
    config: TuneConfig,
    *,
    seconds: float = PROBE_S,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Training tokens a second on this machine. `model` is used up by it; `run` holds shards."""
    import torch

    from diffusion.data.batches import build_rows, to_device
    from diffusion.train.objective import Objective
    from diffusion.train.trained_part import prepare
    from diffusion.train.tune_data import MixedSource

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.float().to(device).train()
    part = prepare(model, config)
    objective = Objective(model)
    source = MixedSource(run, tokenizer, config.replay)
    tokens, row, begun = 0, 0, 0.0
    while True:
        batch = to_device(build_rows(source, tokenizer, [row], config.batch), device)
        if len(batch.targets_M):
            with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
                loss = objective(batch, batch.weights_M.sum())
            loss.backward()
            part.zero_grad(set_to_none=True)
        row += 1
        if row == 1:  # the first one warms up
            begun = clock()
            continue
        tokens += batch.tokens
        if clock() - begun >= seconds and row > 2:
            return tokens / max(clock() - begun, 1e-9)
