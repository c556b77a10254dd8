"""Holes of validation text: as many as asked for, and known by their document."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from diffusion.data.open_corpus import MANIFEST
from diffusion.data.shards import write_shard
from diffusion.errors import EvaluationError
from diffusion.evaluate import validation_holes as module
from diffusion.evaluate.cases import Case
from diffusion.evaluate.validation_holes import different_holes, validation_holes
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from tests.support.repositories import code
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


def repository_of(folder: Path, **texts: str) -> Path:
    """A corpus with one document a language."""
    folder.mkdir()
    for language, text in texts.items():
        ids = TOKENIZER.encode(text.encode())
        for split in ("train", "validation"):
            write_shard(folder / f"{split}-{language}-000.bin", [ids])
    (folder / MANIFEST).write_text(json.dumps({"tokenizer": TOKENIZER.hash}))
    return folder


def test_no_hole_counts_twice_where_they_run_out(tmp_path: Path) -> None:
    corpus = repository_of(tmp_path / "small", python="import os\n\nprint(os.getcwd())\n")
    cases = different_holes(corpus, TOKENIZER, 60)
    assert 3 < len(cases) < 60
    assert len({(case.prefix, case.middle, case.suffix) for case in cases}) == len(cases)
    assert [case.task_id for case in cases] == [f"python/{n}" for n in range(len(cases))]
    assert different_holes(corpus, TOKENIZER, 3) == cases[:3] and not different_holes(
        corpus, TOKENIZER, 0
    )


def test_a_language_may_count_as_much_as_there_is_of_it(tmp_path: Path) -> None:
    corpus = repository_of(tmp_path / "mixed", python=code(1, 40), go="package main\n\nvar a = 1\n")
    alike, by_tokens = (
        Counter(case.language for case in different_holes(corpus, TOKENIZER, 40, by_tokens=by))
        for by in (False, True)
    )
    assert alike["go"] > 3 and by_tokens["go"] <= 2, (alike, by_tokens)
