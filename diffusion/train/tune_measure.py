"""Measuring a run's adapter against the base model, hole by hole, over as many starts as it takes.

A hole takes both models a second or two, so what a start has measured is kept in the run's folder
(`tune_stored.MEASURED_FILE`) and the next one goes on behind it: with a few minutes a day, too, a
run comes to its end.

Invariants: a row counts for the same base model, the same adapter and the same hole only; a line
that a kill has torn is measured anew; what is kept holds both models' rows of a hole or neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusion.adapters.durable import write_file
from diffusion.adapters.smoke import check_served
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.evaluate.model_filler import ModelFiller
from diffusion.infill import Infiller
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.tune_data import DATA, GENERAL
from diffusion.train.tune_figures import (
    Compared,
    Pair,
    compare,
    held_out_cases,
    load,
    trained_lines,
)
from diffusion.train.tune_stored import MEASURED_FILE

_CASES_PER_EVENT = 10
_TIMED = 4
_SAYS = ("exact_match", "edit_similarity", "completion")


class Measured:
    """The rows of a run that are on the disk. `of` says which models they are of."""

    def __init__(self, run: Path, of: str) -> None:
        self._file, self._of = run / MEASURED_FILE, of
        self._pairs = dict(_read(self._file, of))
        lines = [self._line(key, pair) for key, pair in self._pairs.items()]
        write_file(self._file, b"".join(lines))  # without what is torn, or of other models

    def known(self, case: Case) -> Pair | None:
        """What both models made of a hole, None where that is not known yet."""
        return self._pairs.get(_key(case))

    def keep(self, case: Case, pair: Pair) -> None:
        """Remember a hole's rows. Raises OSError."""
        with self._file.open("ab") as file:
            file.write(self._line(_key(case), pair))

    def _line(self, key: str, pair: Pair) -> bytes:
        rows = [{name: row[name] for name in _SAYS} for row in pair]
        return json.dumps({"of": self._of, "hole": key, "rows": rows}).encode() + b"\n"


def _read(file: Path, of: str) -> Iterator[tuple[str, Pair]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return  # nothing was measured yet
    for line in lines:
        try:
            raw = json.loads(line)
            before, after = ({name: row[name] for name in _SAYS} for row in raw["rows"])
            if raw["of"] == of:
                yield str(raw["hole"]), (before, after)
        except (ValueError, KeyError, TypeError):
            continue  # torn


def _key(case: Case) -> str:
    return hashlib.sha256(json.dumps(asdict(case)).encode()).hexdigest()


def measure(
    run: Path,
    model_dir: Path,
    candidate: Path,
    tokenizer: Tokenizer,
    counts: tuple[int, int],
    *,
    of: str,
    gate: Callable[[], bool],
    say: Callable[..., Any],
) -> tuple[Compared, Compared] | None:
    """Both models on held-out holes of the repository and of general code.

    Only the former have a repository around them. None where `gate` said to stop; what was measured
    until then is kept. Raises AdapterError for an adapter that cannot be served, OSError.
    """
    say("measuring")
    base, tuned = load(model_dir), load(model_dir, candidate)
    check_served(tuned)
    rows = Measured(run, of)

    def on_case(done: int, of: int) -> None:
        if done % _CASES_PER_EVENT == 0:
            say("measuring", done=done, of=of)

    found = []
    for name, count in zip((DATA, GENERAL), counts, strict=True):
        compared = compare(
            base, tuned, held_out_cases(run, name, tokenizer, count),
            repository=trained_lines(run / name, tokenizer) if name == DATA else {},
            gate=gate, on_case=on_case, known=rows.known, keep=rows.keep,
        )  # fmt: skip
        if compared is None:
            return None
        found.append(compared)
    return found[0], found[1]


def expected(
    run: Path, infiller: Infiller, tokenizer: Tokenizer, counts: tuple[int, int]
) -> tuple[int, float]:
    """How many holes both models will be measured on, and about how many minutes that takes.

    A few of them are filled; `run` holds the shards.
    """
    own, general = (
        held_out_cases(run, name, tokenizer, count)
        for name, count in zip((DATA, GENERAL), counts, strict=True)
    )
    cases = own + general
    if not cases:
        return 0, 0.0
    filler = ModelFiller(infiller, repository=trained_lines(run / DATA, tokenizer))
    evaluate_case(filler, cases[0], "predicted")  # warms up
    timed = cases[:: max(1, len(cases) // _TIMED)]
    ms = sum(evaluate_case(filler, case, "predicted")["ms"] for case in timed) / len(timed)
    return len(cases), 2 * len(cases) * ms / 60_000
