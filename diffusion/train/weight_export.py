"""Weight exports: what is carried away from a borrowed machine while the run goes on.

An export is a folder `export-<step>` with the weights in bfloat16, cut into pieces small enough
for any way out, and `export.json`: how far the run is, what shapes it, and the SHA-256 of every
piece. It has no optimiser state; a run that goes on from it warms up again.

Invariants: a folder appears under its name only when complete; nothing is loaded before every
piece has been checked. The pieces joined are one safetensors file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch.nn import Module

from diffusion.errors import TrainingError
from diffusion.train.checkpoints import Progress, fields_of, load_weights
from diffusion.train.fingerprint import differences

FORMAT = 1
MANIFEST = "export.json"
PIECE_BYTES = 16_000_000
_NAME = re.compile(r"^export-(\d+)$")
_CARRY_AGAIN = "copy it again"


@dataclass(frozen=True, slots=True)
class WeightExport:
    """An export as its manifest describes it."""

    folder: Path
    progress: Progress
    fingerprint: dict[str, Any]
    tokenizer_hash: str
    pieces: tuple[tuple[str, int, str], ...]
    """Name, bytes and SHA-256 of each piece, in order."""

    def check_vocabulary(self, tokenizer_hash: str) -> None:
        """Raises TrainingError where the weights belong to another tokenizer."""
        if self.tokenizer_hash != tokenizer_hash:
            raise TrainingError(
                f"{self.folder} was trained with tokenizer {self.tokenizer_hash}, this run uses "
                f"{tokenizer_hash}; give that tokenizer.json as --tokenizer"
            )


def newest_export(directory: Path) -> Path | None:
    """The latest export in `directory`, or None."""
    found = [(int(m[1]), p) for p in directory.glob("export-*") if (m := _NAME.match(p.name))]
    return max(found)[1] if found else None


def write_export(
    directory: Path,
    model: Module,
    progress: Progress,
    fingerprint: dict[str, Any],
    tokenizer_hash: str,
    *,
    piece_bytes: int = PIECE_BYTES,
) -> Path:
    """Write an export of the model's weights and drop all older ones but one.

    Raises TrainingError if the disk refuses; earlier exports are then untouched.
    """
    target = directory / f"export-{progress.step}"
    partial = directory / f".part-{progress.step}-{os.getpid()}"
    weights = {
        name: p.detach().to("cpu", torch.bfloat16).contiguous()
        for name, p in model.named_parameters()
    }
    data = save_bytes(weights)
    try:
        for stale in directory.glob(".part-*"):
            shutil.rmtree(stale, ignore_errors=True)
        partial.mkdir(parents=True)
        pieces = []
        for number, start in enumerate(range(0, len(data), piece_bytes)):
            piece = data[start : start + piece_bytes]
            name = f"weights-{number:02}.piece"
            (partial / name).write_bytes(piece)
            pieces.append([name, len(piece), hashlib.sha256(piece).hexdigest()])
        manifest = {
            "format": FORMAT,
            "progress": asdict(progress),
            "tokenizer_hash": tokenizer_hash,
            "pieces": pieces,
            "fingerprint": fingerprint,
        }
        (partial / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(
            f"export {target} could not be written ({error.strerror}); free some disk space. "
            "Earlier exports are untouched"
        ) from error
    steps = sorted(int(m[1]) for p in directory.glob("export-*") if (m := _NAME.match(p.name)))
    for old in steps[:-2]:
        shutil.rmtree(directory / f"export-{old}", ignore_errors=True)
    return target


def read_export(folder: Path) -> WeightExport:
    """The manifest of an export, or of the newest one in `folder`. Raises TrainingError."""
    if not (folder / MANIFEST).exists():
        for inside in (folder, folder / "exports"):
            folder = newest_export(inside) or folder
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise TrainingError(f"{path} has format {raw['format']}, this Diffill reads {FORMAT}")
        return WeightExport(
            folder,
            fields_of(raw["progress"]),
            raw["fingerprint"],
            raw["tokenizer_hash"],
            tuple((str(name), int(size), str(digest)) for name, size, digest in raw["pieces"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} is no manifest of an export ({error}); name an export-<n> folder"
        ) from error


def load_export(export: WeightExport, model: Module) -> None:
    """Put the weights into `model`. Raises TrainingError, the model then being as it was."""
    data = bytearray()
    for name, size, digest in export.pieces:
        path = export.folder / name
        try:
            piece = path.read_bytes()
        except OSError as error:
            raise TrainingError(
                f"piece {path} of {len(export.pieces)} is missing ({error.strerror}); "
                f"{_CARRY_AGAIN}"
            ) from error
        if len(piece) != size or hashlib.sha256(piece).hexdigest() != digest:
            raise TrainingError(
                f"piece {path} is damaged: {len(piece)} of {size} bytes, or another SHA-256; "
                f"{_CARRY_AGAIN}"
            )
        data += piece
    try:
        weights = load_bytes(bytes(data))
        named = dict(model.named_parameters())
        if weights.keys() != named.keys():
            raise TrainingError(f"{export.folder} holds the weights of another model recipe")
        wrong = [n for n, w in weights.items() if w.shape != named[n].shape]
        if wrong:
            raise TrainingError(
                f"weight {wrong[0]} of {export.folder} has another shape; use the recipe of its run"
            )
    except SafetensorError as error:
        raise TrainingError(f"{export.folder} holds no weights ({error})") from error
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(weights[name])


def load_carried(folder: Path, model: Module, tokenizer_hash: str) -> Progress:
    """Put the weights of an export or a checkpoint into `model`; how far their run was.

    Raises TrainingError where it is damaged, or of another vocabulary.
    """
    if not (folder / MANIFEST).exists():
        return load_weights(folder, model, tokenizer_hash)
    export = read_export(folder)
    export.check_vocabulary(tokenizer_hash)
    load_export(export, model)
    return export.progress


def resume_from_export(
    folder: Path, model: Module, fingerprint: dict[str, Any], tokenizer_hash: str
) -> tuple[Progress, dict[str, Any]]:
    """Load an export into `model`; its progress, the warm-up beginning anew, and its fingerprint.

    Raises TrainingError where it is damaged, or of a run with other settings or vocabulary.
    """
    export = read_export(folder)
    export.check_vocabulary(tokenizer_hash)
    changed = differences(export.fingerprint, fingerprint)
    if changed:
        raise TrainingError(
            f"{export.folder} belongs to a run with another {', '.join(changed)}; use the same "
            "options"
        )
    load_export(export, model)
    return export.progress.warming_up(), export.fingerprint
