"""`diffill train`: tune the model on a repository, and look after the run.

    diffill train [REPO]                  tune, or go on with a run that was not over
    diffill train [REPO] --dry-run        what would be used, and how long it would take
    diffill train status|pause|resume|stop|report [REPO]
    diffill train [REPO] --keep-up        tune only if it is worth it and today's minutes allow it
    diffill train [REPO] --install-hook   do that after every commit

Invariants: with `--json` stdout holds one JSON document a line and nothing else; a failure is one
line on stderr (with `--json` also one `failed` event) and exit status 2; an option that would do
nothing is refused.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.adapters.home import expanded
from diffusion.errors import ConfigError, DiffillError
from diffusion.json_line import json_line
from diffusion.refusal import check_stdout, of_output, refusal
from diffusion.threads import settle
from diffusion.train import launched
from diffusion.train.given_options import check_given, given_options
from diffusion.usage import AnsweringCommand

if TYPE_CHECKING:
    from diffusion.train.keep_up import Meter
    from diffusion.train.tune_job import TuneOptions

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
ACTIONS = ("status", "pause", "resume", "stop", "report")
_SIGNALLED = 130
_MOST_THREADS = 256
_NOBODY_READS = (errno.EPIPE, errno.EINVAL)
"""What a pipe without a reader answers, the second one on Windows."""


class EventCommand(AnsweringCommand):
    """A command whose `--json` tells of events."""

    def document(self, said: str) -> dict[str, str]:
        """As any other failure of a run."""
        return {"event": "failed", "message": said}


@app.command(cls=EventCommand)
def train(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[status|pause|resume|stop|report] [REPO]",
            help="the repository (by default the one you are in), after what to do with its run",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only say what would be used, and how long it takes")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a line")] = False,
    minutes: Annotated[float, typer.Option(help="train at most so long, in all starts")] = 10.0,
    method: Annotated[str, typer.Option(help="lora, or full for every weight")] = "lora",
    learning_rate: Annotated[
        str,
        typer.Option(metavar="auto|RATE", help="peak rate; auto: tried out on the repository"),
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="of the adapter; by default the time")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="do not go on with an older run")] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    cases: Annotated[int, typer.Option(min=0, help="held-out holes filled before and after")] = 60,
    licence_headers: Annotated[
        bool, typer.Option("--licence-headers", help="learn the licence headers of files, too")
    ] = False,
    select: Annotated[
        bool, typer.Option("--select/--no-select", help="serve the new adapter at once")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, max=_MOST_THREADS, help="processor threads")
    ] = None,
    nice: Annotated[int, typer.Option(min=0, max=19, help="how far to stand back")] = 15,
    probe_s: Annotated[float, typer.Option("--probe-s", help="seconds of the speed probe")] = 5.0,
    keep_up: Annotated[
        bool,
        typer.Option("--keep-up", help="only if files changed, on mains, within the day's minutes"),
    ] = False,
    minutes_per_day: Annotated[
        float, typer.Option(min=0, help="of processor time, for --keep-up and the hook")
    ] = 30.0,
    install_hook: Annotated[
        bool, typer.Option("--install-hook", help="have git start --keep-up after every commit")
    ] = False,
    remove_hook: Annotated[
        bool, typer.Option("--remove-hook", help="take that hook out again")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="for report")] = None,
    stdin_control: Annotated[bool, typer.Option("--stdin-control", hidden=True)] = False,
) -> None:
    """Tune the model on a repository. Ctrl-C saves; the same command goes on."""
    told = _Told(_json_line) if as_json else None
    try:
        alone = launched.alone()
        if not alone and not launched.is_first():
            told = _Told(lambda event: None)  # the first process speaks for all
        action, repository = _read(words or [])
        given = given_options(context)
        if install_hook and remove_hook:
            raise ConfigError(
                "--install-hook and --remove-hook are opposites", fix="give one of them"
            )
        check_given(context, _of_use(action, given))
        _check_times(minutes, minutes_per_day, probe_s)
        if action is not None:
            _look_after(action, repository, out, as_json=as_json)
            return
        if install_hook or remove_hook:
            _hook(repository, minutes_per_day, model, put_in=install_hook, as_json=as_json)
            return
        _stand_back(nice)
        if keep_up and not alone:
            raise ConfigError(
                "--keep-up works in one process", fix="leave it out, or the launcher"
            )
        with ExitStack() as held:
            # Whether at all comes first: to be ready to train takes seconds, and 400 MB.
            meter = _due(held, repository, minutes_per_day, model, told) if keep_up else None
            settled = settle(threads)
            from diffusion.train.precision import half_is_fast
            from diffusion.train.tune_config import TuneConfig
            from diffusion.train.tune_job import TuneOptions

            config = TuneConfig(
                method=method, learning_rate=_rate(learning_rate), threads=settled,
                bf16=half_is_fast(),
            )  # fmt: skip
            options = TuneOptions(
                minutes, config, model, name, fresh, licence_headers, cases, cases * 2 // 3,
                select if "select" in given else None, by_itself=keep_up,
                chosen=frozenset() if keep_up else given,
            )  # fmt: skip
            _use_threads(settled)
            if dry_run:
                _plan(repository, options, probe_s, as_json=as_json)
                return
            last = _train(repository, options, told, meter, stdin_control=stdin_control)
            if last == "stopped":
                raise typer.Exit(0 if stdin_control or keep_up else _SIGNALLED)
    except (DiffillError, OSError) as error:
        if of_output(error):
            raise
        said = refusal(error) if isinstance(error, OSError) else str(error)
        if told is not None and not told.failed:
            told({"event": "failed", "message": said})
        typer.echo(f"error: {said}", err=True)
        raise typer.Exit(2) from error


class _Told:
    """Passes events on, and knows whether the last one was a failure.

    When whoever reads them is gone, as with an editor that was closed, `on_gone` is called.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self._say, self.failed = say, False
        self.on_gone: Callable[[], None] = lambda: None

    def __call__(self, event: dict[str, Any]) -> None:
        self.failed = event["event"] == "failed"
        try:
            self._say(event)
        except OSError as error:
            if error.errno not in _NOBODY_READS:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.on_gone()


def _of_use(action: str | None, given: frozenset[str]) -> frozenset[str]:
    """What may be given, of all parameters, where these are."""
    always = {"words", "as_json"}
    if action is not None:
        return frozenset({*always, "nice", *({"out"} if action == "report" else ())})
    if "install_hook" in given:
        return frozenset({*always, "install_hook", "minutes_per_day", "model"})
    if "remove_hook" in given:
        return frozenset({*always, "remove_hook"})
    useless = {"out"}
    if "keep_up" not in given:
        useless.add("minutes_per_day")
    if "dry_run" in given:
        useless |= {"keep_up", "minutes_per_day", "name", "select"}
    else:
        useless.add("probe_s")
    return given - useless


def _check_times(minutes: float, per_day: float, probe_s: float) -> None:
    """Raises ConfigError for what is no length of time."""
    if not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes is {minutes:g}", fix="give a time above 0")
    for option, value in (("--minutes-per-day", per_day), ("--probe-s", probe_s)):
        if not 0 <= value < math.inf:
            raise ConfigError(f"{option} is {value:g}", fix="give a time from 0 up")


def _read(words: list[str]) -> tuple[str | None, Path]:
    action = words[0] if words and words[0] in ACTIONS else None
    rest = words[1:] if action else words
    if len(rest) > 1:
        raise ConfigError(
            f"{' '.join(rest)} is more than one repository", fix="train on one at a time"
        )
    repository = expanded(Path(rest[0] if rest else "."), "repository")
    if not os.path.isdir(repository):  # a name that is too long names none, either
        raise ConfigError(f"{repository} is no folder", fix="name a repository")
    return action, repository


def _rate(text: str) -> float | None:
    """The peak rate that was given, None for auto."""
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"--learning-rate is {text}", fix="give auto, or a number like 0.001"
        ) from None


def _json_line(event: dict[str, Any]) -> None:
    print(json_line(event), flush=True)


def _stand_back(nice: int) -> None:
    """Low priority, and few kept kernels: oneDNN keeps a thousand, one for every batch shape."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")  # read when torch is loaded
    if nice and hasattr(os, "nice"):
        os.nice(nice)


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _due(
    held: ExitStack,
    repository: Path,
    minutes_per_day: float,
    model: Path | None,
    say: _Told | None,
) -> Meter:
    """Books the time of a run that should begin by itself now; ends the command where none should.

    `held` keeps others from looking, too. Raises TrainingError where that cannot be. No torch.
    """
    from diffusion.adapters.home import home_of
    from diffusion.train import keep_up
    from diffusion.train.control import alone

    home = home_of(repository)
    meter = keep_up.Meter(keep_up.Spent(home.folder / keep_up.SPENT_FILE), minutes_per_day)
    if held.enter_context(alone(home.folder / keep_up.LOOKING_FILE)):
        why_not = keep_up.why_not(keep_up.situation(home, minutes_per_day, model))
        meter.book()
    else:
        why_not = "another start that nobody asked for is at work"
    if why_not is None:
        return meter
    event = {"event": "stopped", "message": f"not now: {why_not}"}
    (say or (lambda told: typer.echo(told["message"], err=True)))(event)
    raise typer.Exit


def _train(
    repository: Path,
    options: TuneOptions,
    say: _Told | None,
    meter: Meter | None,
    *,
    stdin_control: bool,
) -> str:
    """The last event of the run; `meter` books its time, where it began by itself."""
    from diffusion.adapters.home import home_of
    from diffusion.train.control import STOP, Control
    from diffusion.train.signals import stopped_by_signals
    from diffusion.train.tune_job import run_job
    from diffusion.train.tune_screen import Screen

    control = Control(home_of(repository).run)

    def metered(report: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        return report if meter is None else meter.listening(control, report)

    if stdin_control:
        control.listen(sys.stdin)
    if say is not None:
        say.on_gone = lambda: control.tell(STOP)
    try:
        with stopped_by_signals(lambda: control.tell(STOP), "stopping..."):
            if say is not None:
                last = run_job(repository, options, report=metered(say), control=control)
            else:
                with Screen(options.minutes) as screen:
                    report = metered(screen.show)
                    last = run_job(repository, options, report=report, control=control)
    except KeyboardInterrupt:
        raise typer.Exit(_SIGNALLED) from None
    return str(last["event"])


def _plan(repository: Path, options: TuneOptions, probe_s: float, *, as_json: bool) -> None:
    from diffusion.train.signals import ended_by_sigterm
    from diffusion.train.tune_job import plan_only
    from diffusion.train.tune_screen import plan_lines

    check_stdout()
    with ended_by_sigterm():
        plan = plan_only(repository, options, probe_s=probe_s)
    if as_json:
        _json_line(plan.to_json())
        return
    for line in plan_lines(plan.to_json()):
        print(line)


def _hook(
    repository: Path, minutes_per_day: float, model: Path | None, *, put_in: bool, as_json: bool
) -> None:
    from diffusion.adapters.base import base_of, model_folder
    from diffusion.adapters.home import repository_root
    from diffusion.train import commit_hook

    root = repository_root(repository)
    if model is not None:
        model = model_folder(model)
        base_of(model)  # what is none must be told now: a commit would tell nobody
    if put_in:
        path = commit_hook.install(root, minutes_per_day, model)
    else:
        path = commit_hook.remove(root)
    if as_json:
        _json_line({"hook": str(path), "installed": put_in})
    else:
        print(f"{path} {'tunes after every commit' if put_in else 'is removed'}")


def _look_after(action: str, repository: Path, out: Path | None, *, as_json: bool) -> None:
    from diffusion.adapters.home import home_of
    from diffusion.train.run_state import run_state, steer
    from diffusion.train.tune_screen import state_line

    home = home_of(repository)
    if action == "report":
        from diffusion.train.tune_report import write_report

        page = out or Path("diffill-tuning.html")
        write_report(home.run, page)
        print(json_line({"report": str(page)}) if as_json else f"report written to {page}")
        return
    if action == "status":
        check_stdout()
    else:
        steer(home.run, action)
    state = run_state(home.run)
    if as_json:
        _json_line(state)
    else:
        print(state_line(state))
