"""The training process of one client: started, steered, listened to. Knows no protocol.

The process is `diffill train --json --stdin-control`: every line of its stdout is an event, what
is written to its stdin tells it to wait, and the end of its stdin tells it to save and stop, so a
server or an editor that dies takes its run along in good order. It may also be steered through
its folder, by any process (`diffusion.train.control`).

Invariants: at most one process a server; an event that cannot be read is logged and skipped; this
module imports no torch, and nothing of it waits for the process on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lsp_server.errors import TrainingUnavailable

logger = logging.getLogger(__name__)
OnEvent = Callable[[dict[str, Any]], None]
_LINE_BYTES = 1 << 24
_PLAN_S = 300.0
_TIDY_S = 5.0
"""How long a plan that nobody waits for may remove what it has written."""


def command_line(repository: Path, *options: str) -> list[str]:
    """The command of a run or a plan."""
    # -P: the server's folder is often the open one, and python must import nothing from there.
    return [sys.executable, "-P", "-m", "diffusion", "train", str(repository), "--json", *options]


class TrainingJob:
    """The run of a server, if there is one."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._starting = False
        self.last: dict[str, Any] = {}

    @property
    def active(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self, command: Sequence[str]) -> None:
        """Start the process. Raises TrainingUnavailable where one runs, or none can."""
        followed = self._task is not None and not self._task.done()
        if self._starting or self.active or followed:
            raise TrainingUnavailable(
                "this server trains already", fix="stop it first, or wait until it is done"
            )
        self.last, self._starting = {}, True
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_BYTES,
                env=_environment(),
            )
        except OSError as error:
            raise TrainingUnavailable(
                f"the training process could not be started ({error})", fix="see diffill doctor"
            ) from error
        except ValueError as error:
            raise no_model(error) from error
        finally:
            self._starting = False
        self._task = asyncio.ensure_future(self._follow(self._process))

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None and process.stderr is not None
        errors = asyncio.ensure_future(process.stderr.read())
        async for line in process.stdout:
            try:
                event = json.loads(line)
                _ = event["event"]
            except (ValueError, KeyError, TypeError):
                logger.warning("the training process wrote what is no event")
                continue
            self._tell(event)
        code = await process.wait()
        told = (await errors).decode(errors="replace").strip().splitlines()
        if self.last.get("event") not in ("done", "stopped", "failed"):
            reason = told[-1] if told else f"exit code {code}"
            self._tell({"event": "failed", "message": f"the training process ended: {reason}"})

    def _tell(self, event: dict[str, Any]) -> None:
        self.last = event
        try:
            self._on_event(event)
        except Exception:
            # A mistake in showing an event must not end the run.
            logger.exception("a training event could not be shown")

    def wait_a_moment(self, ms: int) -> None:
        """Tell the run to wait: somebody types."""
        self._write(b"yield %d\n" % ms)

    def steer(self, action: str) -> None:
        """Tell the process to `pause`, `resume` or `stop`, also before it is at work."""
        if action == "stop":
            self.close()
        else:
            self._write(f"{action}\n".encode())

    def _write(self, line: bytes) -> None:
        process = self._process
        if self.active and process is not None and process.stdin is not None:
            try:
                process.stdin.write(line)
            except (OSError, RuntimeError):  # it is ending just now
                logger.debug("the training process hears nothing any more")

    def close(self) -> None:
        """End the process's stdin: it saves and stops by itself."""
        if self.active and self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


async def read_plan(command: Sequence[str]) -> dict[str, Any]:
    """The plan that a `--dry-run` prints. Raises TrainingUnavailable with what went wrong."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
    except OSError as error:
        raise TrainingUnavailable(f"no plan could be made ({error})", fix="see doctor") from error
    except ValueError as error:
        raise no_model(error) from error
    try:
        async with asyncio.timeout(_PLAN_S):
            out, errors = await process.communicate()
    except TimeoutError:
        raise TrainingUnavailable(
            f"the plan took longer than {_PLAN_S:.0f} s", fix="name a smaller folder"
        ) from None
    finally:
        if process.returncode is None:
            await _end(process)
    try:
        found: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    except (ValueError, IndexError):
        told = errors.decode(errors="replace").strip().splitlines()
        raise TrainingUnavailable(
            f"no plan could be made: {told[-1] if told else 'the process said nothing'}",
            fix="run `diffill train --dry-run` to see more",
        ) from None
    if found.get("event") == "failed":
        raise TrainingUnavailable(str(found.get("message")))
    return found


def no_model(error: ValueError) -> TrainingUnavailable:
    """For a path that no system takes: of all words of a command, the model's is not looked at."""
    return TrainingUnavailable(
        f"the path of the model is none ({error})", fix="set diffill.model.path to a folder"
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Tell a process to end, and kill it where it does not."""
    process.terminate()
    try:
        async with asyncio.timeout(_TIDY_S):
            await process.wait()
    except TimeoutError:
        logger.warning("a plan did not end when it was told to")
    finally:
        if process.returncode is None:
            process.kill()


def _environment() -> dict[str, str]:
    """This process's environment, with this program on the path of modules."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
