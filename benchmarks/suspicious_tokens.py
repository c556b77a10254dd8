"""Does the model notice a bug? Injected ones, in functions of Python's standard library.

Of each sampled function every word is scored as it is: what is reported there counts as a false
alarm. Then one bug of each kind is put in, if the function has a place for it, and the lines around
it are scored: it is found when a word of it is reported. Kinds: a wrong variable (another name of
the same function), a wrong operator, the first two arguments of a call swapped, off by one.

Prints recall by kind against false alarms per 1000 lines, for four ways to decide what is
suspicious, and the precision with one bug in every 60 lines. The last line on stdout is one JSON
document. The standard library is not part of the training corpus, but models of code have seen
code like it.
"""

from __future__ import annotations

import argparse
import ast
import math
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.infill import Infiller
from diffusion.scoring import ScoreRequest, score
from diffusion.suspicion import ScoredWord, suspicion

KINDS = ("wrong variable", "wrong operator", "swapped arguments", "off by one")
LINES_A_BUG = 60
FALSE_ALARMS = (1, 2, 5, 10, 20, 50, 100, 200)
_OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", ">"), ast.Gt: (">", "<"), ast.LtE: ("<=", ">="), ast.GtE: (">=", "<="),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"), ast.Mod: ("%", "/"),
}  # fmt: skip
_OFF = {ast.Lt: ("<", "<="), ast.Gt: (">", ">="), ast.LtE: ("<=", "<"), ast.GtE: (">=", ">")}


@dataclass(frozen=True, slots=True)
class Bug:
    """A file with a bug in: bytes `[start, end)` of `data` are wrong, `right` stood there."""

    kind: str
    data: bytes
    start: int
    end: int
    right: str


@dataclass(frozen=True, slots=True)
class Function:
    """Bytes `[start, end)` of a file."""

    file: str
    data: bytes
    start: int
    end: int
    node: ast.FunctionDef

    @property
    def lines(self) -> int:
        """Lines that show something."""
        return sum(bool(line.strip()) for line in self.data[self.start : self.end].splitlines())


RULES: dict[str, Callable[[ScoredWord], float]] = {
    "p": lambda word: word.p if word.better else 1.0,
    "ratio": lambda word: word.p / word.better.p if word.better else 1.0,
    "margin": lambda word: 1 - (word.better.p - word.p) if word.better else 1.0,
    "like for like": lambda word: 1 - s.margin if (s := suspicion(word)) else 1.0,
}
"""What is reported is what lies below a threshold."""


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out))
    report = measure(arguments)
    for rule, curve in report["rules"].items():
        print(f"\n{rule}: recall at so many false alarms per 1000 lines")
        print("| alarms | threshold | all | " + " | ".join(KINDS) + " | precision |")
        print("|---" * 8 + "|")
        for row in curve:
            cells = [f"{row['recall'][kind]:.2f}" for kind in ("all", *KINDS)]
            print(f"| {row['alarms']} | {row['threshold']:.1e} | {' | '.join(cells)} "
                  f"| {row['precision']:.2f} |")  # fmt: skip
    finish(report, arguments.out)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score functions as they are and with bugs in."""
    folder = served_dir(arguments.model)
    infiller = Infiller.load(folder, threads=1, device="cpu")
    random = Random(arguments.seed)
    copying = not arguments.no_copying
    clean: list[ScoredWord] = []
    found: list[tuple[str, list[ScoredWord], str]] = []
    lines, ms, tokens = 0, 0.0, 0
    for number, function in enumerate(functions(random, arguments.count)):
        asked = ScoreRequest(
            function.data, "python", function.start, function.end, code_only=True
        )  # fmt: skip
        result = score(infiller, asked, copying=copying)
        clean += result.words
        lines += function.lines
        ms += result.ms
        tokens += result.tokens
        for bug in bugs(function, random):
            start = bug.data.rfind(b"\n", 0, max(0, bug.data.rfind(b"\n", 0, bug.start))) + 1
            end = bug.data.find(b"\n", bug.data.find(b"\n", bug.end) + 1) + 1
            asked = ScoreRequest(bug.data, "python", start, end or None, code_only=True)
            near = score(infiller, asked, copying=copying).words
            touched = [w for w in near if w.start < bug.end and bug.start < w.end]
            found.append((bug.kind, touched, bug.right))
        if number % 10 == 9:
            print(f"{number + 1} functions, {len(found)} bugs", file=sys.stderr)
    fixed = [
        any(w.better is not None and w.better.text == right.strip() for w in touched)
        for _, touched, right in found
    ]
    return {
        "benchmark": "suspicious_tokens",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "copying": copying,
        "functions": arguments.count,
        "lines": lines,
        "words": len(clean),
        "bugs": {kind: sum(k == kind for k, *_ in found) for kind in KINDS},
        "best_alternative_is_the_original": round(sum(fixed) / max(1, len(fixed)), 4),
        "ms_per_100_tokens": round(100 * ms / max(1, tokens), 1),
        "rules": {name: _curve(rule, clean, found, lines) for name, rule in RULES.items()},
    }


def _curve(
    rule: Callable[[ScoredWord], float],
    clean: list[ScoredWord],
    found: list[tuple[str, list[ScoredWord], str]],
    lines: int,
) -> list[dict[str, Any]]:
    alarms = sorted(rule(word) for word in clean)
    lowest = [(kind, min(map(rule, touched), default=1.0)) for kind, touched, _ in found]
    rows = []
    for rate in FALSE_ALARMS:
        allowed = math.floor(rate * lines / 1000)
        if allowed >= len(alarms):
            continue
        threshold = alarms[allowed]
        recall: dict[str, float] = {}
        for kind in ("all", *KINDS):
            of_kind = [value for k, value in lowest if kind in ("all", k)]
            hits = sum(value < threshold for value in of_kind)
            recall[kind] = round(hits / max(1, len(of_kind)), 4)
        false = rate * LINES_A_BUG / 1000
        rows.append(
            {
                "alarms": rate,
                "threshold": threshold,
                "recall": recall,
                "precision": round(recall["all"] / (recall["all"] + false), 4),
            }
        )
    return rows


def functions(random: Random, count: int) -> Iterator[Function]:
    """Functions of 8 to 40 lines, at most one of a file, in random order."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    files += sorted(Path(sysconfig.get_path("stdlib")).glob("[a-z]*/*.py"))
    files = [f for f in files if "test" not in str(f) and "site-packages" not in f.parts]
    random.shuffle(files)
    given = 0
    for file in files:
        data = file.read_bytes()
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            continue
        if not data.isascii():
            continue
        nodes = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and 8 <= (node.end_lineno or 0) - node.lineno <= 40
        ]
        if not nodes:
            continue
        node = random.choice(nodes)
        starts = _line_starts(data)
        end = starts[node.end_lineno] if (node.end_lineno or 0) < len(starts) else len(data)
        yield Function(file.name, data, starts[node.lineno - 1], end, node)
        given += 1
        if given == count:
            return


def bugs(function: Function, random: Random) -> Iterator[Bug]:
    """One bug of every kind that has a place."""
    makers = (_variables, _operators, _arguments_swapped, _off_by_one)
    for kind, maker in zip(KINDS, makers, strict=True):
        edits = list(maker(function))
        random.shuffle(edits)
        for start, end, wrong in edits:
            data = function.data[:start] + wrong.encode() + function.data[end:]
            try:
                ast.parse(data)
            except SyntaxError:
                continue
            right = function.data[start:end].decode()
            yield Bug(kind, data, start, start + len(wrong), right)
            break


Edit = tuple[int, int, str]


def _variables(function: Function) -> Iterator[Edit]:
    names = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    bound = {arg.arg for arg in ast.walk(function.node) if isinstance(arg, ast.arg)}
    bound |= {
        node.id
        for node in ast.walk(function.node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in names:
        start, end = _span(function, node)
        if node.id in bound:
            for other in sorted(bound - {node.id}):
                yield start, end, other


def _operators(function: Function) -> Iterator[Edit]:
    yield from _between(function, _OPERATORS)


def _between(
    function: Function, table: dict[type[ast.AST], tuple[str, str]]
) -> Iterator[Edit]:
    """Operators between two operands, found in the text between them."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides: tuple[ast.expr, ast.expr] = (node.left, node.comparators[0])
            operator: ast.AST = node.ops[0]
        elif isinstance(node, ast.BoolOp):
            sides, operator = (node.values[0], node.values[1]), node.op
        elif isinstance(node, ast.BinOp):
            sides, operator = (node.left, node.right), node.op
        else:
            continue
        if type(operator) not in table:
            continue
        right, wrong = table[type(operator)]
        gap_start, gap_end = _span(function, sides[0])[1], _span(function, sides[1])[0]
        gap = function.data[gap_start:gap_end].decode()
        if gap.strip() == right:
            at = gap_start + gap.index(right)
            yield at, at + len(right), wrong


def _arguments_swapped(function: Function) -> Iterator[Edit]:
    for node in ast.walk(function.node):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        first, second = node.args[:2]
        if any(isinstance(argument, ast.Starred) for argument in (first, second)):
            continue
        start, end = _span(function, first)[0], _span(function, second)[1]
        one, other = ast.unparse(first), ast.unparse(second)
        if function.data[start:end].decode() == f"{one}, {other}" and one != other:
            yield start, end, f"{other}, {one}"


def _off_by_one(function: Function) -> Iterator[Edit]:
    yield from _between(function, _OFF)
    for node in ast.walk(function.node):
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value < 100:
            start, end = _span(function, node)
            if function.data[start:end].isdigit():
                yield start, end, str(node.value + 1)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("range", "len")
            and len(node.args) == 1
        ):
            start, end = _span(function, node.args[0])
            inner = function.data[start:end].decode()
            if node.func.id == "range":
                yield start, end, f"{inner} + 1"
            else:
                start, end = _span(function, node)
                yield start, end, f"{function.data[start:end].decode()} - 1"


def _span(function: Function, node: ast.AST) -> tuple[int, int]:
    starts = _line_starts(function.data)
    line, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
    end_line, end_column = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
    return starts[line - 1] + column, starts[end_line - 1] + end_column


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40, metavar="N", help="functions")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--no-copying", action="store_true", help="without the document's votes")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
