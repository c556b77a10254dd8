"""`diffill doctor` without the model: what it finds, how it fails, what it prints."""

from __future__ import annotations

import json

import pytest

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
