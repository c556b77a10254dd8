"""The corpus of a run, to which packs may be added while it trains.

Job: open what `--corpus` names, and look for new packs now and then. A pack that cannot be opened,
since it is still being copied, costs a warning: the run goes on with what it has and looks again.

Invariant: all processes of a run have the same packs open.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffusion.data.open_corpus import Corpus, open_corpus, pack_paths
from diffusion.errors import CorpusError, TokenizerError
from diffusion.train.run_log import RunLog

_LOOK_EVERY_S = 60.0


class GrowingCorpus:
    """What is open now, as `now`."""

    def __init__(
        self,
        path: Path,
        tokenizer_hash: str,
        log: RunLog,
        *,
        processes: int = 1,
        add_up: Callable[[float], float] = lambda value: value,
    ) -> None:
        """Open all of `path`; `add_up` sums a number over the `processes` of the run.

        Raises CorpusError or TokenizerError, as `open_corpus`.
        """
        self._path, self._tokenizer_hash, self._log = path, tokenizer_hash, log
        self._processes, self._add_up = processes, add_up
        self._looked_at_s = 0.0
        self.now = open_corpus(path, tokenizer_hash)
        self._tell()

    def grew(self, trained_s: float) -> bool:
        """Whether packs were added, in all processes; they are open then.

        Args:
            trained_s: what the run has spent, in seconds, the same in all processes; the folder
                is looked at once a minute.
        """
        if not self.now.packs or trained_s - self._looked_at_s < _LOOK_EVERY_S:
            return False
        self._looked_at_s = trained_s
        count = len(pack_paths(self._path))
        alike = self._add_up(float(count)) == count * self._processes
        if not self._everywhere(alike) or count <= self.now.packs:
            return False
        problem = "another process of this run cannot open them"
        larger: Corpus | None = None
        try:
            larger = open_corpus(self._path, self._tokenizer_hash)
        except (CorpusError, TokenizerError) as error:
            problem = str(error)
        if not self._everywhere(larger is not None) or larger is None:
            self._log.write(
                {
                    "event": "warning",
                    "message": f"new packs in {self._path} are left out for now: {problem}. "
                    "They are looked at again in a minute",
                }
            )
            return False
        self.now = larger
        self._tell()
        return True

    def _everywhere(self, here: bool) -> bool:
        return self._add_up(float(here)) == self._processes

    def _tell(self) -> None:
        if self.now.packs:
            of = self.now.packs_in_set
            self._log.write({"event": "packs", "open": self.now.packs, "of": of})
