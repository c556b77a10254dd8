"""Which of the choices behind the training hold? Short runs with one setting changed.

Trains every row of `diffusion.train.ablations` for the same number of tokens with several seeds,
measures all of them alike, and prints a Markdown table. Results are kept in `--out`, so the same
command goes on where an earlier one stopped (Ctrl-C saves the row under way), and a new row costs
only itself. Without `--corpus` it prints the table of what is there. The last line on stdout is
one JSON document.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from diffusion.cancel import CancelToken
from diffusion.evaluate.benchmark import as_script, finish
from diffusion.train.ablation_run import Runner, Setting, read_results
from diffusion.train.ablation_table import tables
from diffusion.train.ablations import ABLATIONS, chosen
from diffusion.train.precision import AUTO, PRECISIONS, precision

DEFAULT = Setting()


@as_script
def main() -> None:
    arguments = _arguments()
    if arguments.list:
        for row in ABLATIONS:
            print(f"{row.name:16} {row.question}")
    cancel = CancelToken()
    rows = chosen(arguments.only)
    if arguments.corpus is not None:
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, lambda *_: cancel.cancel())
        first = arguments.first_seed
        _runner(arguments, cancel).run(rows, range(first, first + arguments.seeds))
    results = read_results(arguments.out)
    table = tables(results)
    print(table)
    report = {"benchmark": "ablations", "finished": not cancel.is_cancelled, "results": results}
    finish(report, None, ("--out", arguments.out / "table.md" if results else None, table))


def _runner(arguments: argparse.Namespace, cancel: CancelToken) -> Runner:
    import torch

    from diffusion.heap import keep_freed_memory
    from diffusion.pretrained import bundled_tokenizer_path
    from diffusion.text.tokenizer import Tokenizer

    keep_freed_memory()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    setting = Setting(
        recipe=arguments.recipe,
        tokens=arguments.tokens,
        rows=arguments.rows,
        row_tokens=arguments.row_tokens,
        cases=arguments.cases,
        workers=arguments.workers,
        mixed_precision=precision(arguments.precision, "cpu"),
        stages=arguments.stages,
        start_from=arguments.start_from,
        attention=arguments.attention,
    )
    tokenizer = Tokenizer.load(arguments.tokenizer or bundled_tokenizer_path())
    return Runner(
        arguments.corpus, arguments.out, tokenizer, setting,
        report=_report, cancel=cancel, keep=arguments.keep,
    )  # fmt: skip


def _report(event: dict[str, Any]) -> None:
    if event["event"] == "row":
        print(f"== {event['name']}, seed {event['seed']}", file=sys.stderr)
    elif event["event"] == "train":
        print(
            f"   step {event['step']:>5}  loss {event['loss']:.3f}  "
            f"{event['tokens_per_s']:,.0f} tokens/s  {100 * event['progress']:.0f} %",
            file=sys.stderr,
        )
    elif event["event"] == "result":
        exact = event.get("exact_match_oracle")
        match = "" if exact is None else f"  exact match {100 * exact:.1f} % (oracle)"
        print(f"   loss {event['loss']:.3f}{match}  {event['minutes']} min", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="folder of a built corpus")
    parser.add_argument(
        "--out", type=Path, default=Path(".train/ablations"), metavar="DIR", help="results"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this row, beside the base"
    )
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="how many seeds")
    parser.add_argument("--first-seed", type=int, default=0, metavar="N", help="the first of them")
    parser.add_argument("--tokens", type=int, default=DEFAULT.tokens, metavar="N", help="of a run")
    parser.add_argument("--recipe", default=DEFAULT.recipe, metavar="NAME", help="model size")
    parser.add_argument("--rows", type=int, default=DEFAULT.rows, metavar="N")
    parser.add_argument("--row-tokens", type=int, default=DEFAULT.row_tokens, metavar="N")
    parser.add_argument("--stages", default=DEFAULT.stages, metavar="PLAN", help="as in pretrain")
    parser.add_argument(
        "--start-from", type=Path, metavar="DIR", help="weights that every row begins with"
    )
    parser.add_argument(
        "--cases", type=int, default=DEFAULT.cases, metavar="N", help="holes to fill; 0: none"
    )
    parser.add_argument("--attention", metavar="NAME", help="as in pretrain")
    parser.add_argument("--workers", type=int, default=DEFAULT.workers, metavar="N")
    parser.add_argument("--precision", choices=(AUTO, *PRECISIONS), default=AUTO)
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="the corpus's tokenizer")
    parser.add_argument("--keep", action="store_true", help="keep checkpoints of finished rows")
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
