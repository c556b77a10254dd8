"""torch's library is mapped beside Python, and the import that follows finds it there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diffusion import torch_ahead

linux = pytest.mark.skipif(sys.platform != "linux", reason="nothing is mapped ahead elsewhere")
MAPPED = '"libtorch_cpu.so" in open("/proc/self/maps").read()'


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@linux
@pytest.mark.slow
def test_the_library_is_there_before_torch_is_imported_and_torch_works() -> None:
    assert _run(
        "import sys\n"
        "from diffusion.torch_ahead import map_torch_ahead\n"
        f"assert not {MAPPED}\n"
        "map_torch_ahead().join()\n"
        f"assert {MAPPED} and 'torch' not in sys.modules\n"
        "import torch\n"
        "print(int((torch.ones(3, 4) @ torch.ones(4)).sum()))"
    ) == "12"


@linux
def test_python_runs_meanwhile() -> None:
    turns = int(
        _run(
            "from diffusion.torch_ahead import map_torch_ahead\n"
            "thread, turns = map_torch_ahead(), 0\n"
            "while thread.is_alive(): turns += 1\n"
            "print(turns)"
        )
    )
    assert turns > 1000  # an import of the library lets Python do nothing at all


@linux
def test_a_process_that_ends_at_once_ends_well() -> None:
    _run("from diffusion.torch_ahead import map_torch_ahead; map_torch_ahead()")


@linux
def test_a_library_that_cannot_be_opened_is_left_to_the_import(
    tmp_path: Path,
) -> None:
    (tmp_path / "libtorch_cpu.so").write_bytes(b"no library")
    torch_ahead._map(tmp_path)
    torch_ahead._map(tmp_path / "missing")


def test_nothing_is_done_where_torch_is_there_or_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", object())
    assert torch_ahead.map_torch_ahead() is None
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(torch_ahead, "find_spec", lambda name: None)
    assert torch_ahead.map_torch_ahead() is None
