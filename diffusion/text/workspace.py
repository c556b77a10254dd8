"""Reads the files of a workspace that may help a document: what it imports, what was edited last.

Job: from a document's imports to files (`imports`, `import_paths`), from files to texts and to the
heads of their definitions (`signatures`).

Invariants: only regular files below a root are read, by their real path, and none that is left
alone (`ignored`); each is at most `MOST_FILE_BYTES`, and at most `MOST_IMPORTED` and `MOST_RECENT`
are taken; what is kept is at most `_MOST_KEPT_BYTES` and is read again when a file's time or size
has changed; never raises. A call may take as long as the disk does: not for the event loop.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diffusion.text.cross_file import CrossFile
from diffusion.text.ignored import IgnoreRules
from diffusion.text.import_paths import ALL_OF, import_paths
from diffusion.text.imports import Import, find_imports
from diffusion.text.languages import canonical, grammar_for_path, language_for_path
from diffusion.text.signatures import signatures
from diffusion.text.syntax import SyntaxTree

MOST_FILE_BYTES: Final = 200_000
MOST_IMPORTED: Final = 12
MOST_RECENT: Final = 6
SIGNATURE_BYTES: Final = 1_500
"""Of one file."""
_MOST_KEPT_BYTES: Final = 4_000_000
_MOST_TRIED: Final = 2_000
"""Names that are looked up for one document."""
_MOST_OF_FOLDER: Final = 4
_PARSE_MS: Final = 100.0


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: tuple[int, int]
    data: bytes


class Workspace:
    """The files below some roots. For one thread at a time."""

    def __init__(self, roots: Iterable[Path], rules: IgnoreRules) -> None:
        """Without roots nothing is read."""
        self._roots = tuple(Path(os.path.realpath(root)) for root in roots)
        self._rules = rules
        self._kept: OrderedDict[Path, _Kept] = OrderedDict()

    def around(
        self,
        file: Path,
        data: bytes,
        grammar: str,
        *,
        recent: Sequence[Path] = (),
        open_texts: Mapping[Path, bytes] | None = None,
    ) -> CrossFile:
        """What the files that `data`, the text of `file`, imports say, and those of `recent`.

        `open_texts`: what an editor has of a file, in place of what the disk says.
        """
        file = Path(os.path.realpath(file))
        root = self._root_of(file)
        if root is None:
            return CrossFile()
        shown = {Path(os.path.realpath(path)): text for path, text in (open_texts or {}).items()}
        heads: list[bytes] = []
        texts: list[bytes] = []
        seen = {file}
        for path, names in self._imported(file, root, data, grammar):
            seen.add(path)
            text = shown[path] if path in shown else self._read(path)
            if text is None:
                continue
            tree = SyntaxTree.parse(text, grammar_for_path(path), budget_ms=_PARSE_MS)
            heads.append(signatures(tree, names, SIGNATURE_BYTES))
            texts.append(text)
        language = canonical(grammar)
        for named in recent[:MOST_RECENT]:
            if language_for_path(named) != language:
                continue
            for path in self._files(named, file):
                text = None if path in seen else shown.get(path) or self._read(path)
                seen.add(path)
                if text is not None:
                    texts.append(text)
        return CrossFile(tuple(head for head in heads if head), tuple(texts))

    def _imported(
        self, file: Path, root: Path, data: bytes, grammar: str
    ) -> list[tuple[Path, tuple[str, ...]]]:
        """Files behind the imports, with the names that are taken from each."""
        tree = SyntaxTree.parse(data, grammar, budget_ms=_PARSE_MS)
        module = self._go_module(root) if tree.language == "go" else ""
        found: dict[Path, tuple[str, ...]] = {}
        tried = 0
        for item in find_imports(tree):
            for named in import_paths(item, tree.language, file, root, module):
                tried += 1
                if tried > _MOST_TRIED or len(found) >= MOST_IMPORTED:
                    return list(found.items())
                paths = list(self._files(named, file))
                for path in paths:
                    found[path] = (*found.get(path, ()), *item.names)
                if paths and not _may_be_one_of_many(item, named):
                    break
        return list(found.items())

    def _files(self, named: Path, file: Path) -> Iterator[Path]:
        """The readable files that a name stands for, by their real path; not `file` itself."""
        if named.name == ALL_OF:
            try:
                inside = sorted(named.parent.iterdir())
            except (OSError, ValueError):
                return
            alike = [p for p in inside if p.suffix == file.suffix and not p.stem.endswith("_test")]
            for path in alike[:_MOST_OF_FOLDER]:
                yield from self._files(path, file)
            return
        try:
            if not stat.S_ISREG(named.stat().st_mode):
                return
        except (OSError, ValueError):
            return
        real = Path(os.path.realpath(named))
        if real != file and self._allowed(real) and self._rules.check(named) is None:
            yield real

    def _root_of(self, real: Path) -> Path | None:
        """The innermost root above a file."""
        above = [root for root in self._roots if root in real.parents]
        return max(above, key=lambda root: len(root.parts), default=None)

    def _allowed(self, real: Path) -> bool:
        return self._root_of(real) is not None and self._rules.check(real) is None

    def _go_module(self, root: Path) -> str:
        text = self._read(root / "go.mod") if self._allowed(root / "go.mod") else None
        for line in (text or b"").splitlines():
            if line.startswith(b"module "):
                return line.split()[1].strip(b'"').decode("utf-8", "replace")
        return ""

    def _read(self, real: Path) -> bytes | None:
        """The text of a file; None for what cannot be read, is too large or is no text."""
        try:
            found = real.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_FILE_BYTES:
                return None
            mark = (found.st_mtime_ns, found.st_size)
            kept = self._kept.get(real)
            if kept is None or kept.mark != mark:
                with real.open("rb") as stream:
                    kept = _Kept(mark, stream.read(MOST_FILE_BYTES))
                self._keep(real, kept)
        except (OSError, ValueError):
            return None
        self._kept.move_to_end(real)
        return None if b"\0" in kept.data else kept.data

    def _keep(self, real: Path, kept: _Kept) -> None:
        self._kept[real] = kept
        self._kept.move_to_end(real)
        size = sum(len(other.data) for other in self._kept.values())
        while size > _MOST_KEPT_BYTES and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            size -= len(gone.data)


def _may_be_one_of_many(item: Import, named: Path) -> bool:
    """Whether other names of the same import may be files, too: `from . import a, b`."""
    return len(item.names) > 1 and named.stem in item.names
