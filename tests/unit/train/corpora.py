"""A corpus small enough to train on in a test: this repository's example programs."""

from __future__ import annotations

from pathlib import Path

from diffusion.data.shards import write_shard
from diffusion.text.languages import language_for_path
from diffusion.text.tokenizer import Tokenizer

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def write_corpus(folder: Path, tokenizer: Tokenizer) -> Path:
    """Train and validation shards of the examples, one document a language."""
    folder.mkdir(parents=True, exist_ok=True)
    by_language: dict[str, list[list[int]]] = {}
    for path in sorted(EXAMPLES.iterdir()):
        if path.suffix != ".json" and path.is_file():
            ids = tokenizer.encode(path.read_bytes())
            by_language.setdefault(language_for_path(path), []).append(ids)
    for language, documents in by_language.items():
        for split in ("train", "validation"):
            write_shard(folder / f"{split}-{language}-000.bin", documents)
    return folder
