"""What tests of tuning share: one thread, for equal sums, and a repository of `FILES` files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.repositories import write_repository


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", request.module.FILES)
    (root / ".git").mkdir()
    return root
