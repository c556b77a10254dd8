"""Exports: small pieces, checked before use, never half there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from diffusion.errors import TrainingError
from diffusion.train.checkpoints import Progress
from diffusion.train.weight_export import (
    MANIFEST,
    newest_export,
    read_export,
    resume_from_export,
    write_export,
)
from tests.support.disk import smallest_files

PROGRESS = Progress(40, 40, 9_000, 123.0)
PRINT = {"recipe": "tiny", "version": 2, "batch": {"rows": 2}}


def model(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.Linear(40, 10))


def written(directory: Path, progress: Progress = PROGRESS) -> Path:
    return write_export(directory, model(), progress, PRINT, "hash", piece_bytes=1_000)


def test_weights_come_back_from_small_pieces(tmp_path: Path) -> None:
    folder = written(tmp_path)
    sizes = [path.stat().st_size for path in folder.glob("*.piece")]
    assert len(sizes) > 2 and max(sizes) <= 1_000
    other = model(1)
    progress, stored = resume_from_export(folder, other, PRINT, "hash")
    assert stored == PRINT
    assert (progress.step, progress.tokens_seen, progress.seconds_trained) == (40, 9_000, 123.0)
    assert progress.warm_from_step == 40
    for ours, theirs in zip(other.parameters(), model().parameters(), strict=True):
        assert torch.equal(ours, theirs.bfloat16().float())


def test_the_folder_of_exports_means_the_newest(tmp_path: Path) -> None:
    written(tmp_path / "exports")
    newest = written(tmp_path / "exports", Progress(50, 50, 10_000, 130.0))
    assert read_export(tmp_path).folder == newest
    assert read_export(tmp_path / "exports").progress.step == 50


def test_two_exports_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        written(tmp_path, Progress(step, step, step, 1.0))
    assert {path.name for path in tmp_path.iterdir()} == {"export-2", "export-3"}


def test_a_damaged_or_missing_piece_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    folder = written(tmp_path)
    piece = sorted(folder.glob("*.piece"))[1]
    other = model(1)
    body = piece.read_bytes()
    piece.write_bytes(body[:-1])
    with pytest.raises(TrainingError, match=f"{piece.name} is damaged: 999 of 1000 bytes"):
        resume_from_export(folder, other, PRINT, "hash")
    piece.unlink()
    with pytest.raises(TrainingError, match=rf"{piece.name} of \d+ is missing .*copy it again"):
        resume_from_export(folder, other, PRINT, "hash")
    for ours, fresh in zip(other.parameters(), model(1).parameters(), strict=True):
        assert torch.equal(ours, fresh)


def test_other_runs_and_vocabularies_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    with pytest.raises(TrainingError, match="trained with tokenizer hash, this run uses other"):
        resume_from_export(folder, model(), PRINT, "other")
    with pytest.raises(TrainingError, match="another recipe; use the same options"):
        resume_from_export(folder, model(), {**PRINT, "recipe": "base"}, "hash")
    with pytest.raises(TrainingError, match="weights of another model recipe"):
        resume_from_export(folder, torch.nn.Linear(3, 3), PRINT, "hash")


def test_an_interrupted_export_is_not_seen(tmp_path: Path) -> None:
    good = written(tmp_path)
    half = tmp_path / ".part-60-1"
    half.mkdir()
    (half / "weights-00.piece").write_bytes(b"x" * 1_000)
    assert newest_export(tmp_path) == good
    assert read_export(tmp_path).folder == good
    written(tmp_path, Progress(70, 70, 1, 1.0))
    assert not half.exists()


def test_a_full_disk_keeps_the_export_before(tmp_path: Path) -> None:
    good = written(tmp_path)
    with smallest_files(500), pytest.raises(TrainingError, match="Earlier exports are untouched"):
        written(tmp_path, Progress(60, 60, 1, 1.0))
    assert [path.name for path in tmp_path.iterdir()] == [good.name]


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="name an export-<n> folder"):
        read_export(tmp_path)
    folder = written(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 9}))
    with pytest.raises(TrainingError, match="has format 9, this Diffill reads 1"):
        read_export(folder)


@pytest.mark.parametrize("which", [0, -1])
def test_a_piece_that_is_damaged_at_its_full_length_is_refused(tmp_path: Path, which: int) -> None:
    folder = written(tmp_path)
    piece = sorted(folder.glob("*.piece"))[which]
    body = bytearray(piece.read_bytes())
    body[-1] ^= 1
    piece.write_bytes(body)
    other = model(1)
    with pytest.raises(TrainingError, match=rf"{piece.name} is damaged.*another SHA-256"):
        resume_from_export(folder, other, PRINT, "hash")
    for ours, fresh in zip(other.parameters(), model(1).parameters(), strict=True):
        assert torch.equal(ours, fresh)
