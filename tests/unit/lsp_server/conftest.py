"""A server over an in-memory wire, its engine reading the `SCRIPT` of the test's module, and an
engine whose models say which adapter they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loaders import Models, Served
from tests.support.lsp_wire import WAIT_S, Wire, scripted


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    wire = Wire(scripted(request.module.SCRIPT))
    yield wire
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, whose adapters are kept beside it."""
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    return root


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def served(models: Models) -> Iterator[Served]:
    served = Served(models)
    yield served
    models.gate.set()
    served.engine.close()
    assert served.engine.join(WAIT_S)
