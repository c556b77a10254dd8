"""What gets installed: two packages and their data, and nothing else at the top level."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.repo.tracked import ROOT


@pytest.mark.slow
def test_the_wheel_holds_the_two_packages_and_their_data(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    [built] = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(built).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"diffusion", "lsp_server"}
    assert "diffusion/data/recipe.toml" in names
    assert "diffusion/demo/examples/holes.json" in names
    assert any(name.startswith("diffusion/pretrained/") for name in names)
