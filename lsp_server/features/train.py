"""`diffill/train/*`: a plan, a run, and what it does, for the folder that is open.

The run is a process of its own (`training.job`); its events become `diffill/train/progress` for
clients that announce `experimental.diffillTraining`, and `$/progress` for those that show
progress. While somebody types, the run is told to wait. When a run has published an adapter, the
server serves it without a restart. Some minutes after the last key it looks whether another process
has made or shared one, and, where the settings say so, starts a run of its own (`--keep-up`).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from diffusion.adapters.home import home_of
from diffusion.errors import DiffillError
from lsp_server.errors import TrainingUnavailable
from lsp_server.features import asking
from lsp_server.features.served import elsewhere, is_open, not_served
from lsp_server.features.train_params import is_folder, read, read_run
from lsp_server.protocol import (
    TRAIN_PAUSE,
    TRAIN_PLAN,
    TRAIN_PROGRESS,
    TRAIN_RESUME,
    TRAIN_START,
    TRAIN_STATUS,
    TRAIN_STOP,
)
from lsp_server.training.job import TrainingJob, command_line, no_model, read_plan
from lsp_server.training.policy import IDLE_S, YieldPolicy

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
_TITLE = "Diffill: tuning on this repository"
_OVER = ("done", "stopped", "failed")
_AGREE_S = 10.0
"""How long a client has to agree to a progress bar."""
_SAVED_S, _LOOK_AGAIN_S = 30.0, 3.0
"""How long a run may take to save when its server is restarted, and how often that is looked at."""


def open_folder(folders: Sequence[str]) -> Path | None:
    """The first of the folders that the client has open, given as URIs."""
    try:
        path = uris.to_fs_path(folders[0]) if folders else None
    except ValueError:  # no URI
        return None
    return Path(path) if path else None


class Training:
    """The training side of one client; lives on the event loop."""

    def __init__(self, server: DiffillServer) -> None:
        self._server = server
        self.job = TrainingJob(self.told)
        self.repository: Path | None = None
        self._policy = YieldPolicy()
        self._token: str | None = None
        """Of the run's progress bar, from when the client is asked for one."""
        self._is_drawn = False
        self._bar: asyncio.Task[None] | None = None
        self.agree_s = _AGREE_S
        self._asked_for = True
        self.idle_s = IDLE_S
        self._touched_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._starts: set[asyncio.Task[None]] = set()
        """Starts of runs that nobody asked for; a task that nothing refers to may vanish."""
        self.look_again_s = _LOOK_AGAIN_S
        self._closed = asyncio.Event()

    def touch(self) -> None:
        """The user did something: the run waits a moment, and idleness begins anew."""
        self._touched_s = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.idle_s, self._look)
        if self.job.active:
            wait_ms = self._policy.touch(1000 * time.monotonic())
            if wait_ms is not None:
                self.job.wait_a_moment(wait_ms)

    def _look(self) -> None:
        """The timer has run out: wait on if there was a key meanwhile, else nobody is at work."""
        left_s = self._touched_s + self.idle_s - time.monotonic()
        if left_s > 0:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._look)
            return
        self._timer = None
        self._server.session.choose_adapter()
        root = self._server.session.root
        if self._server.session.settings.train.keep_up and root is not None and is_folder(root):
            task = asyncio.ensure_future(self._keep_up(root))
            self._starts.add(task)
            task.add_done_callback(self._starts.discard)

    async def _keep_up(self, root: Path) -> None:
        if self.job.active:
            return
        try:
            await self.start(root, {"keepUp": True})
        except TrainingUnavailable as error:
            logger.warning("no run by itself: %s", error)

    async def go_on(self) -> None:
        """Go on with the run that was not over when the folder was opened, if settings say so.

        Before a server that was restarted, another one may have had it, and it may still save: it
        is waited for. Raises TrainingUnavailable and DiffillError.
        """
        from diffusion.train.begun import begun
        from diffusion.train.control import is_locked
        from diffusion.train.run_state import run_state

        session = self._server.session
        root, due_s = session.root, time.monotonic() + _SAVED_S
        if root is None or not session.settings.train.auto_resume or not is_folder(root):
            return
        run = home_of(root).run
        while is_locked(run):
            if time.monotonic() > due_s or await self._closes_within(self.look_again_s):
                return  # it is another window's
        is_wanted = session.root == root and session.settings.train.auto_resume
        state = run_state(run)["state"]
        if not is_wanted or self.repository is not None or state not in ("interrupted", "stopped"):
            return
        path, left = session.settings.model.path, begun(run)
        try:
            other = left.other_model(Path(path) if path else None)
        except ValueError as error:
            raise no_model(error) from error
        if other is not None:
            raise TrainingUnavailable(
                f"it is of another model, {other}", fix="set diffill.model.path to that one"
            )
        await self.start(root, {"begun": True, "keepUp": left.by_itself})

    async def _closes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    def trains(self, repository: Path) -> bool:
        """Whether the process that this server has started works on a repository."""
        if not self.job.active or self.repository is None:
            return False
        return home_of(self.repository) == home_of(repository)

    def close(self) -> None:
        """The run saves and stops; no other begins."""
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._starts:
            task.cancel()
        if self._bar is not None:
            self._bar.cancel()
        self.job.close()

    async def start(self, repository: Path, options: dict[str, Any]) -> None:
        """Start the process. Raises TrainingUnavailable."""
        await self.job.start(command(self._server, repository, options))
        self.repository = repository
        self._asked_for = not (options.get("keepUp") or options.get("begun"))
        if self._bar is not None:  # of a run that is over
            self._bar.cancel()
        if _shows_progress(self._server):
            self._token = token = f"diffill-train-{uuid.uuid4()}"
            self._bar = asyncio.ensure_future(self._draw(token))

    async def _draw(self, token: str) -> None:
        """Begin a progress bar, if the client agrees; the run does not wait for it."""
        asked = types.WorkDoneProgressCreateParams(token)
        method = types.WINDOW_WORK_DONE_PROGRESS_CREATE
        try:
            await asking.ask(self._server, method, asked, most_s=self.agree_s)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client draws no progress bar: %s", type(error).__name__)
            return
        begin = types.WorkDoneProgressBegin(title=_TITLE, cancellable=True, percentage=0)
        self._server.work_done_progress.begin(token, begin)
        self._is_drawn = True
        if self.job.last.get("event") in _OVER:  # it was over before the client agreed
            self._end_progress(str(self.job.last["event"]))

    def told(self, event: dict[str, Any]) -> None:
        """Pass an event of the run on."""
        server = self._server
        if server.protocol.is_shut_down:
            return
        kind = event.get("event")
        if kind == "done":
            server.session.choose_adapter()  # between two requests, and only if it can be served
        event = event | self._known(event)
        if _wants_events(server):
            server.protocol.notify(TRAIN_PROGRESS, event)
        if kind in _OVER:
            self._end_progress(_sentence(event))
        elif self._is_drawn and self._token is not None:
            share = event.get("progress")
            server.work_done_progress.report(
                self._token,
                types.WorkDoneProgressReport(
                    message=_sentence(event),
                    percentage=None if share is None else int(100 * share),
                ),
            )
        if kind == "failed" and not self._asked_for:
            logger.warning("a run by itself failed: %s", event.get("message"))
        elif kind == "failed":
            text = f"Diffill could not train: {event.get('message')}"
            server.window_show_message(types.ShowMessageParams(types.MessageType.Error, text))

    def _known(self, event: dict[str, Any]) -> dict[str, Any]:
        """What the run does not know: that nobody asked for it, why its adapter is not served."""
        known: dict[str, Any] = {} if self._asked_for else {"byItself": True}
        name, session = event.get("adapter"), self._server.session
        if event.get("event") == "done" and name and self.repository is not None:
            why = not_served(session, self.repository, str(name))
            known |= {} if why is None else {"notServed": why}
        return known

    def cancel(self, token: types.ProgressToken) -> None:
        """The client took a progress bar away: if it is the run's, the run saves and stops."""
        if token == self._token:
            self.job.close()

    def _end_progress(self, message: str) -> None:
        if self._is_drawn and self._token is not None:
            token, self._token, self._is_drawn = self._token, None, False
            end = types.WorkDoneProgressEnd(message=message)
            self._server.work_done_progress.end(token, end)


def command(server: DiffillServer, repository: Path, options: dict[str, Any]) -> list[str]:
    """The command of a run, from the settings and what the client asked for."""
    settings = server.session.settings
    words = [
        "--minutes", str(options.get("minutes", settings.train.max_minutes)),
        "--nice", str(settings.train.nice),
        "--threads", str(settings.train.threads),
    ]  # fmt: skip
    if not options.get("begun"):  # else it keeps the method that it has
        words += ["--method", str(options.get("method", settings.train.method))]
    if settings.model.path:
        words += ["--model", settings.model.path]
    if options.get("fresh"):
        words.append("--fresh")
    if options.get("dryRun"):  # the rest would do nothing there, and is refused
        return command_line(
            repository, "--dry-run", "--probe-s", str(options.get("probeSeconds", 5)), *words
        )
    if options.get("name"):
        words += ["--name", str(options["name"])]
    if options.get("keepUp"):
        words += ["--keep-up", "--minutes-per-day", str(settings.train.minutes_per_day)]
    return command_line(repository, "--stdin-control", *words)


async def plan(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """What a run would use, and how long it would take."""
    repository, options = read_run(ls, params)
    try:
        found = await read_plan(command(ls, repository, {**options, "dryRun": True}))
    except TrainingUnavailable as error:
        raise JsonRpcInvalidParams(str(error)) from None
    adapters = str(home_of(repository).adapters)
    if is_open(ls.session, repository) or ls.session.settings.model.adapter == adapters:
        return found
    note = elsewhere(adapters, "the newest that is made here")
    return {**found, "notes": [*found.get("notes", ()), note]}


async def start(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """Begin a run, or go on with the one that is not over."""
    repository, options = read_run(ls, params)
    try:
        await ls.training.start(repository, options)
    except TrainingUnavailable as error:
        raise JsonRpcInvalidParams(str(error)) from None
    return {"repository": str(repository)}


def cancelled(ls: DiffillServer, params: types.WorkDoneProgressCancelParams) -> None:
    ls.training.cancel(params.token)


def _steered(ls: DiffillServer, params: Any, action: str) -> dict[str, Any]:
    from diffusion.train.run_state import steer

    repository, _ = read(ls, params)
    is_ours, is_told = ls.training.trains(repository), True
    try:
        steer(home_of(repository).run, action)
    except DiffillError as error:
        if not is_ours:
            raise JsonRpcInvalidParams(str(error)) from None
        is_told = False  # its process is there, and not yet at work
    if is_ours and (action == "resume" or not is_told):
        ls.training.job.steer(action)
    return _state(ls, repository)


def _state(ls: DiffillServer, repository: Path) -> dict[str, Any]:
    from diffusion.train.run_state import run_state

    if ls.training.trains(repository) and not ls.training.job.last:
        return {"state": "runs"}  # what its folder says is of the run before
    return run_state(home_of(repository).run)


def pause(ls: DiffillServer, params: Any) -> dict[str, Any]:
    return _steered(ls, params, "pause")


def resume(ls: DiffillServer, params: Any) -> dict[str, Any]:
    return _steered(ls, params, "resume")


def stop(ls: DiffillServer, params: Any) -> dict[str, Any]:
    return _steered(ls, params, "stop")


def status(ls: DiffillServer, params: Any) -> dict[str, Any]:
    """The newest event of the repository's run, whoever started it."""
    repository, _ = read(ls, params)
    return {**_state(ls, repository), "ours": ls.training.trains(repository)}


def _sentence(event: dict[str, Any]) -> str:
    kind = str(event.get("event"))
    if kind == "done" and event.get("adapter"):
        why = event.get("notServed")
        became = "will be served" if why is None else f"not served: {why}"
        return f"adapter {event['adapter']} is made and {became}"
    if kind == "train":
        return f"loss {event['loss']:.2f}, {event['eta_minutes']:.0f} min left"
    if kind == "validation" and event.get("loss") is not None:
        return f"held-out loss {event['loss']:.2f}"
    return str(event.get("message") or kind)


def _wants_events(server: DiffillServer) -> bool:
    experimental = server.client_capabilities.experimental
    if isinstance(experimental, dict):
        return bool(experimental.get("diffillTraining"))
    return bool(getattr(experimental, "diffillTraining", False))


def _shows_progress(server: DiffillServer) -> bool:
    window = server.client_capabilities.window
    return bool(window and window.work_done_progress)


def watch(server: DiffillServer) -> None:
    """From now on, a run waits while somebody types."""
    server.session.on_touch = server.training.touch


async def go_on(server: DiffillServer) -> None:
    """Go on with a run that was not over, where the settings say so."""
    try:
        await server.training.go_on()
    except (DiffillError, TrainingUnavailable) as error:
        logger.warning("the interrupted run does not go on: %s", error)


def close(server: DiffillServer) -> None:
    """The run saves and stops; the next start goes on with it."""
    server.training.close()


def register(server: DiffillServer) -> None:
    server.training = Training(server)
    for method, handler in (
        (TRAIN_PLAN, plan), (TRAIN_START, start), (TRAIN_PAUSE, pause), (TRAIN_RESUME, resume),
        (TRAIN_STOP, stop), (TRAIN_STATUS, status),
    ):  # fmt: skip
        server.feature(method)(handler)
    server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancelled)
