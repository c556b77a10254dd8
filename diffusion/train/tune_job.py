"""One run from the repository to a published adapter: scan, plan, train, measure, publish.

What a run has begun it finishes: the shards and the configuration are in its folder, so that the
same command goes on after any kind of end (`tune_stored`). A run always starts from the base model,
never from an earlier adapter, so that files which were held out stay unseen by what is measured on
them.

Invariants: an adapter whose loss on the held-out files is no lower than the base model's, that
fills fewer holes of them, or that cannot be loaded and fill a hole, is never published; options
that cannot be leave a run as it is.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.adapters.base import base_of, model_folder
from diffusion.adapters.durable import owned, remove_parts, write_file, write_folder
from diffusion.adapters.home import RepositoryHome, home_of, note_repository
from diffusion.adapters.made import note_made, thin_out
from diffusion.adapters.manifest import MANIFEST_FILE, WEIGHTS_FILE, AdapterManifest, check_name
from diffusion.adapters.store import AdapterStore
from diffusion.cancel import Cancelled
from diffusion.data.repository import scan_repository
from diffusion.errors import AdapterError, DiffillError, TrainingError
from diffusion.model.checkpoint import load_checkpoint
from diffusion.model.manifest import FileRecord
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.begun import spelled
from diffusion.train.control import Control, only_run
from diffusion.train.finetune import Tuned, finetune
from diffusion.train.plan import TuningPlan, make_plan, most_steps, probe
from diffusion.train.run_log import Report, RunLog
from diffusion.train.team import Team
from diffusion.train.trained_part import adapter_bytes
from diffusion.train.tune_config import DEFAULT_MINUTES, TuneConfig
from diffusion.train.tune_data import write_data
from diffusion.train.tune_figures import load
from diffusion.train.tune_measure import expected, measure
from diffusion.train.tune_step import Futile
from diffusion.train.tune_stored import (
    CHOSEN,
    SAMPLES_FILE,
    OtherOptions,
    StoredRun,
    check_options,
    digests,
    end,
    forget,
    note_name,
    noted_name,
    store,
    stored_run,
    why_anew,
)

_CANDIDATE, _PROBE = "candidate", "probe-"


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What a user asks for. Raises AdapterError for a name that no adapter may have."""

    minutes: float = DEFAULT_MINUTES
    config: TuneConfig = field(default_factory=TuneConfig)
    model: Path | None = None
    name: str | None = None
    fresh: bool = False
    licence_headers: bool = False
    cases: int = 60
    general_cases: int = 40
    select: bool | None = None
    """Whether the adapter is served at once; None: as the run was begun, a new one is."""
    by_itself: bool = False
    """Nobody asked for the run: of the adapters that such runs name, few are kept."""
    chosen: frozenset[str] = CHOSEN
    """Those that must hold for a run that goes on, too; in the others its own hold."""

    def __post_init__(self) -> None:
        if self.name:
            check_name(self.name)  # now, not when the training is done

    @property
    def model_dir(self) -> Path:
        """The folder of the base model. Raises ConfigError for `~nobody`."""
        return model_folder(self.model)

    @property
    def counts(self) -> tuple[int, int]:
        """Held-out holes to measure on: of the repository, and of general code."""
        return self.cases, self.general_cases


def plan_only(repository: Path, options: TuneOptions, *, probe_s: float) -> TuningPlan:
    """What a new run would do. Only a scratch folder is written, and removed again.

    Raises DiffillError where there can be no run.
    """
    home = home_of(repository)
    remove_parts(home.folder, _PROBE)
    unfinished = None if options.fresh else _unfinished(home, options)
    scanned, tokenizer = scan_repository(home.root), _tokenizer(options)
    speed, measuring = None, []
    if probe_s > 0:
        scratch = owned(home.folder, _PROBE)
        try:
            write_data(scratch, scanned, tokenizer, licence_headers=options.licence_headers)
            model = load_checkpoint(options.model_dir).model
            speed = probe(scratch, model, tokenizer, options.config, seconds=probe_s)
            served = load(options.model_dir)
            holes, minutes = expected(scratch, served, tokenizer, options.counts)
            if holes:
                measuring = [f"measuring on {holes} holes follows: {minutes:.1f} minutes or so"]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    plan = make_plan(
        scanned, tokenizer, options.config, options.minutes,
        tokens_per_s=speed, licence_headers=options.licence_headers,
    )  # fmt: skip
    return replace(plan, notes=[*measuring, *plan.notes, *([unfinished] if unfinished else [])])


def _unfinished(home: RepositoryHome, options: TuneOptions) -> str | None:
    """What would be done about a run that is not over, in words."""
    stored = stored_run(home.run)
    if stored is None:
        return None
    why = why_anew(stored, base_of(options.model_dir).weights_sha256, home.root)
    if why is not None:
        return f"there is a run that is not over; the next one begins anew: {why}"
    try:
        check_options(stored, options.config, options.licence_headers, options.chosen)
    except OtherOptions as error:
        return str(error)
    return (
        "there is a run that is not over: the next start goes on with it, and with its text, not "
        "with what this plan says; --fresh starts over"
    )


def run_job(
    repository: Path,
    options: TuneOptions,
    *,
    report: Report = lambda event: None,
    control: Control | None = None,
) -> dict[str, Any]:
    """Tune on a repository, or go on with the run it has; gives back the last event.

    Raises DiffillError (in particular TrainingError where the repository is trained on already).
    """
    home, team = home_of(repository), Team()
    run = home.run
    if not team.main:
        return _Job(home, options, lambda event: None, control or Control(run), team).go()
    control = control or Control(run)
    control.begin()
    with only_run(run):
        log = RunLog(run, report, enabled=True)
        job = _Job(home, options, log.write, control, team)
        try:
            remove_parts(home.folder, _PROBE)
            return job.go()
        except OtherOptions:
            raise
        except DiffillError as error:
            log.write({"event": "failed", "message": str(error)})
            if isinstance(error, Futile):
                end(run, {"event": "failed", "message": str(error)})
            raise
        except OSError as error:
            failed = TrainingError(f"the run ended by {error}", fix="free some disk space")
            log.write({"event": "failed", "message": str(failed)})
            raise failed from error


class _Job:
    def __init__(
        self,
        home: RepositoryHome,
        options: TuneOptions,
        report: Report,
        control: Control,
        team: Team,
    ) -> None:
        self._home, self._options, self._team = home, options, team
        self._report, self._control = report, control
        self._run = home.run
        self._name, self._select = options.name, options.select is not False
        self._base = base_of(options.model_dir)
        self._tokenizer = _tokenizer(options)

    def go(self) -> dict[str, Any]:
        try:
            return self._go()
        except Cancelled:
            return self._say("stopped", message="run again to go on")

    def _check(self) -> None:
        """Raises Cancelled where the run should stop; of several processes none can alone."""
        if self._team.size == 1:
            self._control.check(self._say)

    def _go(self) -> dict[str, Any]:
        if self._team.main:
            stored = (None if self._options.fresh else self._kept()) or self._begin()
        self._team.wait()
        if not self._team.main:
            stored = self._begun()
        config = replace(stored.config, threads=self._options.config.threads)
        plan = stored.plan
        tuned = finetune(
            self._run, load_checkpoint(self._options.model_dir).model, self._tokenizer, config,
            minutes=self._options.minutes, most_steps=most_steps(plan["tokens"], config),
            report=self._report, control=self._control, team=self._team,
        )  # fmt: skip
        self._team.leave()
        if not self._team.main:
            return {"event": "stopped" if tuned.stopped else "done", "step": tuned.state.step}
        if tuned.stopped:
            return self._say("stopped", step=tuned.state.step, message="run again to go on")
        return self._finish(tuned, config, plan)

    def _say(self, event: str, **figures: Any) -> dict[str, Any]:
        said = {"event": event, **figures}
        self._report(said)
        return said

    def _kept(self) -> StoredRun | None:
        """The run that is not over, None where there is none to go on with.

        Raises OtherOptions where it was begun with others.
        """
        stored = stored_run(self._run)
        if stored is None:
            return None
        base = self._base.weights_sha256
        why = why_anew(stored, base, self._home.root, on_progress=self._check)
        if why is not None:
            self._say("warning", message=f"the run that is not over begins anew: {why}")
            return None
        options = self._options
        check_options(stored, options.config, options.licence_headers, options.chosen)
        self._name = self._name or stored.name
        self._select = stored.select if options.select is None else options.select
        self._say("resumed", root=str(self._home.root))
        return stored

    def _begun(self) -> StoredRun:
        """What the first process has begun, or goes on with."""
        stored = stored_run(self._run)
        if stored is None:
            raise TrainingError(
                f"process {self._team.rank} does not find the run in {self._run}",
                fix="give all machines the same DIFFILL_DATA, in a folder that they share",
            )
        return stored

    def _begin(self) -> StoredRun:
        """Scan, plan, and fix the data of a new run."""
        options, run = self._options, self._run
        rows = max(options.config.rows, self._team.size)  # or a process would have nothing to do
        config = replace(options.config, rows=rows)
        if not options.fresh:
            forget(run)  # in particular the text that must not be there any more
        self._say("scanning", root=str(self._home.root))
        repository = scan_repository(self._home.root, on_progress=self._check)
        plan = make_plan(
            repository, self._tokenizer, config, options.minutes,
            licence_headers=options.licence_headers, on_progress=self._check,
        ).to_json()  # fmt: skip
        if options.fresh:
            forget(run)  # not sooner: whoever stops the scan still has the older run
        write_data(
            run, repository, self._tokenizer, licence_headers=options.licence_headers,
            on_progress=self._check,
        )  # fmt: skip
        stored = StoredRun(
            config, plan, self._base.weights_sha256, options.name, options.licence_headers,
            digests(repository), select=self._select, model=spelled(options.model),
            by_itself=options.by_itself,
        )  # fmt: skip
        store(run, stored)
        few = ("files", "held_out_files", "tokens", "held_out_tokens", "languages", "excluded")
        self._say("plan", **{name: plan[name] for name in few}, notes=plan["notes"])
        return stored

    def _finish(self, tuned: Tuned, config: TuneConfig, plan: dict[str, Any]) -> dict[str, Any]:
        """Measure the best weights and publish them, if they are better."""
        state = tuned.state
        if tuned.trained is None:
            return self._end(
                step=state.step, adapter=None, figures={}, why=tuned.why,
                message="nothing was gained on the held-out files, so no adapter was published",
            )  # fmt: skip
        adapters = AdapterStore(self._home)
        weights = adapter_bytes(tuned.trained, tuned.base, config)
        record = {WEIGHTS_FILE: FileRecord.of_bytes(weights)}
        there = adapters.with_files(noted_name(self._run), record)
        if there is not None:  # it was cut off right after it had published
            return self._serve(adapters, there, state.step, tuned.why)
        wanted = self._name or datetime.now(UTC).strftime("%Y%m%d-%H%M")
        manifest = AdapterManifest(
            name=adapters.free_name(wanted),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            method=config.method,
            scale=config.scale,
            base_sha256=self._base.weights_sha256,
            tokenizer_hash=self._base.tokenizer_hash,
            data_digest=str(plan["data_digest"]),
        )
        candidate = self._run / _CANDIDATE
        shutil.rmtree(candidate, ignore_errors=True)
        write_folder(
            candidate,
            {WEIGHTS_FILE: weights, MANIFEST_FILE: replace(manifest, files=record).to_bytes()},
        )
        models = f"{self._base.weights_sha256} {record[WEIGHTS_FILE].sha256}"
        compared = measure(
            self._run, self._options.model_dir, candidate, self._tokenizer, self._options.counts,
            of=models, gate=lambda: self._control.gate(self._say), say=self._say,
        )  # fmt: skip
        if compared is None:
            return self._say("stopped", step=state.step, message="run again to measure and publish")
        own, general = compared
        write_file(self._run / SAMPLES_FILE, json.dumps(own.samples()).encode())
        figures = {
            "loss_before": state.base_loss,
            "loss_after": state.best_loss,
            "general_loss_before": state.general_base_loss,
            "general_loss_after": state.general_best_loss,
            "held_out": own.figures(),
            "general": general.figures(),
            "minutes": round(state.seconds_trained / 60, 2),
            "steps": state.step,
            "best_step": state.best_step,
            "learning_rate": state.rate,
            "learning_rate_why": state.rate_why,
            "learning_rate_losses": state.rate_losses,
            "tokens_seen": state.tokens_seen,
            "files": plan["files"],
            "tokens": plan["tokens"],
            "why_ended": tuned.why,
        }
        if own.worse:
            shutil.rmtree(candidate, ignore_errors=True)
            return self._end(
                step=state.step, adapter=None, figures=figures, why=tuned.why,
                message=f"of {len(own.cases)} held-out holes {own.gained} were gained and "
                f"{own.lost} lost, so no adapter was published",
            )  # fmt: skip
        name = adapters.free_name(wanted)  # measuring took minutes; another may have it by now
        note_name(self._run, name)
        measured = replace(manifest, name=name, figures=figures, files=record)
        adapters.publish(measured, weights)
        shutil.rmtree(candidate, ignore_errors=True)
        return self._serve(adapters, measured, state.step, tuned.why)

    def _serve(
        self, adapters: AdapterStore, manifest: AdapterManifest, step: int, why: str
    ) -> dict[str, Any]:
        """The run's adapter is there: select it, and end the run."""
        stored = stored_run(self._run)
        note_repository(self._home, manifest.name, stored.files if stored else ())
        if self._select:
            adapters.select(manifest.name, self._base)
        if self._options.by_itself and not self._name:
            self._thin_out(adapters, manifest)
        folder = str(adapters.folder_of(manifest.name))
        return self._end(
            step=step, adapter=manifest.name, folder=folder, figures=manifest.figures, why=why
        )

    def _thin_out(self, adapters: AdapterStore, manifest: AdapterManifest) -> None:
        """Of the adapters that nobody asked for, the oldest go."""
        try:
            note_made(adapters, manifest)
            thin_out(adapters)
        except (OSError, AdapterError) as error:
            self._say("warning", message=f"older adapters could not be removed ({error})")

    def _end(self, **figures: Any) -> dict[str, Any]:
        """The run is over; the next one begins anew."""
        end(self._run, {"event": "done", **figures})
        return self._say("done", **figures)


def _tokenizer(options: TuneOptions) -> Tokenizer:
    return Tokenizer.load(options.model_dir / "tokenizer.json")
