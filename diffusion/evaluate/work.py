"""A run over cases by several processes: which filler, how, and rows in the order of the cases.

The unit of work is one case at every length asked for, so that what the lengths share (the
reference's syntax errors, the same completion run twice) is done once. A worker is a fresh
interpreter with one thread of its own for the model; it never shares torch's state.

Invariants: rows are the same whatever the number of workers, but for times. A plan is plain
data, so it can be sent to a process. No worker outlives the process that started it, however that
ended. What a worker cannot load is told as one error, as without workers.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusion.errors import DiffillError, EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import Execution, Executor, Filler, Length, evaluate_case
from diffusion.libraries import offline_and_quiet

if TYPE_CHECKING:
    from diffusion.process.sampler_config import SamplerConfig

MODEL_FILLERS = ("diffill", "typing", "hasty", "canvases", "bare")
"""As served by key; as served while somebody types, when quotes may be the answer and slots are
kept; with slots kept, but the model always asked; without quotes; without quotes, the document's
votes and a fitted ranking."""
BASELINES = ("quote", "copy", "ngram")
"""What needs no model."""
FILLERS = (*MODEL_FILLERS, *BASELINES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What fills the holes, and whether programs are run.

    `threads`: processor threads for the model, in each worker. `cpu_s`: processor seconds of an
    executed program. `sampler`, `quantiles` (of lengths to try), `forks` (of each canvas) and
    `quotes` (how many to weigh), `votes`, `context_tokens`: in place of those that serving uses.
    `evidence`: rows tell of every candidate, and what was known of it. `device`: where the model
    runs (`model.device`).
    """

    filler: str = "diffill"
    lengths: tuple[Length, ...] = ("predicted",)
    model: Path | None = None
    threads: int | None = None
    execute: bool = False
    cpu_s: int = 3
    sampler: SamplerConfig | None = None
    quantiles: tuple[float, ...] | None = None
    forks: int | None = None
    quotes: int | None = None
    votes: bool | None = None
    context_tokens: int | None = None
    evidence: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.filler not in FILLERS:
            raise EvaluationError(
                f"filler '{self.filler}' is unknown", fix=f"name one of {', '.join(FILLERS)}"
            )


class Work:
    """A plan made ready: the filler loaded, the executor settled."""

    def __init__(
        self, plan: Plan, *, filler: Filler | None = None, executor: Executor | None = None
    ) -> None:
        self.plan = plan
        self.filler = filler or load_filler(plan)
        self._executor = executor
        if executor is None and plan.execute:
            from diffusion.evaluate.executor import PythonExecutor

            self._executor = PythonExecutor(cpu_s=plan.cpu_s)

    def rows(self, case: Case) -> list[dict[str, Any]]:
        """One row for each length of the plan."""
        once = None if self._executor is None else _Once(self._executor)
        return [
            evaluate_case(self.filler, case, length, executor=once) for length in self.plan.lengths
        ]


class _Once:
    """Executes the same completion of one case once, however many lengths led to it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._known: dict[str, Execution | None] = {}

    def execute(self, case: Case, completion: str) -> Execution | None:
        if completion not in self._known:
            self._known[completion] = self._executor.execute(case, completion)
        return self._known[completion]

    def runs(self, case: Case) -> bool:
        return self._executor.runs(case)


def load_filler(plan: Plan) -> Filler:
    """The filler of a plan.

    Raises:
        CheckpointError: the model folder is missing, damaged or another tokenizer's.
    """
    if plan.filler in MODEL_FILLERS:
        from diffusion.evaluate.model_filler import load_model
        from diffusion.evaluate.twin_filler import is_twin, load_twin

        if plan.model is not None and is_twin(plan.model):
            if plan.device != "cpu":
                raise EvaluationError(
                    f"{plan.model} is a twin, which runs on the processor, not on {plan.device}",
                    fix="leave --device away",
                )
            return load_twin(plan.model, threads=plan.threads)
        filler = load_model(
            plan.model,
            threads=plan.threads,
            sampler=plan.sampler,
            quantiles=plan.quantiles,
            forks=plan.forks,
            quotes=plan.quotes if plan.filler in ("diffill", "typing", "hasty") else 0,
            votes=plan.votes,
            context_tokens=plan.context_tokens,
            evidence=plan.evidence,
            at_once=plan.filler == "typing",
            in_haste=plan.filler in ("typing", "hasty"),
            device=plan.device,
        )
        return filler if plan.filler != "bare" else filler.bare()
    from diffusion.evaluate.baselines import CopyNearestLine, FirstQuote, Ngram

    baselines: dict[str, Filler] = {
        filler.name: filler for filler in (FirstQuote(), CopyNearestLine(), Ngram())
    }
    return baselines[plan.filler]


def run(
    plan: Plan, cases: Sequence[Case], *, workers: int = 1, work: Work | None = None
) -> Generator[list[dict[str, Any]], None, None]:
    """For each case in order, its rows, one for each length. Closed, it stops its workers.

    Args:
        plan: see `Plan`.
        cases: what to fill.
        workers: processes. 1 does the work here.
        work: the plan, ready made, for when it is done here.

    Raises:
        EvaluationError: `workers` is less than 1, or one ended early.
        DiffillError: what `Work` raises where one could not start.
    """
    if workers < 1:
        raise EvaluationError(f"--workers is {workers}", fix="give 1 or more")
    if workers == 1 or work is not None:
        work = work or Work(plan)
        for case in cases:
            yield work.rows(case)
        return
    pool = ProcessPoolExecutor(
        min(workers, max(1, len(cases))),
        mp_context=multiprocessing.get_context("spawn"),  # torch's threads do not survive a fork
        initializer=_start,
        initargs=(plan,),
    )
    with pool:
        try:
            yield from pool.map(_rows, cases, chunksize=4)
        except BrokenProcessPool as error:
            raise EvaluationError(
                "a worker process ended early", fix="run with --workers 1 to see why"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_here: list[Work | DiffillError] = []
"""The worker process's own work, or why there is none: set once when it starts."""


def _start(plan: Plan) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(plan.threads or 1)
    offline_and_quiet()
    try:
        _here.append(Work(plan))
    except DiffillError as error:  # raised here it would be a traceback, and no word to the parent
        _here.append(error)


def _end_with_parent() -> None:
    """End this worker when its parent is gone, which leaves nobody to stop it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _rows(case: Case) -> list[dict[str, Any]]:
    work = _here[0]
    if isinstance(work, DiffillError):
        raise work
    return work.rows(case)
