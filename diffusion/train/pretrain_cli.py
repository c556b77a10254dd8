"""`diffill pretrain`: the command line of `train.pretrain`, with progress, and plots at the end."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.refusal import check_stdout
from diffusion.train import launched
from diffusion.train.given_options import check_given
from diffusion.train.run_lines import event_line, status_text
from diffusion.train.signals import stopped_by_signals

if TYPE_CHECKING:
    from diffusion.cancel import CancelToken
    from diffusion.train.config import PretrainConfig

app = typer.Typer(help="Train a base model from scratch on a built corpus.", add_completion=False)

_OF_THE_LAUNCH = ("--daemon", "--processes")
_FOR_STATUS = frozenset({"status"})
_TO_SERVE = frozenset({"corpus", "resume_from_export", "export", "tokenizer", "twin"})
_MEASURING = "the lengths of 20,000 holes of the corpus are measured now"


@app.callback(invoke_without_command=True)
def pretrain_command(
    context: typer.Context,
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of shards, folder of packs, or one pack.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and log; resumes from it.")
    ] = None,
    status: Annotated[
        Path | None, typer.Option(help="Print how the run in this folder is doing, and end.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json; the bundled one by default.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Model size: nano, small or base.")] = "nano",
    tokens: Annotated[int | None, typer.Option(help="Stop after this many tokens.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this much wall time.")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Take the weights of this step-<n> or export-<n> folder.")
    ] = None,
    resume_from_export: Annotated[
        Path | None, typer.Option(help="Go on with the run that wrote this export-<n> folder.")
    ] = None,
    stages: Annotated[
        str, typer.Option(help="full, further, three, causal, infill, decay or settle.")
    ] = "full",
    twin: Annotated[
        bool, typer.Option("--twin", help="Train the autoregressive twin of this run instead.")
    ] = False,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a step, all processes together.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows that go through the model at once, per process.")
    ] = None,
    row_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a row, 64 or more.")
    ] = None,
    noisings: Annotated[
        int, typer.Option(min=1, help="Rows that share an example, each with masks of its own.")
    ] = 1,
    language_weight: Annotated[
        list[str] | None,
        typer.Option(help="LANGUAGE=TIMES: drawn so much more often than by its share."),
    ] = None,
    decay_share: Annotated[float, typer.Option(help="Last share of the run, rate falling.")] = 0.5,
    optimiser: Annotated[str, typer.Option(help="muon (with AdamW), or adamw.")] = "muon",
    matrix_lr: Annotated[
        float | None, typer.Option(help="Peak rate of Muon; AdamW's follows in proportion.")
    ] = None,
    ema_decay: Annotated[
        float | None, typer.Option(help="Average of the weights to validate and export; 0: none.")
    ] = None,
    compile_layers: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Default: on an accelerator.")
    ] = None,
    attention: Annotated[
        str | None, typer.Option(help="sdpa, diffill_flex or diffill_rowwise; default: by device.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of a process.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that build batches; default: 1, all cores for a GPU."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="bf16, no (float32 throughout), or auto: what is faster here.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of weights and batches.")] = 0,
    log_every_steps: Annotated[
        int, typer.Option("--log-every", min=1, help="Steps between logged losses.")
    ] = 20,
    save_every_minutes: Annotated[float, typer.Option(help="Between checkpoints.")] = 5.0,
    validate_every_minutes: Annotated[float, typer.Option(help="Between validations.")] = 15.0,
    sampled_cases: Annotated[
        int, typer.Option(min=0, help="Holes filled at each validation; 0 leaves them out.")
    ] = 64,
    export_every_minutes: Annotated[
        float | None, typer.Option(help="Write bfloat16 weights in 16 MB pieces this often.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the finished model folder here.")
    ] = None,
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Run on after this command, in OUT/daemon.log.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes on this machine, one an accelerator.")
    ] = 1,
    shard: Annotated[
        bool, typer.Option("--shard", help="Share the weights out over the processes (FSDP).")
    ] = False,
) -> None:
    """Train, resuming from OUT if it holds a checkpoint. Ctrl-C saves and stops."""
    from rich.console import Console

    from diffusion.errors import ConfigError, DiffillError

    console = Console(stderr=True, soft_wrap=True)
    try:
        if status is not None:
            check_given(context, _FOR_STATUS)
            check_stdout()
            print(status_text(status))
            return
        if corpus and out is None and resume_from_export and export:
            check_given(context, _TO_SERVE)
            console.print(f"{_MEASURING}, for {export}", highlight=False)
            _serve_carried(corpus, resume_from_export, export, tokenizer, twin=twin)
            console.print(f"model written to {export}", highlight=False)
            return
        if corpus is None or out is None:
            raise ConfigError("a run needs a corpus and a folder; give --corpus and --out")
        if daemon or processes > 1:
            _launch(out, processes, threads, daemon=daemon)
            return

        from diffusion.train.config import Budget
        from diffusion.train.precision import precision as chosen_precision

        config = run_config(
            recipe, stages=stages, batch_tokens=batch_tokens, rows=rows, row_tokens=row_tokens,
            matrix_lr=matrix_lr, ema_decay=ema_decay, compiled=compile_layers, seed=seed,
        )  # fmt: skip
        config = replace(
            config,
            batch=replace(
                config.batch,
                noisings=noisings,
                language_weights=language_weights(language_weight or []),
            ),
            optimiser=replace(config.optimiser, name=optimiser, decay_share=decay_share),
            attention=attention,
            shard=shard,
            workers=config.workers if workers is None else workers,
            mixed_precision=chosen_precision(precision, "cuda" if _has_accelerator() else "cpu"),
            log_every_steps=log_every_steps,
            save_every_minutes=save_every_minutes,
            validate_every_minutes=validate_every_minutes,
            export_every_minutes=export_every_minutes,
        )
        if twin:
            from diffusion.train.twin import twin_config

            config = twin_config(config)
        _train(
            console, corpus, out, tokenizer, config, Budget(tokens, minutes),
            start_from=start_from, resume_export=resume_from_export, threads=threads,
            sampled_cases=sampled_cases, export=export, twin=twin,
        )  # fmt: skip
    except DiffillError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from error


def run_config(
    recipe: str,
    *,
    stages: str = "full",
    batch_tokens: int | None = None,
    rows: int | None = None,
    row_tokens: int | None = None,
    matrix_lr: float | None = None,
    ema_decay: float | None = None,
    compiled: bool | None = None,
    seed: int = 0,
) -> PretrainConfig:
    """The config of a run: the recipe's defaults for this device, and what was asked for.

    `rows` without `batch_tokens` means as many rows in each process, and no more passes.
    """
    from diffusion.data.batches import BatchConfig
    from diffusion.errors import ConfigError
    from diffusion.train.config import PretrainConfig
    from diffusion.train.optimisers import OptimiserConfig
    from diffusion.train.recipes import builders, defaults_for, rows_per_pass
    from diffusion.train.stages import plan

    accelerator = _has_accelerator()
    defaults = defaults_for(recipe, accelerator=accelerator)
    world = launched.processes()
    length = row_tokens or defaults.row_tokens
    if batch_tokens is None and rows is not None:
        in_all = rows * world
    else:
        in_all = (batch_tokens or defaults.batch_tokens) // length // world * world
    if in_all < 1:
        raise ConfigError(
            f"--batch-tokens {batch_tokens or defaults.batch_tokens} is less than a row of "
            f"{length} tokens for each of {world} processes; give more"
        )
    peak = defaults.matrix_lr if matrix_lr is None else matrix_lr
    return PretrainConfig(
        recipe=recipe,
        batch=BatchConfig(rows=in_all, row_tokens=length, seed=seed),
        stages=plan(stages, length),
        optimiser=OptimiserConfig(
            matrix_lr=peak,
            other_lr=defaults.other_lr * peak / defaults.matrix_lr,
            adamw_only_lr=OptimiserConfig().adamw_only_lr * peak / defaults.matrix_lr,
            warmup_steps=defaults.warmup_steps,
        ),
        workers=builders(launched.processes_here(), accelerator=accelerator),
        ema_decay=defaults.ema_decay if ema_decay is None else ema_decay,
        compile=accelerator if compiled is None else compiled,
        rows_per_pass=rows_per_pass(in_all, world, rows or defaults.rows_per_pass),
        seed=seed,
    )


def language_weights(given: Sequence[str]) -> dict[str, float]:
    """What `--language-weight` says, as `BatchConfig.language_weights`. Raises ConfigError."""
    from diffusion.errors import ConfigError

    weights: dict[str, float] = {}
    for text in given:
        name, _, times = text.partition("=")
        try:
            weight = float(times)
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight > 0):
            raise ConfigError(
                f"--language-weight is {text!r}", fix="give LANGUAGE=TIMES, such as java=1.5"
            )
        weights[name.strip()] = weight
    return weights


def _has_accelerator() -> bool:
    import torch

    return torch.cuda.is_available() and not os.environ.get("ACCELERATE_USE_CPU")


def _launch(out: Path, processes: int, threads: int | None, *, daemon: bool) -> None:
    """Start this command again without the options that ask for a launch."""
    from diffusion.train.daemon import LOG, command_line, environment, start
    from diffusion.train.foreground import run

    command = command_line(without_launch(sys.argv), processes=processes)
    env = environment(threads=threads, accelerator=_has_accelerator())
    if not daemon:
        raise typer.Exit(run(command, out, env))
    pid = start(command, out, env).pid
    print(f"process {pid}, log {out / LOG}; `diffill pretrain --status {out}` says how it is doing")


def without_launch(argv: Sequence[str]) -> list[str]:
    """The arguments after `pretrain`, less those that only say how to launch."""
    kept: list[str] = []
    given = iter(argv[argv.index("pretrain") + 1 :])
    for argument in given:
        if argument == "--processes":
            next(given, None)
        elif argument.partition("=")[0] not in _OF_THE_LAUNCH:
            kept.append(argument)
    return kept


def _train(
    console: Any,
    corpus: Path,
    out: Path,
    tokenizer: Path | None,
    config: PretrainConfig,
    budget: Any,
    *,
    start_from: Path | None,
    resume_export: Path | None,
    threads: int | None,
    sampled_cases: int,
    export: Path | None,
    twin: bool,
) -> None:
    import torch

    from diffusion.cancel import CancelToken
    from diffusion.data.open_corpus import open_corpus, pack_paths
    from diffusion.errors import DiffillError
    from diffusion.heap import keep_freed_memory
    from diffusion.model.manifest import DIFFUSION, FIM
    from diffusion.pretrained import bundled_tokenizer_path
    from diffusion.text.tokenizer import Tokenizer
    from diffusion.train.export import export_checkpoint, learn_lengths
    from diffusion.train.plots import plot_run
    from diffusion.train.pretrain import pretrain
    from diffusion.train.run_log import LOG

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    cancel = CancelToken()
    tokenizer_path = tokenizer or bundled_tokenizer_path()
    words = Tokenizer.load(tokenizer_path)
    main = launched.is_first()
    if main and pack_paths(corpus):
        console.print(f"opening the packs of {corpus}; new ones are unpacked", highlight=False)
    open_corpus(corpus, words.hash)  # here, where nothing has to be saved and a signal just ends it
    match = _sampled_match(corpus, words, sampled_cases if main else 0, cancel, twin=twin)
    with cancelled_by_signals(cancel):
        pretrain(
            corpus, out, words, config, budget,
            report=lambda event: console.print(event_line(event), highlight=False),
            start_from=start_from,
            resume_export=resume_export,
            sampled_match=match,
            cancel=cancel,
        )  # fmt: skip
    if not main:
        return
    if export:
        console.print(f"the run is saved; {_MEASURING}, for {export}", highlight=False)
        with tempfile.TemporaryDirectory() as folder:
            lengths = Path(folder) / "lengths.json"
            learn_lengths(corpus, words).save(lengths)
            export_checkpoint(
                out, export, tokenizer_path, lengths,
                recipe=config.recipe, objective=FIM if twin else DIFFUSION,
                corpus_manifest=corpus / "manifest.json",
            )  # fmt: skip
        console.print(f"model written to {export}", highlight=False)
    try:
        plot_run(out / LOG, out / "loss.png")
    except (ImportError, DiffillError, OSError) as error:  # a bare machine has no matplotlib
        console.print(f"warning: no loss.png ({error})", markup=False, highlight=False)


def cancelled_by_signals(cancel: CancelToken) -> AbstractContextManager[None]:
    """While open, Ctrl-C and SIGTERM cancel; in a run of one process, the second one ends it.

    A launcher of several processes passes on what they have had from the terminal already.
    """
    return stopped_by_signals(cancel.cancel, "stopping, and saving", twice=launched.alone())


def _sampled_match(
    corpus: Path, words: Any, cases: int, cancel: CancelToken, *, twin: bool
) -> Any:
    """What fills holes at each validation; a borrowed machine that fills none serves nothing."""
    if not cases:
        return None
    from diffusion.train.sampled_match import SampledMatch
    from diffusion.train.twin import TwinMatch

    kind = TwinMatch if twin else SampledMatch
    return kind(corpus, words, cases, on_case=cancel.raise_if_cancelled)


def _serve_carried(
    corpus: Path, carried: Path, export: Path, tokenizer: Path | None, *, twin: bool
) -> None:
    """A weight export as a model folder, without training."""
    from diffusion.model.manifest import DIFFUSION, FIM
    from diffusion.pretrained import bundled_tokenizer_path
    from diffusion.text.tokenizer import Tokenizer
    from diffusion.train.export import export_carried, learn_lengths

    path = tokenizer or bundled_tokenizer_path()
    with tempfile.TemporaryDirectory() as folder:
        lengths = Path(folder) / "lengths.json"
        learn_lengths(corpus, Tokenizer.load(path)).save(lengths)
        export_carried(
            carried, export, path, lengths,
            objective=FIM if twin else DIFFUSION, corpus_manifest=corpus / "manifest.json",
        )  # fmt: skip
