"""What tests of tuning share: one thread, for equal sums, and a repository of `FILES` files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repositories import write_repository
from tests.support.threads import one_torch_thread


@pytest.fixture
def one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", request.module.FILES)
    (root / ".git").mkdir()
    return root
