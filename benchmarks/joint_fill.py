"""Do several holes filled together agree better than holes filled one by one?

Cases are drawn from code that is on every machine: the example programs of this repository (eight
languages) and the standard library of the Python that runs this. Of a name that occurs two or
three times within a short stretch, every occurrence is cut out, so that a filler must say one name
in two or three holes. *unseen*: the name stands nowhere else in the file; *seen*: it does.

Fillers, which share model, canvas sizes and order:
- `together`: what `diffill fill` does;
- `drafts only`: without the second look by which holes are made to agree;
- `surest canvas`: likewise, but of a draft only the surest canvas moves in a step, and those that
  are nearly certain;
- `blind`: drafts only, and no canvas sees another, as in training;
- `in turn`: from the first to the last, each filled before the next is asked for; the holes that
  are still to come are cut out;
- `surest first`: likewise, but the hole with the highest score goes first;
- `one by one`: each by itself as an editor's completion would (quotes and fitted order included),
  with the other holes closed up, and nothing known of what they were filled with.

Agreement: all holes hold the same word. Exact: all hold the name. The last line on stdout is one
JSON document.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from diffusion.demo.holes import bundled_examples
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.filling import FillRequest, fill
from diffusion.infill import Infiller, InfillRequest
from diffusion.model.context_cache import ContextCache
from diffusion.model.lean_denoiser import LeanDenoiser
from diffusion.process.joint import JointOrder
from diffusion.text import languages
from diffusion.text.syntax import SyntaxTree

REACH_BYTES = 700
AROUND_BYTES = 5000
_WORD = re.compile(rb"[A-Za-z_]\w*")
_IDENTIFIERS = {"identifier", "property_identifier", "field_identifier", "type_identifier"}


@dataclass(frozen=True, slots=True)
class Case:
    """A document, the holes in it (byte ranges that hold `name`), and where it is from."""

    source: str
    language: str
    data: bytes
    holes: tuple[tuple[int, int], ...]
    name: str
    seen: bool


Filler = Callable[[Infiller, Case], tuple[list[str], int]]


class BlindDenoiser(LeanDenoiser):
    """Canvases do not see each other."""

    def joint_step(
        self,
        cache: ContextCache,
        starts_B: torch.Tensor,
        drafts_B: torch.Tensor,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        apart_B = torch.arange(len(drafts_B))
        return super().joint_step(cache, starts_B, apart_B, ids_BN, lengths_B, wanted_BN)


def draw(count: int, seed: int) -> list[Case]:
    """Cases of both kinds, half of them from each source where it has as many."""
    rng = random.Random(seed)
    own = sorted(p for p in bundled_examples().iterdir() if p.suffix != ".json")
    library = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    found: list[Case] = []
    for files, wanted in ((own, count // 2), (library, count - count // 2)):
        pool = [case for file in files for case in _cases(file)]
        rng.shuffle(pool)
        for seen in (False, True):
            found += _spread([c for c in pool if c.seen is seen], wanted // 2)
    return found


def _spread(pool: list[Case], count: int) -> list[Case]:
    """The first `count` cases, at most one of a file before every file had its turn."""
    turns: dict[str, int] = {}
    ranked = []
    for case in pool:
        ranked.append((turns.get(case.source, 0), len(ranked), case))
        turns[case.source] = turns.get(case.source, 0) + 1
    return [case for *_, case in sorted(ranked, key=lambda item: item[:2])[:count]]


def _cases(file: Path) -> Iterator[Case]:
    data = file.read_bytes()
    language = languages.language_for_path(file)
    if b"\r" in data or not data.isascii():
        return
    places: dict[bytes, list[int]] = {}
    for match in _WORD.finditer(data):
        places.setdefault(match[0], []).append(match.start())
    tree = SyntaxTree.parse(data, language)
    for word, at in sorted(places.items()):
        if not 3 <= len(word) <= 24 or not 2 <= len(at) <= 6:
            continue
        for n in (3, 2):
            near = next((at[i : i + n] for i in range(len(at) - n + 1)
                         if at[i + n - 1] - at[i] <= REACH_BYTES), None)  # fmt: skip
            if near is not None and len(at) in (n, n + 1, n + 2):
                break
        else:
            continue
        if any(tree.path(offset)[-1].type not in _IDENTIFIERS for offset in near):
            continue
        low = data.rfind(b"\n", 0, max(0, near[0] - AROUND_BYTES)) + 1
        high = data.find(b"\n", near[-1] + AROUND_BYTES) + 1 or len(data)
        holes = tuple((offset - low, offset - low + len(word)) for offset in near)
        inside = sum(low <= offset < high for offset in at)
        if inside == len(at):
            seen = len(at) > len(near)
            yield Case(file.name, language, data[low:high], holes, word.decode(), seen)


def together(
    infiller: Infiller, case: Case, order: JointOrder | None = None, agreeing: bool = True
) -> tuple[list[str], int]:
    request = FillRequest(
        case.data,
        case.holes,
        case.language,
        order=order or JointOrder(together_p=0.0),
        agreeing=agreeing,
    )
    result = fill(infiller, request)
    return list(result.fills[0].texts) if result.fills else [""] * len(case.holes), result.steps


def drafts_only(infiller: Infiller, case: Case) -> tuple[list[str], int]:
    return together(infiller, case, agreeing=False)


def surest_canvas(infiller: Infiller, case: Case) -> tuple[list[str], int]:
    return together(infiller, case, JointOrder(together_p=0.9))


def in_turn(infiller: Infiller, case: Case, surest: bool = False) -> tuple[list[str], int]:
    """One hole after another, the rest being cut out."""
    data, steps = case.data, 0
    left = dict(enumerate(case.holes))
    texts = [""] * len(case.holes)
    while left:
        chosen = list(left) if surest else [min(left)]
        tried = []
        for number in chosen:
            asked = (left[number], *(span for other, span in left.items() if other != number))
            request = FillRequest(data, asked, case.language)
            text, score, passes = _only_first(infiller, request)
            steps += passes
            tried.append((score, number, text))
        _, number, text = max(tried, key=lambda t: (t[0], -t[1]))
        texts[number] = text
        start, end = left.pop(number)
        data = data[:start] + text.encode() + data[end:]
        moved = len(text.encode()) - (end - start)
        left = {n: (s + moved * (s >= end), e + moved * (s >= end)) for n, (s, e) in left.items()}
    return texts, steps


def _only_first(infiller: Infiller, request: FillRequest) -> tuple[str, float, int]:
    """The first hole of a request filled blindly; the others are holes, and stay."""
    result = fill(infiller, replace(request, order=JointOrder(together_p=0.0), agreeing=False))
    if not result.fills:
        return "", 0.0, result.steps
    tokens = [token.p for token in result.fills[0].tokens[0]]
    score = statistics.geometric_mean(max(p, 1e-6) for p in tokens) if tokens else 0.0
    return result.fills[0].texts[0], score, result.steps


def one_by_one(infiller: Infiller, case: Case) -> tuple[list[str], int]:
    """Completions that know nothing of each other."""
    texts, steps = [], 0
    for number in range(len(case.holes)):
        out, at, cursor = bytearray(), 0, 0
        for other, (start, end) in enumerate(case.holes):
            out += case.data[at:start]
            at = end
            cursor = len(out) if other == number else cursor
        out += case.data[at:]
        result = infiller.infill(InfillRequest(bytes(out), cursor, case.language, alternatives=1))
        texts.append(result.candidates[0].text if result.candidates else "")
        steps += result.steps
    return texts, steps


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    folder = served_dir(arguments.model)
    seeing = Infiller.load(folder, arguments.threads, device="cpu")
    if not isinstance(seeing.denoiser, LeanDenoiser):
        sys.exit(f"error: {folder} is not run by the lean encoder, which this compares with itself")
    blind = Infiller(
        BlindDenoiser(seeing.denoiser.encoder), seeing.tokenizer, seeing.lengths, seeing.config,
        seeing.ranking, seeing.copy_weights,
    )  # fmt: skip
    fillers: dict[str, tuple[Infiller, Filler]] = {
        "together": (seeing, together),
        "drafts only": (seeing, drafts_only),
        "surest canvas": (seeing, surest_canvas),
        "blind": (blind, drafts_only),
        "in turn": (blind, in_turn),
        "surest first": (blind, lambda i, c: in_turn(i, c, surest=True)),
        "one by one": (seeing, one_by_one),
    }
    if arguments.fillers:
        fillers = {name: fillers[name] for name in arguments.fillers.split(",")}
    cases = draw(arguments.cases, arguments.seed)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in fillers}
    random.Random(arguments.seed).shuffle(cases)  # so that a run cut short is a fair part
    started = time.perf_counter()
    for number, case in enumerate(cases, 1):
        if time.perf_counter() - started > 60 * arguments.minutes:
            cases = cases[: number - 1]
            break
        for name, (infiller, filler) in fillers.items():
            infiller.contexts.clear()
            begun = time.perf_counter()
            texts, steps = filler(infiller, case)
            row = judge(case, texts)
            row |= {"steps": steps, "ms": (time.perf_counter() - begun) * 1000, "texts": texts}
            rows[name].append(row)
        if arguments.verbose:
            said = {name: rows[name][-1]["texts"] for name in fillers}
            print(f"{number} {case.source} {case.name} {case.seen}: {said}", file=sys.stderr)
    groups = {"unseen": False, "seen": True}
    return {
        "benchmark": "joint_fill",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "threads": arguments.threads,
        "model_hash": weights_hash(folder),
        "python": sys.version.split()[0],
        "cases_hash": hashlib.sha256(repr(cases).encode()).hexdigest()[:16],
        "groups": {
            group: {
                name: totals([r for r, c in zip(found, cases, strict=True) if c.seen is seen])
                for name, found in rows.items()
            }
            for group, seen in groups.items()
        },
    }


def judge(case: Case, texts: list[str]) -> dict[str, Any]:
    """What is measured of one case."""
    stripped = [text.strip() for text in texts]
    same = len(set(stripped)) == 1 and re.fullmatch(r"\w+", stripped[0]) is not None
    return {
        "agree": same,
        "exact": all(text == case.name for text in stripped),
        "holes_exact": sum(text == case.name for text in stripped) / len(stripped),
    }


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of a group."""
    if not rows:
        return {"cases": 0}
    mean = {key: round(statistics.fmean(r[key] for r in rows), 4)
            for key in ("agree", "exact", "holes_exact", "steps")}  # fmt: skip
    return {"cases": len(rows), **mean, "ms_p50": round(statistics.median(r["ms"] for r in rows))}


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out))
    report = measure(arguments)
    columns = ("cases", "agree", "exact", "holes_exact", "steps", "ms_p50")
    print(f"| names | filler | {' | '.join(columns)} |\n|---|---{'|---' * len(columns)}|")
    for group, fillers in report["groups"].items():
        for name, row in fillers.items():
            print(f"| {group} | {name} | {' | '.join(str(row.get(c)) for c in columns)} |")
    finish(report, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--cases", type=int, default=120, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no case after these")
    parser.add_argument("--fillers", metavar="NAME,...", help="some of them only")
    parser.add_argument("--verbose", action="store_true", help="print every answer to stderr")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
