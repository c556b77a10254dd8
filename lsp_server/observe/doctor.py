"""`diffill doctor`: is everything there, and how fast is it here? Each failure names its fix.

Invariants: a check never raises, whatever is broken becomes a failed check; the quick checks
come first, those that load the model last; nothing is changed and nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from diffusion import threads
from diffusion.cancel import CancelToken
from diffusion.json_line import json_line
from diffusion.text import languages
from lsp_server import NAME, VERSION
from lsp_server.engine.engine import EngineConfig, EngineRequest, Filler

PACKAGES = (
    "pygls",
    "lsprotocol",
    "attrs",
    "cattrs",
    "typer",
    "rich",
    "tree-sitter",
    "tokenizers",
    "safetensors",
    "numpy",
    "torch",
    "transformers",
)
OLDEST_PYTHON = (3, 11)
_INSTALL = "install again: `make setup` in the checkout of Diffill"
_SAMPLE = b"def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"
_CURSOR = _SAMPLE.index(b"return ") + len(b"return ")
SLOW_MS = 1500.0

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    state: State
    detail: str
    fix: str = ""

    @property
    def failed(self) -> bool:
        return self.state == "failed"

    def __str__(self) -> str:
        fix = f"\n        fix: {self.fix}" if self.fix and self.state != "ok" else ""
        return f"{self.state:>7} {self.name}: {self.detail}{fix}"


def run_checks(model_path: str = "", *, load: bool = True) -> Iterator[Check]:
    """Every check, in order. `load` False leaves out those that need torch and the model."""
    yield _guarded("python", _python)
    for package in PACKAGES:
        yield _guarded(package, partial(_package, package))
    for name in languages.NAMES:
        yield _guarded(f"grammar {name}", partial(_grammar, name))
    if not load:
        return
    loaded: list[Filler] = []
    yield _guarded("model", lambda: _model(model_path, loaded))
    yield _guarded("threads", _threads)
    yield _guarded("device", _device)
    if loaded:
        yield _guarded("infill", lambda: _infill(loaded[0]))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the checks; 1 if one failed."""
    parser = argparse.ArgumentParser(prog=f"{NAME} doctor", description="Check the installation.")
    parser.add_argument("--model", default="", metavar="DIR", help="check this model folder")
    parser.add_argument("--quick", action="store_true", help="leave the model alone")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(argv)
    if options.quick and options.model:
        parser.error("--model would do nothing with --quick; leave one of them out")
    checks = []
    for check in run_checks(options.model, load=not options.quick):
        checks.append(check)
        if not options.json:
            print(check, flush=True)  # noqa: T201
    failed = any(check.failed for check in checks)
    if options.json:
        document = {"version": VERSION, "ok": not failed, "checks": [asdict(c) for c in checks]}
        print(json_line(document))  # noqa: T201
    return int(failed)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        fix = getattr(error, "fix", None) or _INSTALL
        return Check(name, "failed", f"{type(error).__name__}: {error}", fix)


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable} on {platform.platform()}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "failed", found, "use Python 3.11 or newer")
    return Check("python", "ok", found)


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "failed", "not installed", f"pip install {name}")


def _grammar(name: str) -> Check:
    parser = languages.parser(name)
    if parser is None:
        return Check(f"grammar {name}", "failed", "no parser", _INSTALL)
    tree = parser.parse(b"\n")
    return Check(f"grammar {name}", "ok", f"tree-sitter-{name}, root {tree.root_node.type}")


def _model(path: str, loaded: list[Filler]) -> Check:
    from lsp_server.engine import local

    begun = time.perf_counter()
    filler = local.load(EngineConfig(model_path=path))
    loaded.append(filler)
    seconds = time.perf_counter() - begun
    return Check("model", "ok", f"{filler.model}, loaded in {seconds:.1f} s with its imports")


def _device() -> Check:
    """Where `diffill.performance.device` "auto" puts the model, with $DIFFILL_DEVICE."""
    import torch

    from diffusion.model.device import device_for

    place = device_for("auto")
    asked = os.environ.get("DIFFILL_DEVICE")
    said = f" ($DIFFILL_DEVICE is {asked})" if asked else ""
    if place.type != "cpu":
        name = torch.cuda.get_device_name() if place.type == "cuda" else "the GPU of this Mac"
        return Check("device", "ok", name + said)
    if asked == "cpu":
        return Check("device", "ok", f"the processor{said}")
    why = "without room, or not usable by this torch" if torch.cuda.is_available() else "not there"
    return Check("device", "ok", f"the processor (a CUDA GPU is {why})")


def _threads() -> Check:
    import torch

    cores, used = threads.cores(), torch.get_num_threads()
    detail = f"{used} of {cores} cores"
    if used > cores:
        return Check("threads", "warning", detail, "lower diffill.performance.threads")
    return Check("threads", "ok", detail)


def _infill(filler: Filler) -> Check:
    request = EngineRequest(_SAMPLE, _CURSOR, "python")
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        answer = filler.infill(request, CancelToken())
        times.append(1000 * (time.perf_counter() - begun))
    best = answer.candidates[0].text.strip() if answer.candidates else f"nothing: {answer.reason}"
    detail = f"{min(times):.0f} ms, first {times[0]:.0f} ms; `return ` -> {best!r}"
    if min(times) > SLOW_MS:
        return Check("infill", "warning", detail, "close other programs, or use a smaller model")
    return Check("infill", "ok", detail)
