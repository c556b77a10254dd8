"""What the passes of a run say, by the way, of texts that somebody else proposes.

A pass weighs every token for the slots that it looks at. As long as a row has written a text's
beginning, the probability of that text's next token stands in the same pass, for nothing. Where
row and text part, it is the probability of having written the text instead.

Invariants: listening changes no row and costs no pass; of several rows that have written the same
beginning, the one that speaks best of the text is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, takewhile

from diffusion.process.reading import Reading
from diffusion.process.row import Row
from diffusion.text.tokenizer import DEL


class Overheard:
    """Listens for `texts`, each the tokens of the slots that it would fill."""

    def __init__(self, texts: Sequence[tuple[int, ...]]) -> None:
        self._texts = tuple(texts)
        self._said: list[dict[int, float]] = [{} for _ in self._texts]

    def listen(self, rows: Sequence[Row], reading: Reading) -> None:
        """Take note of a pass over `rows`."""
        for row, view in zip(rows, reading.rows, strict=True):
            written = tuple(row.ids[row.pinned.index(False) : view.slots[0]])
            place = len(written)
            for text, said in zip(self._texts, self._said, strict=True):
                if text[:place] == written:
                    token = text[place] if place < len(text) else DEL
                    log_p = float(reading.log_p_MV[view.logits_at, token])
                    said[place] = max(log_p, said.get(place, log_p))

    def heard(self) -> list[tuple[float, ...]]:
        """Of each text the log-probabilities of its tokens, its end included, in nats.

        As far as some row had written what stands before them.
        """
        known = (takewhile(said.__contains__, count()) for said in self._said)
        return [
            tuple(said[place] for place in places)
            for said, places in zip(self._said, known, strict=True)
        ]
