"""What tests of training share: one thread, for equal sums, a repository of `FILES` files, a
corpus, and a recipe that takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diffusion.model import architecture
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from tests.support.repositories import write_repository
from tests.support.threads import one_torch_thread
from tests.unit.train.corpora import write_corpus
from tests.unit.train.tiny import TINY


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


@pytest.fixture
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architecture.RECIPES, "tiny", TINY)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    return write_corpus(tmp_path_factory.mktemp("corpus"), tokenizer)
