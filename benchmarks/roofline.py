"""How near do the context pass and the step come to what this processor can multiply?

Measures the matrix-product peaks of int8 and bfloat16, and how fast memory is read, with one
thread; then the context pass and steps of several shapes, for the bundled model and for random
weights of the small recipe. Counted are the operations of matrix products (2 per weight and
token, 4 per layer, width and pair of places; the vocabulary only where logits are wanted) and the
bytes that must be read at least once (weights, and the cache in a step). Time is processor time of
the thread, so other programs disturb it little. `--plot` draws the roofline. The last line on
stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.model.caching import CachingDenoiser
from diffusion.model.lean_denoiser import LeanDenoiser, read_config, read_weights
from diffusion.pretrained import default_model_dir
from diffusion.text.canvas import GAP

CONTEXT = 480
STEPS = ((1, 8), (1, 16), (3, 16), (4, 16), (8, 32))
"""Canvases x slots."""
_ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Point:
    """One measured piece of work."""

    model: str
    mode: str
    work: str
    ms: float
    giga_operations: float
    megabytes: float

    @property
    def gops(self) -> float:
        """Operations in 1e9 per second."""
        return self.giga_operations / self.ms * 1000

    @property
    def intensity(self) -> float:
        """Operations per byte read."""
        return self.giga_operations * 1000 / self.megabytes


def thread_ms(run: Callable[[], object]) -> float:
    """Processor milliseconds of a call: the lower quartile of several."""
    run()
    times = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        run()
        times.append(1000 * (time.thread_time() - started))
    return sorted(times)[_ROUNDS // 4]


def peaks() -> dict[str, float]:
    """Matrix-product peaks in 1e9 operations a second, and memory reads in gigabytes a second."""
    side = 1024
    whole = torch.randint(-100, 100, (side, side), dtype=torch.int8)
    half = torch.randn(side, side).to(torch.bfloat16)
    single = torch.randn(side, side)
    operations = 2e-9 * side**3
    large = torch.ones(64 * 1024 * 1024, dtype=torch.float32)
    return {
        "int8": operations / thread_ms(lambda: torch._int_mm(whole, whole)) * 1000,
        "bf16": operations / thread_ms(lambda: half @ half) * 1000,
        "fp32": operations / thread_ms(lambda: single @ single) * 1000,
        "memory_gb_per_s": large.nbytes / 1e9 / thread_ms(large.sum) * 1000,
    }


def points(name: str, mode: str, denoiser: LeanDenoiser, inner: int) -> list[Point]:
    """The context pass and every step of one model."""
    shape = denoiser.encoder.shape
    trunk = shape.layers * (4 * shape.width**2 + 3 * shape.width * inner)
    decoder = shape.width * shape.vocab_size
    ids = torch.randint(20, shape.vocab_size, (1, CONTEXT))
    left = 2 * CONTEXT // 3
    positions = torch.cat((torch.arange(left), torch.arange(left + GAP, CONTEXT + GAP)))[None]
    cache = denoiser.encode_context(ids, positions)
    pairs = CONTEXT * CONTEXT
    weight_bytes = 1 if mode == "int8" else 2
    found = [
        Point(
            name, mode, "context", thread_ms(lambda: denoiser.encode_context(ids, positions)),
            1e-9 * (2 * trunk * CONTEXT + 4 * shape.layers * shape.width * pairs),
            1e-6 * trunk * weight_bytes,
        )
    ]  # fmt: skip
    for rows, slots in STEPS:
        tokens, wanted = rows * slots, rows * slots
        canvas = torch.randint(20, shape.vocab_size, (rows, slots))
        step = _step(denoiser, cache, left, canvas)
        pairs = tokens * (CONTEXT + slots)
        operations = 2 * trunk * tokens + 4 * shape.layers * shape.width * pairs
        found.append(
            Point(
                name, mode, f"step {rows} x {slots}", thread_ms(step),
                1e-9 * (operations + 2 * decoder * wanted),
                1e-6 * ((trunk + decoder) * weight_bytes + cache.bytes),
            )
        )  # fmt: skip
    return found


def _step(
    denoiser: CachingDenoiser, cache: Any, start: int, ids_BN: torch.Tensor
) -> Callable[[], object]:
    bound = denoiser.bind(cache, start)
    lengths_B = torch.full((len(ids_BN),), ids_BN.shape[1])
    wanted_BN = torch.ones_like(ids_BN, dtype=torch.bool)
    return lambda: bound(ids_BN, lengths_B, wanted_BN)


def models() -> dict[str, tuple[dict[str, Any], dict[str, torch.Tensor]]]:
    """Config and weights of the bundled model and of a random small one."""
    from diffusion.model.architecture import SMALL, build_model

    folder = default_model_dir()
    torch.manual_seed(0)
    small = build_model(SMALL, 16_384)
    return {
        "bundled": (read_config(folder), read_weights(folder)),
        "small, random": (small.config.to_dict(), small.state_dict()),
    }


def draw(path: Path, roof: dict[str, float], found: list[Point]) -> None:
    """The roofline as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    reach = [2.0**n for n in range(0, 12)]
    for mode, style in (("int8", "-"), ("bf16", "--")):
        axes.plot(
            reach, [min(roof[mode], roof["memory_gb_per_s"] * x) for x in reach],
            style, color="black", linewidth=1, label=f"{mode} roof, {roof[mode]:.0f} GOP/s",
        )  # fmt: skip
    for mode, marker in (("int8", "o"), ("bf16", "s")):
        for model in dict.fromkeys(p.model for p in found):
            these = [p for p in found if p.mode == mode and p.model == model]
            axes.plot(
                [p.intensity for p in these], [p.gops for p in these], marker,
                linestyle="none", label=f"{model}, {mode}",
            )  # fmt: skip
            for p in these:
                axes.annotate(p.work, (p.intensity, p.gops), fontsize=6, xytext=(3, 3),
                              textcoords="offset points")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GOP/s, one thread")
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--out", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    check_places(("--out", arguments.out), ("--plot", arguments.plot))
    torch.set_num_threads(1)
    with torch.inference_mode():
        roof = peaks()
        found: list[Point] = []
        for name, (config, weights) in models().items():
            for mode in ("int8", "bf16"):
                denoiser = LeanDenoiser.of(config, weights, mode)
                assert denoiser is not None
                found += points(name, mode, denoiser, int(config["intermediate_size"]))
    print("| model | mode | work | ms | GOP/s | of the mode's peak |\n|---|---|---|---|---|---|")
    for p in found:
        share = 100 * p.gops / roof[p.mode]
        print(f"| {p.model} | {p.mode} | {p.work} | {p.ms:.1f} | {p.gops:.0f} | {share:.0f} % |")
    report = {
        "benchmark": "roofline",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "peaks": roof,
        "points": [{**asdict(p), "gops": p.gops, "of_peak": p.gops / roof[p.mode]} for p in found],
    }
    finish(report, arguments.out)
    if arguments.plot is not None:
        draw(arguments.plot, roof, found)


if __name__ == "__main__":
    main()
