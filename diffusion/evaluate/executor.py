"""Run completed programs against their tests: pass@1 for cases that carry a `test`.

A program is prefix + completion + suffix, then the test, then (for `humaneval` cases)
`check(entry_point)`, then one line that prints a fresh random token. It passes only if it
exits with 0 and that token is on its standard output, as a line: an early `exit(0)` in a
completion proves nothing, and neither does a program that prints its own source, where the token
stands in two halves. What a thread or an exit handler says after it changes nothing. Sets have one
order. Python only; other languages and test kinds are not executed.

Every program runs in its own `jail` (see there for the layers and for what they are not).
`PythonExecutor.layers` says which are in force. A program that does not even compile is told
apart beforehand and gets no process, which spares most of the time that a weak model takes.
It runs model output: keep it to evaluation, inside a container or on a machine that may be
thrown away.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import Execution

_JAIL: Final = Path(__file__).with_name("jail.py")
_MOST_OUTPUT_BYTES: Final = 1 << 20
_GRACE_S: Final = 5.0
_WALL_FACTOR: Final = 5.0
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
_FLAGS: Final[tuple[str, ...]] = ("-P", "-s", "-S", "-B")
"""As isolated as `-I`, in an environment that is bare, but that the hash seed counts."""
_OLD_FLAGS: Final[tuple[str, ...]] = ("-I", "-S", "-B")
"""Before Python 3.11, which knows no `-P`."""


@dataclass(frozen=True, slots=True)
class _Run:
    report: dict[str, Any]
    stdout: bytes
    stderr: bytes
    flooded: bool


class PythonExecutor:
    """Executes Python cases one at a time.

    Args:
        cpu_s: whole seconds of processor time a program may take.
        wall_s: seconds by the clock; by default five times as many, so that a busy machine
            fails no program that is merely kept waiting.
        memory_mb: its address space, in MiB.

    Raises:
        EvaluationError: programs cannot be confined on this system.
    """

    def __init__(
        self, *, cpu_s: int = 3, wall_s: float | None = None, memory_mb: int = 1024
    ) -> None:
        if sys.platform == "win32":
            raise EvaluationError(
                "programs cannot be confined on Windows", fix="run --execute under WSL or Linux"
            )
        self._cpu_s = cpu_s
        self._wall_s = cpu_s * _WALL_FACTOR if wall_s is None else wall_s
        self._memory_bytes = memory_mb << 20
        self._python = os.path.realpath(sys.executable)
        self._program_python, self._flags = self._python, _FLAGS
        self._drop_user = False
        self._folder = _folder_for_all() if os.geteuid() == 0 else None
        self.layers: tuple[str, ...] = ()
        self._settle()

    def execute(self, case: Case, completion: str) -> Execution | None:
        """Run one completed case; None if it carries no test this executor can run."""
        token = secrets.token_hex(16)
        source = program(case, completion, token)
        if source is None:
            return None
        try:
            data = source.encode("utf-8")
        except UnicodeEncodeError:
            return Execution(False, "failed: the program is not UTF-8")
        wrong = syntax_error(data) if self._program_python == self._python else None
        if wrong is not None:
            return Execution(False, f"failed: {wrong}")
        return _verdict(self._run(data), token)

    def runs(self, case: Case) -> bool:
        """Whether `execute` has a program for this case."""
        return program(case, "", "") is not None

    def _settle(self) -> None:
        """Find the most confined way to run a program that is known to pass.

        Root's own interpreter may lie where a user without rights cannot reach it; then the
        system's interpreter runs the programs.
        """
        token = secrets.token_hex(16)
        said = b""
        system_python = os.path.realpath(
            shutil.which("python3", path=os.defpath) or self._python
        )
        ways = (
            (self._python, _FLAGS, True), (system_python, _FLAGS, True),
            (system_python, _OLD_FLAGS, True), (self._python, _FLAGS, False),
        )  # fmt: skip
        for python, flags, drop_user in ways:
            self._program_python, self._flags, self._drop_user = python, flags, drop_user
            run = self._run(_announce(token).encode())
            if _verdict(run, token).passed:
                self.layers = tuple(run.report["layers"])
                if python != self._python:  # its modules and its version decide what passes
                    self.layers += (f"interpreter {python}",)
                if flags is _OLD_FLAGS:
                    self.layers += ("sets in random order",)
                return
            said = run.stderr
        raise EvaluationError(
            "a program that only prints does not run in the jail "
            f"({said.decode('utf-8', 'replace').strip() or 'no message'})",
            fix=f"check that {self._python} starts, or leave --execute out",
        )

    def _run(self, source: bytes) -> _Run:
        with tempfile.TemporaryDirectory(prefix="diffill-run-", dir=self._folder) as directory:
            os.chmod(directory, 0o755)  # the program may run under another user id
            main = Path(directory, "main.py")
            main.write_bytes(source)
            main.chmod(0o644)
            report_out, report_in = os.pipe()
            options = {
                "command": [self._program_python, *self._flags, str(main)],
                "directory": directory,
                "environment": _ENVIRONMENT,
                "cpu_s": self._cpu_s,
                "wall_s": self._wall_s,
                "memory_bytes": self._memory_bytes,
                "drop_user": self._drop_user,
                "report_fd": report_in,
                "report_salt": os.getpid(),
            }
            with os.fdopen(report_out, "rb") as report:
                try:
                    jail = subprocess.Popen(
                        [self._python, "-I", "-S", "-B", str(_JAIL), json.dumps(options)],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        env=_ENVIRONMENT,
                        pass_fds=(report_in,),
                        start_new_session=True,
                    )
                finally:
                    os.close(report_in)
                with jail:
                    out, err, flooded = self._drain(jail)
                said = report.read()
        return _Run(_report(said), out, err, flooded)

    def _drain(self, jail: subprocess.Popen[bytes]) -> tuple[bytes, bytes, bool]:
        """Read both streams to their end.

        Kills the jail when it floods (so that no more than that is ever kept), or outlives its own
        clock.
        """
        assert jail.stdout is not None and jail.stderr is not None
        out, err = jail.stdout.fileno(), jail.stderr.fileno()
        said = {out: bytearray(), err: bytearray()}
        deadline = time.monotonic() + self._wall_s + _GRACE_S
        total = 0
        with selectors.DefaultSelector() as selector:
            for fd in said:
                selector.register(fd, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    chunk = os.read(key.fd, 1 << 16)
                    if not chunk:
                        selector.unregister(key.fd)
                    total += len(chunk)
                    said[key.fd] += chunk
                if total > _MOST_OUTPUT_BYTES or time.monotonic() >= deadline:
                    os.killpg(jail.pid, signal.SIGKILL)
                    break
        return bytes(said[out]), bytes(said[err]), total > _MOST_OUTPUT_BYTES


def _folder_for_all() -> str | None:
    """Where a user without rights can reach a file; None for the usual place."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        here = Path(os.path.realpath(place))
        try:
            if all(folder.stat().st_mode & 0o001 for folder in (here, *here.parents)):
                return str(here)
        except OSError:
            continue
    return None


def syntax_error(source: bytes) -> str | None:
    """What this interpreter has against `source` before running any of it; None for nothing.

    As bytes, since a file may begin with a mark of its encoding.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "main.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{type(error).__name__}: {error.msg}"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def program(case: Case, completion: str, token: str) -> str | None:
    """The program that tests a completion; None if the case has none in Python.

    `test_kind` is `humaneval` (the test defines `check`) or `append` (the test runs as it
    stands); without one, a case with an `entry_point` is of the first kind.
    """
    kind = case.test_kind or ("humaneval" if case.entry_point else "append")
    if case.test is None or case.language != "python":
        return None
    body = f"{case.prefix}{completion}{case.suffix}\n{case.test}\n"
    if kind == "humaneval" and case.entry_point:
        return f"{body}check({case.entry_point})\n{_announce(token)}"
    if kind == "append":
        return f"{body}{_announce(token)}"
    return None


def _announce(token: str) -> str:
    """Code that prints the token, of which it shows no more than halves."""
    half = len(token) // 2
    halves = f"'{token[:half]}', '{token[half:]}'"
    return f"\nimport sys as _sys\n_sys.stdout.write('\\n%s%s\\n' % ({halves}))\n"


def _verdict(run: _Run, token: str) -> Execution:
    if run.flooded:
        return Execution(False, "failed: too much output")
    if not run.report:
        return Execution(False, "failed: the jail was ended from inside")
    if run.report["timed_out"]:
        return Execution(False, "timed out")
    if run.report["exit"] == 0 and f"\n{token}\n".encode() in run.stdout:
        return Execution(True, "passed")
    lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
    if run.report["exit"] == 0:
        return Execution(False, "failed: it ended before its tests did")
    ended = f"signal {run.report['signal']}" if run.report["signal"] else "no message"
    return Execution(False, f"failed: {lines[-1][:160] if lines else ended}")


def _report(said: bytes) -> dict[str, Any]:
    """What the jail reported; nothing where that cannot be read."""
    try:
        report = json.loads(said)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}
