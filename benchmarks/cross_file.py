"""What is it worth to a completion to know other files of the repository?

Holes of a real repository's files, drawn as the evaluation draws them (`sample_holes`), each filled

- `alone`: from the file by itself;
- `open`: with up to four other files of its folder and language open, which is what
  `diffill.context.openFiles` quotes from;
- `repository`: with the same files open and `diffill.context.crossFile` on: the lines of all files
  in its language, the nearest first, up to the bytes that an index holds.

Gains are paired, hole by hole, and their intervals drawn over files. `unseen` counts the holes
whose text has a word that the rest of the file does not: there only other files, or the model's own
knowledge, can help. Other files are as they are now, not as they were when the hole's text was
written. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.data.repository import SourceFile, scan_repository
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case
from diffusion.evaluate.compare import compare, table
from diffusion.evaluate.machine import describe
from diffusion.evaluate.metrics import score
from diffusion.evaluate.model_filler import inserted, served_dir, weights_hash
from diffusion.evaluate.percentile import percentile
from diffusion.infill import Infiller, InfillRequest
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.ignored import IgnoreRules
from diffusion.text.languages import grammar_for_path
from diffusion.text.line_index import LineIndex
from diffusion.text.nearby_files import index_around
from diffusion.text.syntax import SyntaxTree

VIEWS = ("alone", "open", "repository")
METRICS = ("exact_match", "exact_in_3", "edit_similarity", "parses", "ms", "ms_again")
OPEN = 4
_WINDOW_BYTES = 800
_HOLE_BYTES = 120
_TRIES = 50
_WORD = re.compile(rb"[A-Za-z_]\w+")


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole of a file, and the names and texts of the files that are open."""

    file: SourceFile
    case: Case
    open_names: tuple[str, ...]
    open_texts: tuple[bytes, ...]

    @property
    def unseen(self) -> bool:
        """Whether the hole's text has a word that the rest of its file does not."""
        known = set(_WORD.findall(self.case.text_without_middle))
        return bool(set(_WORD.findall(self.case.middle.encode())) - known)


def draw(files: Sequence[SourceFile], holes: int, seed: int) -> list[Hole]:
    """`holes` holes, one of every file in turn; the same for the same seed."""
    rng = random.Random(seed)
    order = sorted(files, key=lambda file: file.path)
    rng.shuffle(order)
    found: list[Hole] = []
    for _ in range(_TRIES):
        for file in order:
            if len(found) == holes:
                return found
            case = _case(file, rng, f"{file.path}#{len(found)}")
            alike = [f for f in files if f.language == file.language and f.path != file.path]
            beside = [f for f in alike if Path(f.path).parent == Path(file.path).parent]
            shown = rng.sample(beside, min(OPEN, len(beside)))
            if case is not None:
                names, texts = (f.path for f in shown), (f.data for f in shown)
                found.append(Hole(file, case, tuple(names), tuple(texts)))
    return found


def _case(file: SourceFile, rng: random.Random, name: str) -> Case | None:
    data = file.data
    at = rng.randrange(max(1, len(data) - _WINDOW_BYTES))
    start = data.rfind(b"\n", 0, at) + 1
    tree = SyntaxTree.parse(data, grammar_for_path(file.path))
    window = (start, min(len(data), start + _WINDOW_BYTES))
    for hole in sample_holes(tree, data, window, rng, HoleMix(max_holes=1), _HOLE_BYTES):
        parts = (data[: hole.start], data[hole.start : hole.end], data[hole.end :])
        try:
            prefix, middle, suffix = (part.decode() for part in parts)
        except UnicodeDecodeError:
            return None
        return Case(name, file.language, prefix, middle, suffix, hole=hole.kind, group=file.path)
    return None


def fill(infiller: Infiller, hole: Hole, view: str, others: LineIndex) -> dict[str, Any]:
    """One row. `ms`: nothing known of the place; `ms_again`: the line was asked about before."""
    case = hole.case
    request = InfillRequest(
        case.text_without_middle, case.cursor, grammar_for_path(hole.file.path),
        elsewhere=() if view == "alone" else hole.open_texts,
        repository=others if view == "repository" else None,
    )  # fmt: skip
    infiller.contexts.clear()
    result = infiller.infill(request)
    again = infiller.infill(request)
    replaced = case.text_without_middle[result.hole.start : result.hole.end].decode()
    texts = [inserted(candidate.text, replaced) for candidate in result.candidates]
    scored = score(case, texts[0] if texts else "")
    return {
        "task_id": case.task_id,
        "group": case.group,
        "exact_match": scored.exact_match,
        "exact_in_3": any(text.strip() == case.middle.strip() for text in texts),
        "edit_similarity": scored.edit_similarity,
        "parses": scored.parses,
        "quoted": bool(result.candidates) and result.candidates[0].quoted,
        "ms": result.ms,
        "ms_again": again.ms,
        "steps": result.steps,
    }


def _totals(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {"holes": len(rows)}
    for key in ("exact_match", "exact_in_3", "edit_similarity", "quoted", "steps"):
        found[key] = round(statistics.fmean(row[key] for row in rows), 4) if rows else 0.0
    for key in ("ms", "ms_again"):
        found |= {f"{key}_{name}": value for name, value in _times([r[key] for r in rows]).items()}
    return found


def _times(ms: Sequence[float]) -> dict[str, float]:
    known = list(ms) or [0.0]
    return {"p50": round(statistics.median(known), 2), "p95": round(percentile(known, 95), 2)}


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out), ("--rows", arguments.rows))
    folder = served_dir(arguments.model)
    infiller = Infiller.load(folder, arguments.threads, device="cpu")
    root = arguments.repository.resolve()
    scanned = scan_repository(root)
    files = [
        file for file in scanned.files
        if file.language in (arguments.language or (file.language,)) and len(file.data) < 200_000
    ]  # fmt: skip
    holes = draw(files, arguments.holes, arguments.seed)
    if not holes:
        sys.exit(f"{root} has no file with a hole; give the top folder of a repository with code")
    rows: dict[str, list[dict[str, Any]]] = {view: [] for view in VIEWS}
    read_ms: list[float] = []
    lines: list[float] = []
    for number, hole in enumerate(holes, 1):
        begun = time.perf_counter()
        index = index_around(root / hole.file.path, root, IgnoreRules([root])).index
        read_ms.append(1000 * (time.perf_counter() - begun))
        shown = (hole.file.path, *hole.open_names)
        others = index.without({str(root / name) for name in shown})
        lines.append(len(index))
        views = list(VIEWS)
        random.Random(number).shuffle(views)  # no view is always the first
        for view in views:
            rows[view].append(fill(infiller, hole, view, others))
        if number % 20 == 0:
            print(f"{number} of {len(holes)}", file=sys.stderr)
    unseen = [hole.unseen for hole in holes]
    report: dict[str, Any] = {
        "benchmark": "cross_file",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "repository": root.name,
        "repository_digest": scanned.digest[:12],
        "files": len(files),
        "seed": arguments.seed,
        "holes": len(holes),
        "lines_p50": round(statistics.median(lines)),
        "read_ms": _times(read_ms),
        "views": {},
        "gains": {},
    }
    for name, chosen in (("all", [True] * len(holes)), ("unseen", unseen)):
        kept = {v: [r for r, take in zip(rows[v], chosen, strict=True) if take] for v in VIEWS}
        report["views"][name] = {view: _totals(kept[view]) for view in VIEWS}
        for old in ("alone", "open"):
            if kept[old]:
                gains = compare(kept[old], kept["repository"], METRICS)
                title = f"{name} ({len(kept[old])} holes), from {old} to repository"
                print(f"\n{title}\n\n{table(gains)}")
                report["gains"][f"{name}: {old} to repository"] = {
                    g.metric: {"gain": g.gain, "low": g.low, "high": g.high} for g in gains
                }
    lines_of_rows = [json.dumps({"view": view, **row}) for view in VIEWS for row in rows[view]]
    finish(report, arguments.out, ("--rows", arguments.rows, "\n".join(lines_of_rows) + "\n"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", type=Path, metavar="DIR", help="a checkout of real code")
    parser.add_argument("--language", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--holes", type=int, default=300, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="save every hole as JSON lines")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
