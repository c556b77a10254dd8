"""The manifest of a model folder: what the files are, where the model came from, how good it is.

`manifest.json` names every other file of the folder with its size and SHA-256, so a cut download
or a swapped vocabulary is told apart from a bad model. A folder without a manifest is a foreign
checkpoint and is not checked this way.

Invariant: whatever `check_files` accepts is byte for byte what was written.
"""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from diffusion.errors import CheckpointError
from diffusion.model.digests import sha256_of
from diffusion.text.json_file import read_object

FORMAT_VERSION = 1
DIFFUSION, FIM = "diffusion", "fim"
"""Objectives: masked diffusion, or the autoregressive twin's fill-in-the-middle."""
MANIFEST_FILE = "manifest.json"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
LENGTHS_FILE = "lengths.json"

_FETCH_AGAIN = "copy or download the folder again"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and SHA-256 (hexadecimal) of one file."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Reads the whole file, unless it was read before and has not changed."""
        return cls(*sha256_of(path))

    @classmethod
    def of_bytes(cls, data: builtins.bytes) -> FileRecord:
        """Of a file that is not written yet."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known about a model. Everything here is JSON."""

    recipe: dict[str, Any]
    tokenizer_hash: str
    tokens_seen: int
    training_data: str  # digest of the corpus manifest
    metrics: dict[str, Any]
    files: dict[str, FileRecord] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    objective: str = DIFFUSION
    """What it was trained for; a folder that does not say is older than the twin."""

    def save(self, path: Path) -> None:
        """Writes it to a file of any name."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        path.write_text(text + "\n", encoding="utf-8")

    def write(self, folder: Path) -> None:
        """Writes `manifest.json`."""
        self.save(folder / MANIFEST_FILE)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The folder's manifest, or None if it has none.

        Raises CheckpointError if it cannot be understood or is of a newer format.
        """
        path = folder / MANIFEST_FILE
        if not path.is_file():
            return None
        try:
            raw = read_object(path)
            version = int(raw["format_version"])
            if version <= FORMAT_VERSION:
                raw.setdefault("objective", DIFFUSION)
                known = {item.name: raw[item.name] for item in fields(cls)}
                known["files"] = {
                    str(name): FileRecord(int(record["bytes"]), str(record["sha256"]))
                    for name, record in raw["files"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{path} is not a model manifest ({type(error).__name__}: {error})",
                fix=_FETCH_AGAIN,
            ) from error
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format {version}, this Diffill reads up to {FORMAT_VERSION}",
                fix="update Diffill, or use an older model",
            )
        return cls(**known)


def records_of(folder: Path) -> dict[str, FileRecord]:
    """Records of all files of a folder but its manifest."""
    return {
        path.name: FileRecord.of(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST_FILE
    }


def check_files(folder: Path, files: Mapping[str, FileRecord]) -> None:
    """Compares files with their records; CheckpointError names the first that differs."""
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing", fix=_FETCH_AGAIN)
        if FileRecord.of(path) == expected:
            continue
        if name == TOKENIZER_FILE:
            raise wrong_tokenizer(path)
        found = path.stat().st_size
        if found < expected.bytes:
            raise CheckpointError(
                f"{path} is truncated: {found} of {expected.bytes} bytes", fix=_FETCH_AGAIN
            )
        raise CheckpointError(
            f"{path} is not the file that was saved (its SHA-256 differs)", fix=_FETCH_AGAIN
        )


def wrong_tokenizer(path: Path) -> CheckpointError:
    """The error for a vocabulary the model was not trained with."""
    return CheckpointError(
        f"{path} is not the vocabulary this model was trained with",
        fix="put back the tokenizer.json that came with the model",
    )
