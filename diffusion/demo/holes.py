"""The demo's holes: which piece of which program is cut out, read from `examples/holes.json`.

Invariant: a hole's `removes` stands in its file exactly where the sidecar says, so a program
that was edited without its sidecar is an error here, not a wrong demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.document import Position, offset_of, read_document
from diffusion.errors import ConfigError
from diffusion.text import languages
from diffusion.text.json_file import read_object

SIDECAR = "holes.json"
_FIELDS = {"file": str, "line": int, "column": int, "length": int, "removes": str}


@dataclass(frozen=True, slots=True)
class ExampleHole:
    """One piece cut out of one program. Offsets are bytes of the whole program."""

    file: Path
    language: str
    position: Position
    start: int
    original: bytes
    """The program with the piece in it."""
    removed: bytes
    note: str

    @property
    def without(self) -> bytes:
        """The program as the model sees it."""
        return self.original[: self.start] + self.original[self.start + len(self.removed) :]

    @property
    def title(self) -> str:
        return f"{self.file.name}:{self.position.line}:{self.position.column}"


def bundled_examples() -> Path:
    """The folder of examples: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / SIDECAR).is_file():
            return folder
    raise ConfigError(
        "the example programs are not installed", fix="run from a checkout, or name --examples DIR"
    )


def load_holes(folder: Path) -> list[ExampleHole]:
    """Every hole of a folder's sidecar, in its order.

    Raises:
        ConfigError: no sidecar, a broken one, or one that does not fit its programs.
    """
    sidecar = folder / SIDECAR
    try:
        entries = list(read_object(sidecar)["holes"])
    except OSError as error:
        raise ConfigError(
            f"cannot read {sidecar}: {error.strerror}", fix="name a folder with a holes.json"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{sidecar} is no list of holes", fix='give {"holes": [...]} as in examples/holes.json'
        ) from error
    return [_hole(folder, sidecar, number, entry) for number, entry in enumerate(entries, 1)]


def _hole(folder: Path, sidecar: Path, number: int, entry: Any) -> ExampleHole:
    for key, kind in _FIELDS.items():
        if not isinstance(entry, dict) or not isinstance(entry.get(key), kind):
            raise ConfigError(
                f"hole {number} of {sidecar} lacks a usable {key}",
                fix=f"give {', '.join(_FIELDS)}",
            )
    file, removes = folder / entry["file"], entry["removes"]
    position, length = Position(entry["line"], entry["column"]), entry["length"]
    original = read_document(file)
    start = offset_of(original, position, name=str(file))
    found = original[start:].decode("utf-8")[:length]
    if found != removes:
        raise ConfigError(
            f"hole {number} of {sidecar} removes {removes!r}, but {file.name} has {found!r} there",
            fix="correct line, column and length",
        )
    return ExampleHole(
        file=file,
        language=languages.grammar_for_path(file),
        position=position,
        start=start,
        original=original,
        removed=removes.encode("utf-8"),
        note=str(entry.get("note", "")),
    )
