"""Holes of validation text: as many as asked for, and known by their document."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate import validation_holes as module
from diffusion.evaluate.cases import Case
from diffusion.evaluate.validation_holes import validation_holes
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from tests.unit.train.corpora import write_corpus

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", TOKENIZER)


def text(case: Case) -> str:
    return case.prefix + case.middle + case.suffix


def test_a_group_is_a_document_and_the_halves_share_none(corpus: Path) -> None:
    cases = validation_holes(corpus, TOKENIZER, 30)
    documents = {text(case) for case in cases}
    assert len({case.group for case in cases}) == len(documents) < 30
    assert len({(case.group, text(case)) for case in cases}) == len(documents)
    halves = [
        {text(case) for seed in (0, 1) for case in validation_holes(
            corpus, TOKENIZER, 20, seed=seed, half=half
        )}
        for half in (0, 1)
    ]  # fmt: skip
    assert halves[0] and halves[1] and not halves[0] & halves[1]


def test_the_last_try_counts(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIES_PER_CASE", 1)
    found = 0
    for seed in range(6):
        try:
            found += len(validation_holes(corpus, TOKENIZER, 1, seed=seed))
        except EvaluationError as error:
            assert "yield 0 holes of the 1" in str(error)
    assert found
