"""`diffill pretrain`: the command line of `train.pretrain`, with progress, and plots at the end."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Train a base model from scratch on a built corpus.", add_completion=False)


@app.callback(invoke_without_command=True)
def pretrain_command(
    corpus: Annotated[Path, typer.Option(help="Folder that `diffill corpus build` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log; resumes from it.")],
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json; bundled by default.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Model size: nano, small or base.")] = "nano",
    tokens: Annotated[int | None, typer.Option(help="Stop after this many tokens.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this much training.")] = None,
    rows: Annotated[int, typer.Option(help="Rows of a batch.")] = 16,
    row_tokens: Annotated[int, typer.Option(help="Tokens of a row.")] = 512,
    decay_share: Annotated[float, typer.Option(help="Last share of the run, rate falling.")] = 0.5,
    matrix_lr: Annotated[float, typer.Option(help="Peak rate of Muon.")] = 0.02,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that build batches.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of weights and batches.")] = 0,
    export: Annotated[
        Path | None, typer.Option(help="Write the finished model folder here.")
    ] = None,
) -> None:
    """Train, resuming from OUT if it holds a checkpoint. Ctrl-C saves and stops."""
    import torch
    from rich.console import Console

    from diffusion.cancel import CancelToken
    from diffusion.data.batches import BatchConfig
    from diffusion.errors import DiffillError
    from diffusion.pretrained import bundled_tokenizer_path
    from diffusion.text.tokenizer import Tokenizer
    from diffusion.train.config import Budget, PretrainConfig
    from diffusion.train.export import export_model
    from diffusion.train.optimisers import OptimiserConfig
    from diffusion.train.plots import plot_run
    from diffusion.train.pretrain import pretrain
    from diffusion.train.sampled_match import SampledMatch

    console = Console(stderr=True)
    if threads:
        torch.set_num_threads(threads)
    cancel = CancelToken()
    signal.signal(signal.SIGINT, lambda *_: cancel.cancel())
    signal.signal(signal.SIGTERM, lambda *_: cancel.cancel())
    try:
        tokenizer_path = tokenizer or bundled_tokenizer_path()
        words = Tokenizer.load(tokenizer_path)
        config = PretrainConfig(
            recipe=recipe,
            batch=replace(BatchConfig(), rows=rows, row_tokens=row_tokens, seed=seed),
            optimiser=OptimiserConfig(decay_share=decay_share, matrix_lr=matrix_lr),
            seed=seed,
            workers=workers,
        )
        model = pretrain(
            corpus,
            out,
            words,
            config,
            Budget(tokens, minutes),
            report=lambda event: console.print(_line(event)),
            sampled_match=SampledMatch(corpus, words),
            cancel=cancel,
        )
        plot_run(out / "log.jsonl", out / "loss.png")
        if export:
            export_model(model, tokenizer_path, export, log=out / "log.jsonl", recipe=recipe)
    except DiffillError as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(2) from error


def _line(event: dict[str, Any]) -> str:
    if event["event"] == "train":
        return (
            f"step {event['step']:>6}  {event['tokens'] / 1e6:7.2f}M tokens  loss {event['loss']:.3f}  "
            f"{event['tokens_per_s']:,.0f} tok/s  {100 * event['progress']:.1f} %  "
            f"{event['minutes']:.1f} min"
        )
    if event["event"] == "validation":
        shares = "  ".join(f"t={k} {v:.3f}" for k, v in event["by_share"].items())
        match = event.get("sampled_exact_match")
        tail = "" if match is None else f"  exact match {100 * match:.1f} %"
        return f"[bold]validation {event['loss']:.3f}[/bold]  {shares}{tail}"
    return str(event)
