"""Builds the corpus: packages on disk in, token shards and a manifest out.

Stages, each resumable: survey every package (survey/<name>.npz), plan globally which files stay
(duplicates, contamination, shares, split), then write shards in the plan's order. A
document's place is set by a hash, so the first shards are a fair sample of the whole and a run
that was interrupted ends with the same files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from diffusion.data.decontaminate import EvaluationSets, load_evaluation_sets
from diffusion.data.documents import documents_of
from diffusion.data.fetch import MARKER
from diffusion.data.made_with import IDENTITY
from diffusion.data.manifest import NAME as MANIFEST
from diffusion.data.manifest import make_manifest, save_manifest
from diffusion.data.plan import SHARD_BYTES, make_plan
from diffusion.data.recipe import Recipe, load_lock, load_recipe
from diffusion.data.scan import VERSION as SURVEY_VERSION
from diffusion.data.scan import Survey, read_file, survey
from diffusion.data.tokenise import write_shards
from diffusion.errors import CorpusError
from diffusion.text.tokenizer import Tokenizer

NICENESS = 12
Progress = Callable[[str, int, int], None]


def _be_nice() -> None:
    os.nice(NICENESS)


def _survey_key(root: Path, evaluation: EvaluationSets, limits: Mapping[str, int]) -> str:
    version = (root / MARKER).read_text(encoding="utf-8")
    parts = [SURVEY_VERSION, version, evaluation.digest, dict(sorted(limits.items()))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _survey_one(
    root: Path, out: Path, evaluation: EvaluationSets, limits: Mapping[str, int]
) -> None:
    key = _survey_key(root, evaluation, limits)
    survey(root, root.name, key, evaluation, limits).save(out)


def survey_all(
    recipe: Recipe,
    work_dir: Path,
    evaluation: EvaluationSets,
    *,
    workers: int,
    on_done: Callable[[str, int, int], None] | None = None,
) -> list[Survey]:
    """Survey `work_dir/raw/<name>` for every source; surveys with the same key are reused.

    Raises CorpusError where a package is not on disk, before anything is made.
    """
    if not os.path.isdir(work_dir):
        raise CorpusError(
            f"--work {work_dir} is no folder", fix="name the one that `diffill corpus fetch` filled"
        )
    folder = work_dir / "survey"
    todo = []
    names = [source.name for source in recipe.sources]
    limits = recipe.survey_limits
    for name in names:
        root = work_dir / "raw" / name
        if not (root / MARKER).exists():
            raise CorpusError(f"package {name!r} is not on disk; run `diffill corpus fetch` first")
        out = folder / f"{name}.npz"
        if not out.exists() or Survey.load(out).key != _survey_key(root, evaluation, limits):
            todo.append((root, out))
    folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor(workers, initializer=_be_nice) as pool:
        jobs = {
            pool.submit(_survey_one, root, out, evaluation, limits): root.name for root, out in todo
        }
        for number, job in enumerate(as_completed(jobs), 1):
            job.result()
            if on_done is not None:
                on_done(jobs[job], number, len(todo))
    return [Survey.load(folder / f"{name}.npz") for name in names]


def _claim(out_dir: Path, identity: str) -> None:
    """Make sure `out_dir` belongs to this plan and tokenizer."""
    out_dir.mkdir(parents=True, exist_ok=True)
    mark = out_dir / IDENTITY
    if mark.exists():
        if mark.read_text(encoding="utf-8") != identity:
            raise CorpusError(
                f"{out_dir} holds shards of another recipe, tokenizer or evaluation set; "
                "give another --out, or delete it"
            )
    elif any(out_dir.glob("*.bin")):
        raise CorpusError(
            f"{out_dir} holds shards that no build of this program claims; give another --out"
        )
    else:
        mark.write_text(identity, encoding="utf-8")


def training_text(
    recipe_path: Path,
    *,
    work_dir: Path,
    decontaminate: Sequence[Path] = (),
    total_bytes: int = 150_000_000,
    on_passed_over: Callable[[Path], None] = lambda _: None,
) -> Iterator[bytes]:
    """Documents of the training split in the order of the plan, for learning a tokenizer.

    The first documents are a fair sample of the whole. Stops after `total_bytes`.
    """
    recipe = load_recipe(recipe_path)
    evaluation = load_evaluation_sets(decontaminate, on_passed_over)
    surveys = survey_all(recipe, work_dir, evaluation, workers=2)
    plan = make_plan(surveys, recipe, shard_bytes=total_bytes // 50)
    given = 0
    for shard in plan.shards:
        if shard.split != "train":
            continue
        for package, path in shard.files:
            read = read_file(work_dir / "raw" / package, path)
            for document in documents_of(f"{package}/{path}", read[1]) if read else ():
                yield document
                given += len(document)
        if given >= total_bytes:
            return


def build_corpus(
    recipe_path: Path,
    out_dir: Path,
    *,
    work_dir: Path,
    tokenizer: Path,
    decontaminate: Sequence[Path] = (),
    workers: int = 2,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress | None = None,
    on_passed_over: Callable[[Path], None] = lambda _: None,
) -> dict[str, Any]:
    """Survey, plan and tokenise; returns the manifest, also written to `out_dir/manifest.json`.

    Args:
        recipe_path: a recipe whose packages lie in `work_dir/raw` (see fetch.py).
        out_dir: where shards go; claimed for one combination of plan and tokenizer.
        work_dir: holds `raw/` and the surveys.
        tokenizer: path of a tokenizer.json.
        decontaminate: case files, or directories of them, to keep out of the corpus.
        shard_bytes: source text per shard.
        progress: called as progress(stage, done, total).
        on_passed_over: called with each file below `decontaminate` that holds no case.
    Raises:
        CorpusError: a package is not on disk, a file vanished, the disk is full, an evaluation
            file is none (told before any work).
        TokenizerError: there is no usable tokenizer.
    """

    def report(stage: str, done: int, total: int) -> None:
        if progress is not None:
            progress(stage, done, total)

    recipe = load_recipe(recipe_path)
    tokenizer_hash = Tokenizer.load(tokenizer).hash
    evaluation = load_evaluation_sets(decontaminate, on_passed_over)
    surveys = survey_all(
        recipe,
        work_dir,
        evaluation,
        workers=workers,
        on_done=lambda _, done, total: report("survey", done, total),
    )
    plan = make_plan(surveys, recipe, shard_bytes=shard_bytes, on_progress=report)
    if not plan.shards:
        raise CorpusError(
            f"no file of the recipe {recipe_path.name} passed the filters; add packages to it"
        )
    _claim(out_dir, f"{plan.digest} {tokenizer_hash}")
    counts = write_shards(
        plan,
        work_dir / "raw",
        out_dir,
        tokenizer,
        workers=workers,
        niceness=NICENESS,
        on_shard=lambda _, done, total: report("shards", done, total),
    )
    locks = load_lock(recipe_path.with_suffix(".lock.json"))
    manifest = make_manifest(recipe, locks, plan, counts, evaluation, tokenizer_hash)
    save_manifest(manifest, out_dir / MANIFEST)
    return manifest
