"""`diffill doctor` without the model: what it finds, how it fails, what it prints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from diffusion import threads
from diffusion.text import languages
from lsp_server.observe import doctor
from lsp_server.observe.doctor import Check


def test_the_quick_checks_pass_here() -> None:
    checks = list(doctor.run_checks(load=False))
    assert {check.name for check in checks} >= {
        "python",
        "torch",
        "pygls",
        *(f"grammar {name}" for name in languages.NAMES),
    }
    assert [check for check in checks if check.state != "ok"] == []


def test_a_check_that_raises_is_a_failed_check_with_a_fix() -> None:
    def broken() -> Check:
        raise ImportError("libtorch.so: cannot open")

    check = doctor._guarded("torch", broken)
    assert check.failed
    assert "ImportError: libtorch.so" in str(check) and "fix: " in str(check)


def test_a_missing_package_is_named_with_its_fix() -> None:
    check = doctor._package("diffill-no-such-package")
    assert (check.state, check.fix) == ("failed", "pip install diffill-no-such-package")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--quick", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert document["checks"][0]["name"] == "python"


def test_a_model_is_not_passed_over_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        doctor.main(["--quick", "--model", "/nowhere"])
    assert ended.value.code == 2
    assert "--model would do nothing with --quick" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "state", "said"),
    [
        ("cpu", "ok", "the processor ($DIFFILL_DEVICE is cpu)"),
        ("telepathy", "failed", "no device is called 'telepathy'"),
    ],
)
def test_the_device_is_the_one_that_a_model_would_get(
    monkeypatch: pytest.MonkeyPatch, variable: str, state: str, said: str
) -> None:
    monkeypatch.setenv("DIFFILL_DEVICE", variable)
    check = doctor._guarded("device", doctor._device)
    assert check.state == state and said in check.detail


@pytest.mark.slow  # a random model never ends a hole, so it takes every step there is
def test_a_model_is_loaded_and_asked(
    tiny_model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(["--model", str(tiny_model_dir)]) == 0
    shown = capsys.readouterr().out
    assert f"ok model: {tiny_model_dir.name}, loaded in" in shown
    assert f"of {threads.cores()} cores" in shown
    assert "`return ` -> " in shown


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_model_that_cannot_be_loaded_is_a_failed_check_with_a_fix(
    tiny_model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:1000])
    assert doctor.main(["--model", str(folder), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    [failed] = [check for check in document["checks"] if check["state"] == "failed"]
    assert (document["ok"], failed["name"]) == (False, "model")
    assert str(weights) in failed["detail"] and failed["fix"]
    assert "infill" not in {check["name"] for check in document["checks"]}
