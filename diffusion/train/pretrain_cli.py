"""`diffill pretrain`: the command line of `train.pretrain`, with progress, and plots at the end."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Train a base model from scratch on a built corpus.", add_completion=False)


@app.callback(invoke_without_command=True)
def pretrain_command(
    corpus: Annotated[Path, typer.Option(help="Folder that `diffill corpus build` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and log; resumes from it.")],
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json; the bundled one by default.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Model size: nano, small or base.")] = "nano",
    tokens: Annotated[int | None, typer.Option(help="Stop after this many tokens.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this much training.")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Take the weights of this step-<n> folder: a next stage.")
    ] = None,
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
    from diffusion.train.export import export_checkpoint, learn_lengths
    from diffusion.train.heap import keep_freed_memory
    from diffusion.train.optimisers import OptimiserConfig
    from diffusion.train.plots import plot_run
    from diffusion.train.pretrain import pretrain
    from diffusion.train.sampled_match import SampledMatch

    console = Console(stderr=True)
    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    cancel = CancelToken()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: cancel.cancel())
    tokenizer_path = tokenizer or bundled_tokenizer_path()
    try:
        words = Tokenizer.load(tokenizer_path)
        pretrain(
            corpus,
            out,
            words,
            PretrainConfig(
                recipe=recipe,
                batch=BatchConfig(rows=rows, row_tokens=row_tokens, seed=seed),
                optimiser=OptimiserConfig(decay_share=decay_share, matrix_lr=matrix_lr),
                seed=seed,
                workers=workers,
            ),
            Budget(tokens, minutes),
            report=lambda event: console.print(_line(event)),
            start_from=start_from,
            sampled_match=SampledMatch(corpus, words),
            cancel=cancel,
        )
        plot_run(out / "log.jsonl", out / "loss.png")
        if export:
            with tempfile.TemporaryDirectory() as folder:
                lengths = Path(folder) / "lengths.json"
                learn_lengths(corpus, words).save(lengths)
                export_checkpoint(out, export, tokenizer_path, lengths, recipe=recipe)
            console.print(f"model written to {export}")
    except DiffillError as error:
        console.print(f"[red]error:[/red] {error}")
        raise typer.Exit(2) from error


def _line(event: dict[str, Any]) -> str:
    if event["event"] == "train":
        return (
            f"step {event['step']:>6}  {event['tokens'] / 1e6:7.2f}M tokens  "
            f"loss {event['loss']:.3f}  {event['tokens_per_s']:,.0f} tok/s  "
            f"{100 * event['progress']:.1f} %  {event['minutes']:.1f} min"
        )
    if event["event"] == "validation":
        shares = "  ".join(f"t={k} {v:.3f}" for k, v in event["by_share"].items())
        match = event.get("sampled_exact_match")
        tail = "" if match is None else f"  exact match {100 * match:.1f} %"
        return f"[bold]validation {event['loss']:.3f}[/bold]  {shares}{tail}"
    return str(event)
