"""How fast does training go, and what share of the machine's matrix-product peak is that?

Trains each recipe for some steps of each stage on batches that were built before the clock
starts, and prints tokens/s, model FLOP/s and their share of the bfloat16 matrix-product peak
measured on the same device, then where the time goes by group of operations, then how fast one
process builds batches. Without `--corpus`, the text is this repository's own example programs.
The last line on stdout is one JSON document.

Model FLOP are those of the matrix products that the loss needs, forward and backward: 6 per
matrix weight and token (the vocabulary: per target), and 12 per layer, width and visible pair of
places. What is computed and masked away is not counted, nor is the optimiser.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from diffusion.data.batches import Batch, BatchConfig, build_rows, to_device
from diffusion.data.document_source import DocumentSource
from diffusion.data.open_corpus import open_corpus
from diffusion.data.shards import write_shard
from diffusion.evaluate.benchmark import as_script, finish
from diffusion.evaluate.machine import describe
from diffusion.heap import keep_freed_memory
from diffusion.model.architecture import ModelRecipe, build_model, recipe_named
from diffusion.model.partition import partition_mask
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.languages import language_for_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.objective import Objective, compile_layers
from diffusion.train.optimisers import OptimiserConfig, build_optimisers
from diffusion.train.recipes import defaults_for
from diffusion.train.stages import plan

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GROUPS = (
    ("matrix products", ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "gemm", "cutlass",
                         "nvjet", "cublas", "aten::_grouped_mm", "aten::addbmm")),
    ("attention", ("flex_attention", "flash", "scaled_dot_product", "fmha")),
    ("softmax", ("softmax",)),
    ("norms", ("layer_norm",)),
    ("copies and casts", ("copy_", "aten::cat", "memcpy", "memset", "aten::_to_copy")),
    ("gathering", ("index", "gather", "scatter", "embedding")),
    ("optimiser", ("_foreach", "optimizer", "multi_tensor", "_fused_adam", "aten::lerp")),
    ("elementwise", ("aten::mul", "aten::add", "aten::sub", "aten::div", "aten::exp", "gelu",
                     "aten::where", "aten::neg", "aten::sum", "aten::amax", "aten::log",
                     "elementwise", "reduce", "triton")),
)  # fmt: skip


@as_script
def main() -> None:
    arguments = _arguments()
    keep_freed_memory()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        corpus = arguments.corpus or _own_corpus(Path(folder))
        results = _measure_all(arguments, device, corpus)
    finish({"benchmark": "training_throughput", **results}, None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--corpus", type=Path, metavar="DIR")
    parser.add_argument("--recipes", nargs="+", default=["nano"], metavar="NAME")
    parser.add_argument("--device", default=default)
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="measured, per stage")
    parser.add_argument("--rows", type=int, metavar="N", help="per pass; default: the recipe's")
    parser.add_argument("--row-tokens", type=int, metavar="N")
    parser.add_argument("--attention", metavar="NAME")
    parser.add_argument("--no-compile", action="store_true", help="on an accelerator")
    return parser.parse_args()


def _measure_all(arguments: argparse.Namespace, device: torch.device, corpus: Path) -> Any:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    source = DocumentSource(open_corpus(corpus, tokenizer.hash).train, tokenizer, {})
    peak = peak_flop_per_s(device)
    print(f"{device}, {arguments.threads} threads; bfloat16 matrix products reach "
          f"{peak / 1e9:,.0f} GFLOP/s\n")  # fmt: skip
    print("| recipe | stage | rows x tokens | tokens/s | GFLOP/s | of peak | targets/token |")
    print("|---|---|---|---|---|---|---|")
    rows, profiles = [], []
    for name in arguments.recipes:
        defaults = defaults_for(name, accelerator=device.type != "cpu")
        length = arguments.row_tokens or defaults.row_tokens
        count = arguments.rows or min(
            defaults.rows_per_pass, defaults.batch_tokens // defaults.row_tokens
        )
        shape = BatchConfig(rows=count, row_tokens=length)
        trainer = _Trainer(recipe_named(name), tokenizer.vocab_size, device, arguments)
        for stage in plan("full", length):
            batches, per_s = _built(source, tokenizer, stage.batch(shape), arguments.steps)
            row = {"recipe": name, "stage": stage.name, "rows": count, "row_tokens": length,
                   "built_tokens_per_s": per_s, **trainer.measure(batches, peak)}  # fmt: skip
            rows.append(row)
            print(
                f"| {name} | {stage.name} | {count} x {length} | {row['tokens_per_s']:,.0f} | "
                f"{row['model_flop_per_s'] / 1e9:,.0f} | {100 * row['share_of_peak']:.0f} % | "
                f"{row['targets_per_token']:.2f} |",
                flush=True,
            )
        profiles.append((name, trainer.profile(batches[0])))
    for name, groups in profiles:
        print(f"\n| {name}, last stage: time of a step | share |\n|---|---|")
        for group, share in groups.items():
            print(f"| {group} | {100 * share:.0f} % |")
    print("\n| batches of | one process builds, tokens/s |\n|---|---|")
    for row in rows:
        print(f"| {row['recipe']}, {row['stage']} | {row['built_tokens_per_s']:,.0f} |")
    print()
    return {
        "machine": describe(), "device": str(device), "threads": arguments.threads,
        "torch": torch.__version__, "peak_flop_per_s": peak, "results": rows,
        "profile": dict(profiles),
    }  # fmt: skip


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_flop_per_s(device: torch.device) -> float:
    """What square bfloat16 matrix products of the best of three sizes reach, on random numbers."""
    best = 0.0
    for size in (1024, 2048, 3072) if device.type == "cpu" else (4096, 8192, 12288):
        a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
        times = _times(lambda a=a, b=b: a @ b, device, 5)  # type: ignore[misc]
        best = max(best, 2 * size**3 / median(times))
    return best


def _times(action: Callable[[], object], device: torch.device, count: int) -> list[float]:
    found = []
    for number in range(count + 2):  # the first two warm up
        _synchronise(device)
        started = time.perf_counter()
        action()
        _synchronise(device)
        if number > 1:
            found.append(time.perf_counter() - started)
    return found


def _built(
    source: DocumentSource, tokenizer: Tokenizer, config: BatchConfig, steps: int
) -> tuple[list[Batch], float]:
    """Batches to train on, and the tokens/s at which they were built."""
    started = time.perf_counter()
    batches = [
        build_rows(source, tokenizer, range(n * config.rows, (n + 1) * config.rows), config)
        for n in range(steps)
    ]
    tokens = sum(batch.tokens for batch in batches)
    return batches, tokens / (time.perf_counter() - started)


def model_flop(recipe: ModelRecipe, vocab_size: int, batch: Batch) -> float:
    """Floating-point operations of one step on `batch`, as the module's docstring counts them."""
    width, layers = recipe.width, recipe.layers
    per_token = 6 * layers * (4 * width**2 + 3 * width * recipe.inner)
    per_target = 6 * (width**2 + width * vocab_size)
    pairs = int((partition_mask(batch.segments_BL, causal=batch.causal)).sum())
    padding = batch.ids_BL.numel() - batch.tokens
    real_pairs = pairs if padding == 0 else pairs - int(_padding_pairs(batch))
    return (
        per_token * batch.tokens
        + per_target * len(batch.targets_M)
        + 12.0 * layers * width * real_pairs
    )


def _padding_pairs(batch: Batch) -> torch.Tensor:
    padded_B = (batch.segments_BL < 0).sum(1)
    return (padded_B * (padded_B + 1) // 2 if batch.causal else padded_B**2).sum()


class _Trainer:
    """A model of one recipe in training, as `train.pretrain` trains it."""

    def __init__(
        self,
        recipe: ModelRecipe,
        vocab_size: int,
        device: torch.device,
        arguments: argparse.Namespace,
    ) -> None:
        torch.manual_seed(0)
        self._recipe, self._vocab_size, self._device = recipe, vocab_size, device
        model = build_model(recipe, vocab_size).to(device)
        self._optimisers = build_optimisers(model, OptimiserConfig(), self._device.type)
        if device.type != "cpu" and not arguments.no_compile:
            compile_layers(model)
        self._objective = Objective(model, attention=arguments.attention)

    def _step(self, batch: Batch) -> None:
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            loss = self._objective(batch, batch.weights_M.sum())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._objective.parameters(), 1.0)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def measure(self, batches: list[Batch], peak: float) -> dict[str, float]:
        """Figures of the median step; the first batch warms up, twice."""
        there = [to_device(batch, self._device) for batch in batches]
        for _ in range(2):
            self._step(there[0])
        times = []
        for batch in there:
            _synchronise(self._device)
            started = time.perf_counter()
            self._step(batch)
            _synchronise(self._device)
            times.append(time.perf_counter() - started)
        seconds = median(times)
        tokens = sum(batch.tokens for batch in batches) / len(batches)
        flop = sum(model_flop(self._recipe, self._vocab_size, b) for b in batches) / len(batches)
        return {
            "tokens_per_s": tokens / seconds,
            "model_flop_per_s": flop / seconds,
            "share_of_peak": flop / seconds / peak,
            "targets_per_token": sum(len(b.targets_M) for b in batches) / len(batches) / tokens,
            "step_s": seconds,
        }

    def profile(self, batch: Batch) -> dict[str, float]:
        """Share of a step's time by group of operations, the largest first."""
        on_device = self._device.type == "cuda"
        kinds = [ProfilerActivity.CUDA if on_device else ProfilerActivity.CPU]
        with profile(activities=kinds) as found:
            self._step(to_device(batch, self._device))
            _synchronise(self._device)
        spent: dict[str, float] = defaultdict(float)
        for event in found.key_averages():
            name = event.key.lower()
            group = next((g for g, parts in GROUPS if any(p in name for p in parts)), "other")
            spent[group] += event.self_device_time_total if on_device else event.self_cpu_time_total
        total = sum(spent.values()) or 1.0
        return {k: v / total for k, v in sorted(spent.items(), key=lambda item: -item[1])}


def _own_corpus(folder: Path) -> Path:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    for path in sorted(EXAMPLES.iterdir()):
        if path.suffix != ".json" and path.is_file():
            language = language_for_path(path)
            for split in ("train", "validation"):
                write_shard(
                    folder / f"{split}-{language}-000.bin", [tokenizer.encode(path.read_bytes())]
                )
    return folder


if __name__ == "__main__":
    main()
