"""The manifest of an adapter: the model it belongs to, what it was made of, and how good it is.

`manifest.json` lies beside `adapter.safetensors`, whose size and SHA-256 it holds. `check` says
whether the folder is whole and fits a model, before any weight is used; `look`, what can be said of
it at once.

Invariant: an adapter that `check` accepts is byte for byte what was published, for this model; its
manifest has the types it says, and its weights are numbers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from diffusion.errors import AdapterError
from diffusion.model.manifest import FileRecord

FORMAT_VERSION = 1
MANIFEST_FILE, WEIGHTS_FILE = "manifest.json", "adapter.safetensors"
FILES = (MANIFEST_FILE, WEIGHTS_FILE)
LORA, FULL = "lora", "full"
METHODS = (LORA, FULL)
LONGEST_NAME = 80
MOST_SCALE = 1000.0
"""A rank of 16 is scaled by 2; what is scaled by more than this was made to break a model."""
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_TEXTS = ("name", "created", "method", "base_sha256", "tokenizer_hash", "data_digest")
_POINTER = b"version https://git-lfs.github.com/spec/"
_TRAIN_AGAIN = "delete it and run `diffill train` again"


@dataclass(frozen=True, slots=True)
class AdapterManifest:
    """What is known about an adapter. Everything here is JSON."""

    name: str
    created: str
    """UTC, ISO 8601."""
    method: str
    scale: float
    """What the product of a LoRA pair is multiplied with; 1 for full tuning."""
    base_sha256: str
    """Of the base model's weights file."""
    tokenizer_hash: str
    data_digest: str
    """Over paths and contents of the files that were learned from."""
    figures: dict[str, Any] = field(default_factory=dict)
    files: dict[str, FileRecord] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """As `manifest.json`."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, where: str) -> AdapterManifest:
        """Read a manifest; `where` opens the messages of errors.

        Raises AdapterError if it cannot be understood or is of a newer format.
        """
        try:
            raw = json.loads(text)
            version = int(raw["format_version"])
            if version > FORMAT_VERSION:
                raise AdapterError(
                    f"{where} has format {version}, this Diffill reads up to {FORMAT_VERSION}",
                    fix="update Diffill",
                )
            known = {item.name: raw[item.name] for item in fields(cls)}
            known["files"] = {
                str(name): FileRecord(int(record["bytes"]), str(record["sha256"]))
                for name, record in raw["files"].items()
            }
            known["scale"] = float(raw["scale"])
            known["format_version"] = version
            _check_types(known)
            manifest = cls(**known)
        except (
            ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
        ) as error:  # fmt: skip
            raise AdapterError(
                f"{where} is no adapter's manifest ({type(error).__name__}: {error})",
                fix=_TRAIN_AGAIN,
            ) from error
        if manifest.method not in METHODS:
            raise AdapterError(f"{where} names no known method", fix="update Diffill")
        check_name(manifest.name)
        return manifest


def _check_types(known: Mapping[str, Any]) -> None:
    """Raises ValueError for a field that is not what the manifest says it is."""
    for name in _TEXTS:
        text = known[name]
        if not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"{name} is {text!r}")
    datetime.fromisoformat(known["created"])
    if not isinstance(known["figures"], dict):
        raise ValueError(f"figures is {known['figures']!r}")
    if not 0.0 < known["scale"] <= MOST_SCALE:
        raise ValueError(f"scale is {known['scale']:g}, and not above 0 and at most {MOST_SCALE:g}")


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter must fit."""

    weights_sha256: str
    tokenizer_hash: str


def check_name(name: str) -> None:
    """Raises AdapterError for a name that could not be a folder's on every system."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise AdapterError(
            f"an adapter cannot be called {name!r}",
            fix=f"use letters, digits, dots, dashes and underscores, at most {LONGEST_NAME}",
        )


def read_manifest(folder: Path) -> AdapterManifest:
    """The manifest of an adapter's folder. Raises AdapterError."""
    path = folder / MANIFEST_FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise AdapterError(
            f"{folder} is no adapter ({error.strerror} for {MANIFEST_FILE})",
            fix="name a folder that `diffill adapters list` shows",
        ) from error
    refuse_pointer(path, text)
    return AdapterManifest.parse(text, str(path))


def refuse_pointer(path: Path, head: bytes) -> None:
    """Raises AdapterError where a file that begins with `head` is Git LFS's stand-in for it."""
    if head.startswith(_POINTER):
        raise AdapterError(
            f"{path} is a pointer of Git LFS, the file itself was not fetched",
            fix=f"run `git lfs pull` in {path.parent}",
        )


def look(folder: Path) -> AdapterManifest:
    """Check an adapter's files as far as that takes no time. Raises AdapterError.

    Of the weights it is looked at whether there are any, and how many; not at what they are.
    """
    manifest = read_manifest(folder)
    path = folder / WEIGHTS_FILE
    if WEIGHTS_FILE not in manifest.files:
        raise AdapterError(
            f"{folder / MANIFEST_FILE} says nothing of {WEIGHTS_FILE}", fix=_TRAIN_AGAIN
        )
    if not path.is_file():
        raise AdapterError(f"{path} is missing", fix=_TRAIN_AGAIN)
    try:
        with path.open("rb") as file:
            head, size = file.read(len(_POINTER)), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    refuse_pointer(path, head)
    _check_size(manifest, size, str(path))
    return manifest


def check(folder: Path, base: Base | None = None) -> AdapterManifest:
    """Check an adapter's files, and that it fits `base` where one is given. Raises AdapterError."""
    manifest = look(folder)
    path = folder / WEIGHTS_FILE
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    check_content(manifest, weights, str(path))
    if base is not None:
        check_base(manifest, base)
    return manifest


def _unreadable(path: Path, error: OSError) -> AdapterError:
    return AdapterError(f"{path} cannot be read ({error.strerror})", fix="check its permissions")


def _check_size(manifest: AdapterManifest, size: int, where: str) -> None:
    """Raises AdapterError where there are fewer bytes than were published."""
    wanted = manifest.files.get(WEIGHTS_FILE, FileRecord(0, "")).bytes
    if size < wanted:
        raise AdapterError(f"{where} is truncated: {size} of {wanted} bytes", fix=_TRAIN_AGAIN)


def check_content(manifest: AdapterManifest, weights: bytes, where: str) -> None:
    """Check that weights are those the manifest names, and are numbers. Raises AdapterError.

    `where` opens the messages.
    """
    from diffusion.adapters.weights import check_weights  # numpy is not for start-up

    expected = manifest.files.get(WEIGHTS_FILE, FileRecord(0, ""))
    _check_size(manifest, len(weights), where)
    if FileRecord.of_bytes(weights) != expected:
        raise AdapterError(
            f"{where} is not the {WEIGHTS_FILE} that was published (its SHA-256 differs)",
            fix=_TRAIN_AGAIN,
        )
    check_weights(weights, where)


def check_base(manifest: AdapterManifest, base: Base) -> None:
    """Raises AdapterError where the adapter was made for another model."""
    made_for: Mapping[str, tuple[str, str]] = {
        "base model": (manifest.base_sha256, base.weights_sha256),
        "tokenizer": (manifest.tokenizer_hash, base.tokenizer_hash),
    }
    for what, (theirs, ours) in made_for.items():
        if theirs != ours:
            raise AdapterError(
                f"adapter {manifest.name} was made for another {what} "
                f"({theirs[:12]}, this one is {ours[:12]})",
                fix="run `diffill train` again, or set diffill.model.path to the model it is for",
            )
