"""How good are the lines of `diffill/bridge`, and the bodies of `diffill/fromComment`?

On a real repository: one to three whole lines are cut out between two that stay (`bridge`), or the
body of a short function that has a docstring, or a comment right above it (`comment`). The text
that was there is the reference. Each task is carried out

- `quote`: by the first quote of the document, which knows no model;
- `alone`: as the server does, from the document by itself;
- `repository`: as the server does, with the lines of the other files in its language.

`in_3`: right in one of the first three answers. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tree_sitter

from diffusion.bridging import carry_out
from diffusion.data.repository import SourceFile, scan_repository
from diffusion.errors import HoleError
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case, to_text
from diffusion.evaluate.compare import compare, table
from diffusion.evaluate.machine import describe
from diffusion.evaluate.metrics import score
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.evaluate.percentile import percentile
from diffusion.filling import FillRequest
from diffusion.infill import Infiller
from diffusion.text.ignored import IgnoreRules
from diffusion.text.languages import grammar_for_path
from diffusion.text.line_index import LineIndex
from diffusion.text.line_tasks import LineTask, bridge_task, comment_task
from diffusion.text.nearby_files import index_around
from diffusion.text.quotes import find_quotes
from diffusion.text.syntax import SyntaxTree

MOST_LINES = 3
MOST_BODY_LINES = 6
MOST_BODY_BYTES = 250
VIEWS = ("quote", "alone", "repository")
SHOWN = 3
METRICS = ("exact_match", "in_3", "edit_similarity", "parses", "empty")
_TRIES = 400


@dataclass(frozen=True, slots=True)
class Question:
    """A document without some text, the task that asks for it, and the text."""

    name: str
    path: str
    grammar: str
    data: bytes
    task: LineTask
    reference: str


def bridges(file: SourceFile, rng: random.Random) -> Iterator[Question]:
    """One to three lines of one indentation, without which the file parses as well as before."""
    grammar = grammar_for_path(file.path)
    tree = SyntaxTree.parse(file.data, grammar)
    lines = file.data.splitlines(keepends=True)
    if len(lines) < 10 or tree.error_count():
        return
    first, count = rng.randrange(3, len(lines) - 5), rng.randint(1, MOST_LINES)
    cut = lines[first : first + count]
    around = (lines[first - 1], lines[first + count])
    if not all(line.strip() for line in (*cut, *around)) or len({*map(_indent, cut)}) > 1:
        return
    start = sum(map(len, lines[:first]))
    data = file.data[:start] + b"".join(lines[first + count :])
    if tree.edit(start, start + len(b"".join(cut)), start, data).error_count():
        return
    task = bridge_task(data, start)
    cut_text = to_text(b"".join(cut))
    yield Question(f"{file.path}:{first + 1}", file.path, grammar, data, task, cut_text)


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip())


def comments(file: SourceFile, rng: random.Random) -> Iterator[Question]:
    """A short function with a docstring or a comment above it, its body taken out."""
    grammar = grammar_for_path(file.path)
    tree = SyntaxTree.parse(file.data, grammar)
    found = [] if tree.root is None else [*_functions(tree.root)]
    rng.shuffle(found)
    for function in found:
        body = function.child_by_field_name("body")
        if body is None:
            continue
        above = function.prev_named_sibling
        first = body.named_children[0] if body.named_children else None
        if file.language == "python":
            if first is None or len(body.named_children) < 2 or not _is_docstring(first):
                continue
            start, stop = body.named_children[1].start_byte, body.end_byte
            at, data = first.start_byte, file.data[:start] + b"pass" + file.data[stop:]
        elif above is not None and "comment" in above.type and first is not None:
            start, stop = body.start_byte + 1, body.end_byte - 1
            at, data = above.start_byte, file.data[:start] + b"\n" + file.data[stop:]
        else:
            continue
        reference = file.data[start:stop]
        if len(reference) > MOST_BODY_BYTES or reference.strip().count(b"\n") >= MOST_BODY_LINES:
            continue
        try:
            task = comment_task(SyntaxTree.parse(data, grammar), data, at)
        except HoleError:
            continue
        line = file.data.count(b"\n", 0, start) + 1
        yield Question(f"{file.path}:{line}", file.path, grammar, data, task, to_text(reference))
        return


def _functions(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type.startswith(("function_", "method_")):
            yield node
        stack += node.named_children


def _is_docstring(node: tree_sitter.Node) -> bool:
    return node.type == "expression_statement" and node.named_children[0].type == "string"


def draw(files: Sequence[SourceFile], kind: str, count: int, seed: int) -> list[Question]:
    """`count` questions of a kind, of files in turn; the same for the same seed."""
    rng = random.Random(seed)
    order = sorted(files, key=lambda file: file.path)
    rng.shuffle(order)
    make = bridges if kind == "bridge" else comments
    found: dict[str, Question] = {}
    for number in range(_TRIES * count):
        if len(found) == count or not order:
            break
        for question in make(order[number % len(order)], rng):
            found.setdefault(question.name, question)
    return list(found.values())


def answers(
    infiller: Infiller, question: Question, others: LineIndex, deadline_ms: float
) -> dict[str, dict[str, Any]]:
    """A row for every view."""
    task = question.task
    quotes = [task.before + to_text(quote.text) + task.after for quote in
              find_quotes(task.text, *task.hole, SHOWN)]  # fmt: skip
    rows = {"quote": _scored(question, quotes)}
    for view in VIEWS[1:]:
        asked = FillRequest(
            question.data, (), question.grammar, alternatives=SHOWN, deadline_ms=deadline_ms,
            repository=others if view == "repository" else None,
        )  # fmt: skip
        infiller.contexts.clear()
        result = carry_out(infiller, task, asked)
        rows[view] = _scored(question, [found.texts[0] for found in result.fills])
        rows[view] |= {"ms": result.ms, "steps": result.steps}
    return rows


def _scored(question: Question, texts: Sequence[str]) -> dict[str, Any]:
    task = question.task
    prefix, suffix = question.data[: task.start], question.data[task.end :]
    case = Case(
        question.name, question.grammar, to_text(prefix), question.reference, to_text(suffix)
    )
    scored = [score(case, text) for text in texts or ("",)]
    row = {metric: getattr(scored[0], metric) for metric in METRICS if metric != "in_3"}
    found = any(score.exact_match for score in scored)
    known = {"task_id": question.name, "group": question.path}
    return {**known, **row, "in_3": found, "texts": list(texts)}


def _totals(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for metric in METRICS:
        values = [row[metric] for row in rows if row[metric] is not None]
        found[metric] = round(statistics.fmean(values), 4) if values else None
    times = [row["ms"] for row in rows if "ms" in row]
    if times:
        found["ms_p50"] = round(statistics.median(times), 1)
        found["ms_p95"] = round(percentile(times, 95), 1)
    return found


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out), ("--rows", arguments.rows))
    folder = served_dir(arguments.model)
    infiller = Infiller.load(folder, arguments.threads, device="cpu")
    root = arguments.repository.resolve()
    scanned = scan_repository(root)
    kept: list[str] = []
    files = [file for file in scanned.files if len(file.data) < 200_000]
    report: dict[str, Any] = {
        "benchmark": "line_tasks",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "repository": root.name,
        "repository_digest": scanned.digest[:12],
        "seed": arguments.seed,
        "deadline_ms": arguments.deadline_ms,
    }
    for kind in ("bridge", "comment"):
        rows: dict[str, list[dict[str, Any]]] = {view: [] for view in VIEWS}
        questions = draw(files, kind, arguments.count, arguments.seed)
        for number, question in enumerate(questions, 1):
            others = index_around(root / question.path, root, IgnoreRules([root])).index
            others = others.without({str(root / question.path)})
            told = answers(infiller, question, others, arguments.deadline_ms)
            for name, row in told.items():
                rows[name].append(row)
            if arguments.show:
                print(f"{question.name}\n{question.reference}\n---", file=sys.stderr)
            if number % 20 == 0:
                print(f"{kind}: {number} of {len(questions)}", file=sys.stderr)
        report[kind] = {"count": len(questions), **{n: _totals(found) for n, found in rows.items()}}
        if questions:
            for view in VIEWS[1:]:
                gains = compare(rows["quote"], rows[view], METRICS)
                title = f"{kind} ({len(questions)}), from the first quote to {view}"
                print(f"\n{title}\n\n{table(gains)}")
        kept += [json.dumps({"kind": kind, "view": v, **r}) for v in VIEWS for r in rows[v]]
    finish(report, arguments.out, ("--rows", arguments.rows, "\n".join(kept) + "\n"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", type=Path, metavar="DIR", help="a checkout of real code")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="tasks of each kind")
    parser.add_argument("--deadline-ms", type=float, default=10_000.0, metavar="MS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--show", action="store_true", help="print the references")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="save every task as JSON lines")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
