"""What does the context cache buy, and how long do others take for as many tokens?

Fills the same holes with, in turn and in one process with one thread each:

- `diffill`: one canvas of N slots on a cached context, as serving runs it by key;
- `slots kept`: the same as serving runs it while somebody types (docs/decisions/0021 and 0025);
- `full sequence`: the usual sampler, the same weights and answers, but the whole sequence goes
  through the model at every step;
- `twin`: the autoregressive twin with its key-value cache, at most N tokens (`--twin`);
- `SmolLM2-135M` under llama.cpp, N tokens after the prefix (`--peer-python`: an interpreter with
  benchmarks/requirements-peers.txt; a process of its own, which works while this one waits).

Every hole is cold: nothing is kept from the one before. Prefixes are the document's last
`--prefix-chars` characters for all. Diffill and llama.cpp write N tokens in every hole; the twin
ends where it likes, and `tokens_mean` says after how many. Ratios are medians of the ratios hole by
hole: of the times as they are, and of the time per token, over the holes in which both wrote any.
The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch

from diffusion.cancel import CancelToken
from diffusion.config import InfillConfig
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir
from diffusion.evaluate.percentile import percentile
from diffusion.infill import Infiller, InfillRequest
from diffusion.model.caching import CachingDenoiser
from diffusion.model.context_cache import ContextCache, ReadPass, WritePass
from diffusion.model.served import load_served
from diffusion.process.copying import COPYING_FILE, CopyWeights
from diffusion.ranking import RANKING_FILE, Ranking

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"
Fill = Callable[[Case, int], dict[str, Any]]
Rows = Sequence[dict[str, Any]]


class FullSequence(CachingDenoiser):
    """The same model without a cache: a step encodes the context again."""

    def __init__(self, inner: CachingDenoiser) -> None:
        self._inner, self.positions = inner, inner.positions
        self._ids_of: dict[int, torch.Tensor] = {}

    @property
    def device(self) -> torch.device:
        return self._inner.device

    @property
    def vocab_size(self) -> int:
        return self._inner.vocab_size

    def _write(self, ids_T: torch.Tensor, positions_T: torch.Tensor, write: WritePass) -> None:
        self._inner._write(ids_T, positions_T, write)

    def _wanted(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, read: ReadPass, wanted_T: torch.Tensor
    ) -> torch.Tensor:
        return self._inner._wanted(ids_T, positions_T, read, wanted_T)

    def _logits(self, hidden_MD: torch.Tensor) -> torch.Tensor:
        return self._inner._logits(hidden_MD)

    def encode_context(
        self, ids_1C: torch.Tensor, positions_1C: torch.Tensor, cancel: CancelToken | None = None
    ) -> ContextCache:
        empty = ContextCache((), positions_1C)
        self._ids_of = {id(empty): ids_1C}  # one hole at a time
        return empty

    def step(self, cache: ContextCache, *rest: Any) -> torch.Tensor:
        encoded = self._inner.encode_context(self._ids_of[id(cache)], cache.positions_1C)
        return self._inner.step(encoded, *rest)


def by_diffill(folder: Path, threads: int, *, cached: bool, keep: bool = False) -> Fill:
    """Fills with one canvas, written by the model alone."""
    torch.set_num_threads(threads)
    served = load_served(folder, device="cpu")
    infiller = Infiller(
        served.denoiser if cached else FullSequence(served.denoiser),
        served.tokenizer,
        served.lengths,
        InfillConfig(cached_contexts=1),
        replace(Ranking.for_model(folder / RANKING_FILE, served.weights_sha256), quotes=0),
        CopyWeights.for_model(folder / COPYING_FILE, served.weights_sha256),
    )

    def fill(case: Case, tokens: int) -> dict[str, Any]:
        infiller.contexts.clear()
        asked = InfillRequest(
            case.text_without_middle, case.cursor, case.language, tokens, exact=True,
            in_haste=keep,
        )  # fmt: skip
        result = infiller.infill(asked)
        text = result.candidates[0].text if result.candidates else ""
        return {"ms": result.ms, "steps": result.steps, "text": text, "tokens": tokens}

    return fill


def by_twin(folder: Path, threads: int) -> Fill:
    """Fills with the twin, at most N tokens."""
    from diffusion.evaluate.infill_eval import evaluate_case
    from diffusion.evaluate.twin_filler import load_twin

    filler = load_twin(folder, threads=threads, precision="auto", order="spm")

    def fill(case: Case, tokens: int) -> dict[str, Any]:
        row = evaluate_case(filler, case, tokens)
        return {"ms": row["ms"], "text": row["completion"], "tokens": row["tokens"]}

    return fill


def by_peer(python: Path, threads: int) -> tuple[str, Fill]:
    """Fills with a llama.cpp model in a process of its own."""
    process = subprocess.Popen(
        [python, Path(__file__).parent / "peer_llama.py", str(threads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    to_peer, from_peer = process.stdin, process.stdout
    first = from_peer.readline()
    if not first:
        sys.exit(f"error: {python} cannot run the peer; install benchmarks/requirements-peers.txt")

    def fill(case: Case, tokens: int) -> dict[str, Any]:
        print(json.dumps({"prompt": case.prefix, "tokens": tokens}), file=to_peer, flush=True)
        answer: dict[str, Any] = json.loads(from_peer.readline())
        return answer

    return str(json.loads(first)["model"]), fill


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every engine over every case at every number of tokens."""
    folder, threads = served_dir(arguments.diffusion), arguments.threads
    engines: dict[str, Fill] = {
        "diffill": by_diffill(folder, threads, cached=True),
        "slots kept": by_diffill(folder, threads, cached=True, keep=True),
        "full sequence": by_diffill(folder, threads, cached=False),
    }
    if arguments.twin is not None:
        engines["twin"] = by_twin(arguments.twin, threads)
    if arguments.peer_python is not None:
        name, fill = by_peer(arguments.peer_python, threads)
        engines[name] = fill
    cases = [
        replace(case, prefix=case.prefix[-arguments.prefix_chars :])
        for path in arguments.cases
        for case in read_cases(path, sample=arguments.sample)
    ]
    runs, same = [], []
    for tokens in (int(n) for n in arguments.tokens.split(",")):
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
        for case in cases:
            for name, fill in engines.items():
                found[name].append(fill(case, tokens))
        for name, rows in found.items():
            known = {"engine": name, "tokens": tokens, "cases": len(cases)}
            runs.append(known | figures(rows, found["diffill"]))
        same.append(
            sum(
                a["text"] == b["text"]
                for a, b in zip(found["diffill"], found["full sequence"], strict=True)
            )
        )
    return {
        "benchmark": "engines",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "threads": threads,
        "same_answers_as_full_sequence": same,
        "runs": runs,
    }


def figures(rows: Rows, diffill: Rows) -> dict[str, float | None]:
    """What is said of an engine at one number of tokens; `diffill[i]` filled what `rows[i]` did."""
    both = list(zip(rows, diffill, strict=True))
    per_token = [
        (r["ms"] / r["tokens"]) / (d["ms"] / d["tokens"])
        for r, d in both
        if r["tokens"] and d["tokens"]
    ]
    steps = [r["steps"] for r in rows if "steps" in r]
    return {
        "ms_p50": median(r["ms"] for r in rows),
        "ms_p95": percentile([r["ms"] for r in rows], 95),
        "times_diffill_p50": median(r["ms"] / d["ms"] for r, d in both),
        "times_diffill_per_token_p50": median(per_token) if per_token else None,
        "steps_mean": sum(steps) / len(steps) if steps else None,
        "tokens_mean": sum(r["tokens"] or 0 for r in rows) / len(rows),
    }


def table(report: dict[str, Any]) -> str:
    """The runs as Markdown."""
    columns = (
        "engine", "tokens", "cases", "tokens_mean", "ms_p50", "ms_p95", "times_diffill_p50",
        "times_diffill_per_token_p50", "steps_mean",
    )  # fmt: skip
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for run in report["runs"]:
        cells = [run[c] for c in columns]
        shown = ["" if c is None else f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diffusion", type=Path, metavar="DIR", help="by default the bundled one")
    parser.add_argument("--twin", type=Path, metavar="DIR")
    parser.add_argument("--peer-python", type=Path, metavar="PYTHON")
    parser.add_argument("--cases", nargs="+", type=Path, default=[OWN_CASES], metavar="FILE")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed random N of each file")
    parser.add_argument("--tokens", default="16,32", metavar="N,...")
    parser.add_argument("--prefix-chars", type=int, default=1200, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    check_places(("--out", arguments.out), read=arguments.cases)
    report = measure(arguments)
    print(table(report))
    finish(report, arguments.out)


if __name__ == "__main__":
    main()
