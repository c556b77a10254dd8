"""Draws windows of documents from shards, each token of a language being equally likely.

A *piece* is the window with what surrounds it, enough for a syntax tree whose nodes inside the
window are nearly those of the whole document's tree, at a sixth of the time to parse it
(`tests/unit/data/test_document_source.py`). Training takes pieces; what is measured takes whole
documents.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from diffusion.data.shards import ShardSet, Tokens
from diffusion.errors import CorpusError
from diffusion.text.tokenizer import Tokenizer

_TOKENS_BEFORE, _TOKENS_AFTER = 900, 160
_NO_FRESH_START = b" \t\r\n})]#*/<>|&"
"""What a line does not begin with at which a parser may begin without seeing what is above it."""


class DocumentSource:
    """The documents of a split, drawn by language and token.

    Drawing raises CorpusError where a document holds a token that the tokenizer does not have.
    """

    def __init__(
        self, shards: ShardSet, tokenizer: Tokenizer, weights: Mapping[str, float]
    ) -> None:
        self._shards = shards
        self._tokenizer = tokenizer
        self.languages = [name for name in shards.languages if len(shards[name])]
        if not self.languages:
            raise CorpusError("the corpus has no documents; run `diffill corpus build` first")
        self._ends = {name: np.cumsum(shards[name].lengths()) for name in self.languages}
        self._weights = [
            weights.get(name, 1.0 if weights else float(self._ends[name][-1]))
            for name in self.languages
        ]
        self._token_length = np.array(
            [len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)], dtype=np.int64
        )

    def window(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]:
        """A language, a whole document and a byte window of at most about `tokens` tokens in it."""
        language, ids, first = self._draw(rng, tokens)
        offsets = self._offsets(ids)
        data = self._tokenizer.decode(ids.tolist())
        start = int(offsets[first])
        if start > 0:
            start = max(data.find(b"\n", start), 0)
        last = int(np.searchsorted(offsets, start)) + tokens
        end = len(data)
        if last < len(ids):
            newline = data.rfind(b"\n", start + 1, int(offsets[last]))
            end = newline if newline > start else int(offsets[last])
        return language, data, (start, end)

    def piece(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]:
        """Like `window`, but of the document only the window and what surrounds it.

        The window touches the start (end) of the piece only if it touches the document's.
        """
        language, ids, first = self._draw(rng, tokens)
        low = max(0, first - _TOKENS_BEFORE)
        high = min(len(ids), first + 2 * tokens + _TOKENS_AFTER)
        offsets = self._offsets(ids[low:high])
        data = self._tokenizer.decode(ids[low:high].tolist())
        start = int(offsets[first - low])
        if first > 0:
            start = max(start, data.find(b"\n", start, int(offsets[-1]) // 2 + start // 2))
        last = int(np.searchsorted(offsets, start)) + tokens
        end = len(data)
        if last < high - low:
            newline = data.rfind(b"\n", start + 1, int(offsets[last]))
            end = newline if newline > start else int(offsets[last])
        elif high < len(ids):
            end = max(start + 1, data.rfind(b"\n", start + 1, len(data) - 1))
        cut = _fresh_start(data, start) if low > 0 else 0
        return language, data[cut:], (start - cut, end - cut)

    def _draw(self, rng: random.Random, tokens: int) -> tuple[str, Tokens, int]:
        """A language, the ids of a document, and the first token of a window in it."""
        language = rng.choices(self.languages, self._weights)[0]
        ends = self._ends[language]
        at = rng.randrange(int(ends[-1]))
        index = int(np.searchsorted(ends, at, side="right"))
        ids = self._shards.document(language, index)
        inside = at - int(ends[index]) + len(ids)
        return language, ids, max(0, min(inside - rng.randrange(tokens), len(ids) - tokens))

    def _offsets(self, ids: Tokens) -> npt.NDArray[np.int64]:
        try:
            return np.concatenate(([0], np.cumsum(self._token_length[ids])))
        except IndexError as error:
            raise CorpusError(
                f"the shards hold token {int(ids.max())}, the tokenizer has only "
                f"{len(self._token_length)}",
                fix="run `diffill corpus build` again with this tokenizer",
            ) from error


def _fresh_start(data: bytes, before: int) -> int:
    """The first line start in `data[:before]` that looks like the top level of a program.

    Without one, the first line start; without that, 0.
    """
    first = line = data.find(b"\n", 0, before) + 1
    while 0 < line < before:
        if data[line : line + 1] not in _NO_FRESH_START:
            return line
        line = data.find(b"\n", line, before) + 1
    return first if first < before else 0
