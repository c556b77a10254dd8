"""Turns a training checkpoint, or a weight export, into a model folder that can be served.

Job: weights rounded to bfloat16, the vocabulary they were trained with, the length table measured
on the same corpus, and a manifest that says how the model came to be.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from diffusion.data.document_source import DocumentSource
from diffusion.data.open_corpus import open_corpus
from diffusion.errors import TrainingError
from diffusion.model.architecture import build_model, recipe_named
from diffusion.model.checkpoint import save_checkpoint
from diffusion.model.manifest import DIFFUSION
from diffusion.text.hole_length import LengthTable, measure
from diffusion.text.hole_sampling import AS_TYPED
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.run_log import LOG, read_events
from diffusion.train.weight_export import load_export, read_export

LENGTH_SAMPLES = 20_000
_WINDOW_TOKENS = 400
_SERVED_WINDOW_BYTES = 600
"""Three holes in so small a window are as short as what people leave to a completion; training
draws longer ones too."""


def learn_lengths(
    corpus: Path, tokenizer: Tokenizer, *, samples: int = LENGTH_SAMPLES, seed: int = 0
) -> LengthTable:
    """Measure hole lengths in windows of training documents, all languages alike."""
    shards = open_corpus(corpus, tokenizer.hash).train
    source = DocumentSource(shards, tokenizer, dict.fromkeys(shards.languages, 1.0))
    rng = random.Random(seed)

    def windows() -> Iterator[tuple[str, bytes, tuple[int, int]]]:
        while True:
            yield source.window(rng, _WINDOW_TOKENS)

    def limited() -> Iterator[tuple[str, str, int]]:
        mix = replace(AS_TYPED, max_holes=3)
        measured = measure(
            windows(), tokenizer, rng, mix=mix, window_bytes=_SERVED_WINDOW_BYTES
        )
        for count, sample in enumerate(measured):
            if count >= samples:
                return
            yield sample

    return LengthTable.learn(limited())


def export_checkpoint(
    run: Path,
    out: Path,
    tokenizer_path: Path,
    lengths_path: Path | None,
    *,
    recipe: str,
    objective: str = DIFFUSION,
    corpus_manifest: Path | None = None,
) -> None:
    """Write the newest checkpoint of `run` as the model folder `out`."""
    newest = checkpoints.newest(run)
    if newest is None:
        raise TrainingError(f"{run} holds no checkpoint; run `diffill pretrain --out {run}` first")
    tokenizer = Tokenizer.load(tokenizer_path)
    model = build_model(recipe_named(recipe), tokenizer.vocab_size)
    progress = checkpoints.load_weights(newest, model, tokenizer.hash)
    average = checkpoints.load_average(newest)
    if average is not None:
        model.load_state_dict(average, strict=False)  # a tied weight is there under one name
    export_model(
        model, out, tokenizer_path, lengths_path,
        recipe=recipe, tokens_seen=progress.tokens_in_all, metrics=last_validation(run),
        objective=objective, corpus_manifest=corpus_manifest,
    )  # fmt: skip


def export_carried(
    folder: Path,
    out: Path,
    tokenizer_path: Path,
    lengths_path: Path | None,
    *,
    objective: str = DIFFUSION,
    corpus_manifest: Path | None = None,
) -> None:
    """Write a weight export, carried here from another machine, as the model folder `out`."""
    carried = read_export(folder)
    tokenizer = Tokenizer.load(tokenizer_path)
    carried.check_vocabulary(tokenizer.hash)
    recipe = str(carried.fingerprint["recipe"])
    model = build_model(recipe_named(recipe), tokenizer.vocab_size)
    load_export(carried, model)
    export_model(
        model, out, tokenizer_path, lengths_path,
        recipe=recipe, tokens_seen=carried.progress.tokens_in_all, objective=objective,
        corpus_manifest=corpus_manifest,
    )  # fmt: skip


def export_model(
    model: PreTrainedModel,
    out: Path,
    tokenizer_path: Path,
    lengths_path: Path | None,
    *,
    recipe: str,
    tokens_seen: int,
    corpus_manifest: Path | None = None,
    metrics: dict[str, Any] | None = None,
    objective: str = DIFFUSION,
) -> None:
    """Write `model` as a folder to serve from, or as a twin to compare with."""
    digest = ""
    if corpus_manifest is not None and corpus_manifest.exists():
        digest = hashlib.sha256(corpus_manifest.read_bytes()).hexdigest()[:16]
    save_checkpoint(
        out, model, tokenizer_path,
        recipe=recipe_named(recipe), lengths_path=lengths_path, tokens_seen=tokens_seen,
        training_data=digest, metrics=metrics, objective=objective,
    )  # fmt: skip


def last_validation(run: Path) -> dict[str, Any]:
    """The newest validation event of a run's log, without its bookkeeping."""
    log = run / LOG
    found = [e for e in read_events(log) if e["event"] == "validation"] if log.exists() else []
    return {k: v for k, v in found[-1].items() if k != "event"} if found else {}
