"""Train the vocabulary on the corpus.

Job: texts in, `tokenizer.json` out. The split rule is `tokenizer.PRETOKEN_PATTERN`; special ids
take the first `SPECIAL_COUNT` places and all 256 bytes follow, so any input can be spelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import tokenizers
from tokenizers import Regex, models, pre_tokenizers, trainers

from diffusion.errors import TokenizerError
from diffusion.text.tokenizer import PRETOKEN_PATTERN, SPECIAL_NAMES, VOCAB_SIZE, Tokenizer

MIN_VOCAB_SIZE = len(SPECIAL_NAMES) + 256
_MAX_TOKEN_BYTES = 32


def train_tokenizer(
    documents: Iterable[bytes], *, vocab_size: int = VOCAB_SIZE, show_progress: bool = False
) -> str:
    """Learn a vocabulary; returns the text of a `tokenizer.json`.

    Raises TokenizerError when the texts are too few to fill `vocab_size`.
    """
    if vocab_size < MIN_VOCAB_SIZE:
        raise TokenizerError(
            f"vocab_size {vocab_size} leaves no room for {len(SPECIAL_NAMES)} special ids and "
            f"256 bytes; use at least {MIN_VOCAB_SIZE}"
        )
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Split(Regex(PRETOKEN_PATTERN), behavior="isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_NAMES),
        initial_alphabet=[chr(i) for i in range(256)],
        max_token_length=_MAX_TOKEN_BYTES,
        show_progress=show_progress,
    )
    core.train_from_iterator((data.decode("latin-1") for data in documents), trainer=trainer)
    if core.get_vocab_size() != vocab_size:
        raise TokenizerError(
            f"the texts gave {core.get_vocab_size()} tokens of {vocab_size}; "
            "give more text or ask for a smaller vocabulary"
        )
    # Special ids stay in the vocabulary, but text that happens to spell one must not match it.
    return json.dumps(json.loads(core.to_str()) | {"added_tokens": []}, ensure_ascii=True)


def write_tokenizer(
    documents: Iterable[bytes], path: Path, *, show_progress: bool = True
) -> Tokenizer:
    """Train on `documents` and write the result to `path`."""
    raw = train_tokenizer(documents, show_progress=show_progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(raw, encoding="utf-8")
    return Tokenizer.load(path)
