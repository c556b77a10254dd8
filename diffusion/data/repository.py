"""Which files of a repository are learned from, and why the others are not.

A walk in a fixed order; what is left alone in completion stays out here, too
(`diffusion.text.ignored`). Then the filters
of the corpus, without the one for licences, then the strict search for secrets, then copies of
earlier files.

Invariants: nothing is read through a link or from outside the folder; whatever the repository's
own settings say, git runs no program for it and fetches nothing; what cannot be read is told of
and ends nothing. The held-out files are those whose path has a low hash, so a file does not change
sides when others come. Where that would leave one side empty, as it may with a handful of files,
the file with the lowest (or highest) hash is on that side, until one comes that belongs there.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from diffusion.data.filters import (
    MAX_FILE_BYTES,
    header_language,
    language_of,
    reason_to_drop,
    skipped_path,
)
from diffusion.data.fingerprints import exact_digest, signature, word_hashes
from diffusion.data.near_duplicates import near_duplicates
from diffusion.data.secret_scan import secret_kind
from diffusion.data.split import unit_hash
from diffusion.errors import CorpusError
from diffusion.text.ignored import OWN_IGNORE, IgnoreRules
from diffusion.text.nearby_files import VENDORED

HELD_OUT_SHARE = 0.12
MOST_FILES = 50_000
_GIT_TIMEOUT_S = 30
_SETTINGS = (
    "core.fsmonitor=false", f"core.hooksPath={os.devnull}", "log.showSignature=false",
    f"gpg.program={os.devnull}", f"gpg.openpgp.program={os.devnull}",
    f"gpg.ssh.program={os.devnull}", f"gpg.x509.program={os.devnull}", "protocol.allow=never",
)  # fmt: skip
"""They come before the repository's own, which may name a program for git to run."""
_RECENT_COMMITS = 300
_RECENT_SHARE = 0.15
"""The files that were touched last, at most this share of all: where every file is recent, as in
a young repository, none is."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to learn from. `held_out` files are measured on and never trained on."""

    path: str
    language: str
    data: bytes
    held_out: bool
    recent: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Excluded:
    """One code file that is left out; `detail` says more where there is more to say."""

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """What a scan found."""

    root: Path
    files: tuple[SourceFile, ...]
    excluded: tuple[Excluded, ...]
    uses_git: bool

    def reasons(self) -> dict[str, int]:
        """How many files were left out for each reason."""
        return dict(sorted(Counter(item.reason for item in self.excluded).items()))

    @property
    def digest(self) -> str:
        """One hash over the paths, sides and contents of everything that is used."""
        whole = hashlib.sha256()
        for file in self.files:
            line = f"{file.path}\0{file.held_out}\0{file.digest}\n"
            whole.update(line.encode("utf-8", "surrogateescape"))
        return whole.hexdigest()


Progress = Callable[[], None]
"""Called for every file; what it raises ends the work."""


def scan_repository(root: Path, *, on_progress: Progress = lambda: None) -> Repository:
    """Look at every code file below `root`. Raises CorpusError where there is nothing to learn."""
    _check_root(root)
    root = root.resolve()
    rules = IgnoreRules([root])
    candidates, excluded = _candidates(root, rules, on_progress)
    recent, uses_git = _recent(root, len(candidates))
    kept: list[SourceFile] = []
    for path in candidates:
        on_progress()
        found = _read(root, path)
        if isinstance(found, Excluded):
            excluded.append(found)
        else:
            kept.append(SourceFile(path, found[0], found[1], False, path in recent))
    kept, copies = _without_copies(kept, on_progress)
    files = tuple(_split(kept))
    repository = Repository(root, files, tuple(excluded + copies), uses_git)
    if not files:
        reasons = ", ".join(f"{n} {reason}" for reason, n in repository.reasons().items())
        raise CorpusError(
            f"{root} holds no file to learn from ({reasons or 'no code file at all'})",
            fix="name a folder with source code in one of the eight languages",
        )
    return repository


def left_out_since(
    root: Path, digests: Mapping[str, str], *, on_progress: Progress = lambda: None
) -> Excluded | None:
    """The first of some files that is ignored now, or has changed and holds a secret now.

    `digests`: by path, the SHA-256 of each file when it was scanned.
    """
    root, rules = root.resolve(), IgnoreRules([root.resolve()])
    for path, digest in digests.items():
        on_progress()
        ignored = _ignored(rules, root, path)
        if ignored is not None:
            return ignored
        data = _bytes(root / path)
        if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() != digest:
            kind = secret_kind(path, data)
            if kind is not None:
                return Excluded(path, "secret", kind)
    return None


def is_another(
    root: Path, known: Collection[str], *, on_progress: Progress = lambda: None
) -> bool:
    """Whether most of the known files are gone and others are there, as in another repository."""
    gone = sum(not os.path.lexists(root / path) for path in known)
    if 2 * gone <= len(known):
        return False
    root = root.resolve()
    candidates, _ = _candidates(root, IgnoreRules([root]), on_progress)
    return not {*candidates} <= {*known}


def _check_root(root: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = False
    except OSError as error:
        raise _unreadable_root(root, error) from error
    if not is_folder:
        raise CorpusError(f"{root} is no folder", fix="name the top folder of a repository")


def _unreadable_root(root: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{root} cannot be read ({error.strerror})",
        fix="give yourself the rights to read it, or name another folder",
    )


def _ignored(
    rules: IgnoreRules, root: Path, path: str, *, is_folder: bool = False
) -> Excluded | None:
    found = rules.check(root / path, is_folder=is_folder)
    return None if found is None else Excluded(path, found.why.removeprefix("."), found.pattern)


def _candidates(
    root: Path, rules: IgnoreRules, on_progress: Progress
) -> tuple[list[str], list[Excluded]]:
    """Code files in a fixed order, and what is ignored, or a folder that is not entered."""
    found: list[str] = []
    excluded: list[Excluded] = []

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename or root).relative_to(root)
        if not folder.parts:
            raise _unreadable_root(root, error) from error
        excluded.append(Excluded(f"{folder.as_posix()}/", "unreadable", str(error.strerror)))

    for folder, folders, names in os.walk(root, onerror=unreadable):
        on_progress()
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        enter = []
        for name in sorted(folders):
            full = Path(folder, name)
            if name.startswith(".") or full.is_symlink():
                continue
            reason = _not_entered(full)
            if reason is not None:
                excluded.append(Excluded(f"{here / name}/", *reason))
            elif (left := _ignored(rules, root, f"{here / name}/", is_folder=True)) is not None:
                excluded.append(left)
            else:
                enter.append(name)
        folders[:] = enter
        for name in sorted(names):
            if language_of(name) is None:
                continue
            left = _ignored(rules, root, str(here / name))
            if left is None:
                found.append(str(here / name))
            else:
                excluded.append(left)
        if len(found) > MOST_FILES:
            raise CorpusError(
                f"{root} holds more than {MOST_FILES} code files",
                fix=f"name folders of it in {OWN_IGNORE}",
            )
    return sorted(found), excluded


def _not_entered(folder: Path) -> tuple[str, str] | None:
    """Why a folder is not looked into, and its detail; None for one that is."""
    if folder.name.lower() in VENDORED:
        return "vendored", ""
    for name, reason in (("pyvenv.cfg", "virtual_environment"), (".git", "another_repository")):
        try:
            (folder / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:  # its names may be listed, but nothing in it can be opened
            return "unreadable", str(error.strerror)
        return reason, ""
    return None


def _read(root: Path, path: str) -> tuple[str, bytes] | Excluded:
    """Language and bytes of a file that may be used, or why it may not."""
    language = language_of(path)
    assert language is not None
    if skipped_path(path):
        return Excluded(path, "vendored_or_generated_name")
    data = _bytes(root / path)
    if not isinstance(data, bytes):
        return Excluded(path, *data)
    reason = reason_to_drop(data, copyleft=False)
    if reason is not None:
        return Excluded(path, reason)
    kind = secret_kind(path, data)
    if kind is not None:
        return Excluded(path, "secret", kind)
    return (header_language(data) if path.endswith(".h") else language), data


def _bytes(full: Path) -> bytes | tuple[str, str]:
    """What a file of source code holds, or the reason why it is not read, and its detail."""
    try:
        seen = full.lstat()
        if stat.S_ISLNK(seen.st_mode):
            return "link", ""
        if not stat.S_ISREG(seen.st_mode):  # to read a pipe would wait for somebody to write
            return "unreadable", "it is no file"
        return ("too_large", "") if seen.st_size > MAX_FILE_BYTES else full.read_bytes()
    except OSError as error:
        return "unreadable", str(error.strerror)


def _without_copies(
    files: list[SourceFile], on_progress: Progress
) -> tuple[list[SourceFile], list[Excluded]]:
    """Copies of a training file among the held-out ones would make the figures worthless."""
    if not files:
        return [], []
    seen: set[bytes] = set()
    exact, signatures = [], []
    for file in files:
        on_progress()
        digest = exact_digest(file.data)
        exact.append(digest in seen)
        seen.add(digest)
        signatures.append(signature(word_hashes(file.data)))
    near = near_duplicates(np.stack(signatures), on_progress=lambda done: on_progress())
    kept = [f for f, a, b in zip(files, exact, near, strict=True) if not (a or b)]
    copies = [
        Excluded(f.path, "duplicate" if a else "near_duplicate")
        for f, a, b in zip(files, exact, near, strict=True)
        if a or b
    ]
    return kept, copies


def _split(files: Sequence[SourceFile]) -> Iterator[SourceFile]:
    """Choose the held-out files: those whose path's hash is low.

    Both sides have a file, if there are two: without a low hash the lowest is held out, and where
    all are low the highest is not. Which file that is depends on the others.
    """
    hashes = {file.path: unit_hash(file.path) for file in files}
    held = {path for path, value in hashes.items() if value < HELD_OUT_SHARE}
    if not held and len(files) > 1:
        held = {min(hashes, key=lambda path: (hashes[path], path))}
    if held and len(held) == len(files):
        held.discard(max(hashes, key=lambda path: (hashes[path], path)))
    for file in files:
        yield SourceFile(file.path, file.language, file.data, file.path in held, file.recent)


def _recent(root: Path, files: int) -> tuple[frozenset[str], bool]:
    """The files of the last commits, relative to `root`, and whether git answered."""
    answer = _git(
        root, "log", f"-{_RECENT_COMMITS}", "--since=120.days", "--name-only", "--relative",
        "--pretty=format:", "-z", "--no-ext-diff", "--no-textconv", f"-O{os.devnull}",
        # Told from one another by their names alone: no content is read, which may not be there.
        "--no-renames", "--diff-filter=d",
    )  # fmt: skip
    if answer is None or answer.returncode != 0:
        return frozenset(), False
    touched = dict.fromkeys(p.strip("\n") for p in answer.stdout.split("\0") if p.strip("\n"))
    return frozenset(list(touched)[: max(5, int(_RECENT_SHARE * files))]), True


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str] | None:
    """Run git without hooks, prompts or locks; None where it cannot be run.

    What the repository's settings name is not run (`_SETTINGS`), and what a partial clone lacks is
    not fetched: git is told not to, and, where it is too old to know that, allowed no transport.
    """
    safe = [word for setting in _SETTINGS for word in ("-c", setting)]
    env = {
        **os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
    }  # fmt: skip
    try:
        return subprocess.run(
            ["git", "-C", str(root), "--no-pager", *safe, *words], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, encoding="utf-8", errors="surrogateescape",
            timeout=_GIT_TIMEOUT_S, check=False, env=env,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
