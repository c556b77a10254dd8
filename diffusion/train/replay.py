"""The bundled pack of general code: what tuning mixes in, so that a model forgets little.

`replay/NOTICE.md` names the packages, their authors and the licence. A part of the files, chosen
by a hash of their paths, is held out: the loss on them says what was forgotten.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from diffusion.data.split import unit_hash
from diffusion.errors import CorpusError

FOLDER = Path(__file__).parent / "replay"
PACK_FILE, NOTICE_FILE, LICENCE_FILE = "general.jsonl.gz", "NOTICE.md", "LICENSE-APACHE-2.0.txt"
HELD_OUT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class GeneralFile:
    """One file of the pack."""

    language: str
    path: str
    data: bytes

    @property
    def held_out(self) -> bool:
        """Whether it is measured on and never trained on."""
        return unit_hash(self.path) < HELD_OUT_SHARE


def general_files(pack: Path | None = None) -> tuple[GeneralFile, ...]:
    """The files of the pack. Raises CorpusError where it is missing or damaged."""
    path = pack or FOLDER / PACK_FILE
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line]
        return tuple(GeneralFile(e["language"], e["path"], e["text"].encode()) for e in entries)
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
        raise CorpusError(
            f"the pack of general code {path.name} cannot be read ({error})",
            fix="reinstall Diffill",
        ) from error
