"""Draws windows of documents from shards, the tokens of each document being equally likely.

A document shorter than a window is a window, and is drawn as often as any other window of its
language. Inside a longer one, windows are not cut short at its ends, so its first and last tokens
are as likely as those in the middle, and those nearly a window away from an end more so.

A *piece* is the window with what surrounds it, enough for a syntax tree whose nodes inside the
window are nearly those of the whole document's tree, at a fraction of the time to parse it
(`tests/unit/data/test_document_source.py`). Training takes pieces; what is measured takes whole
documents.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from diffusion.data.shards import ShardSet, Tokens
from diffusion.errors import CorpusError
from diffusion.text.tokenizer import Tokenizer

_TOKENS_BEFORE, _TOKENS_AFTER = 900, 160
_TOKENS_BACK = 128
"""Looked at first in search of a fresh start above that; then twice as many, and so on."""
_FRESH_START = re.compile(rb"(?<=\n)[^ \t\r\n})\]#*/<>|&]")
"""A line at which a parser may begin without seeing what is above it."""
_FRESH_START_OF = {
    # The prose of a docstring may stand at the left edge.
    "python": re.compile(
        rb"(?<=\n)(?:(?:async )?def \w|class \w|import \w|from [\w.]+ import\b|@\w)"
    )
}


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
        self._by_length = {name: _ByLength(shards[name].lengths()) for name in self.languages}
        self._weights = [
            weights.get(name, 1.0 if weights else float(self._by_length[name].tokens))
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

    def piece(
        self, rng: random.Random, tokens: int, language: str | None = None
    ) -> tuple[str, bytes, tuple[int, int]]:
        """Like `window`, but of the document only the window and what surrounds it.

        The window touches the start (end) of the piece only if it touches the document's.
        `language`: of this one, instead of one that is drawn, too.
        """
        language, ids, first = self._draw(rng, tokens, language)
        low = max(0, first - _TOKENS_BEFORE)
        high = min(len(ids), first + 2 * tokens + _TOKENS_AFTER)
        above = self._from_fresh_start(language, ids[:low])
        offsets = self._offsets(ids[low:high]) + len(above)
        data = above + self._tokenizer.decode(ids[low:high].tolist())
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
        return language, data, (start, end)

    def _draw(
        self, rng: random.Random, tokens: int, language: str | None = None
    ) -> tuple[str, Tokens, int]:
        """A language, the ids of a document, and the first token of a window in it."""
        if language is None:
            language = rng.choices(self.languages, self._weights)[0]
        ids = self._shards.document(language, self._by_length[language].draw(rng, tokens))
        return language, ids, max(0, min(rng.randrange(1 - tokens, len(ids)), len(ids) - tokens))

    def _from_fresh_start(self, language: str, ids: Tokens) -> bytes:
        """The end of this text, from the last line on that looks like the top level of a program.

        Without such a line, all of it.
        """
        fresh = _FRESH_START_OF.get(language, _FRESH_START)
        text, low, more = b"", len(ids), _TOKENS_BACK
        while low > 0:
            lower, more = max(0, low - more), 2 * more
            text, low = self._tokenizer.decode(ids[lower:low].tolist()) + text, lower
            starts = [match.start() for match in fresh.finditer(text)]
            if starts:
                return text[starts[-1] :]
        return text

    def _offsets(self, ids: Tokens) -> npt.NDArray[np.int64]:
        try:
            return np.concatenate(([0], np.cumsum(self._token_length[ids])))
        except IndexError as error:
            raise CorpusError(
                f"the shards hold token {int(ids.max())}, the tokenizer has only "
                f"{len(self._token_length)}",
                fix="run `diffill corpus build` again with this tokenizer",
            ) from error


class _ByLength:
    """The documents of a language, to be drawn for windows of any length.

    A document has as many chances as it has tokens, a shorter one than the window as many as that.
    """

    def __init__(self, lengths: npt.NDArray[np.int64]) -> None:
        order = np.argsort(lengths, kind="stable")
        self._order = order[lengths[order] > 0]
        self._lengths = lengths[self._order]
        self._sums = np.concatenate(([0], np.cumsum(self._lengths)))
        self.tokens = int(self._sums[-1])

    def draw(self, rng: random.Random, window: int) -> int:
        """The index of a document."""
        shorter = int(np.searchsorted(self._lengths, window))
        of_shorter, their_tokens = shorter * window, int(self._sums[shorter])
        at = rng.randrange(of_shorter + self.tokens - their_tokens)
        if at < of_shorter:
            return int(self._order[at // window])
        at += their_tokens - of_shorter
        return int(self._order[np.searchsorted(self._sums, at, side="right") - 1])
