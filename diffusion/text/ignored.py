"""Which files are never read: secrets, and what `.gitignore` and `.diffillignore` name.

Completion asks before it offers anything in a document or quotes from it, scoring before it scores
one; whoever reads the files of a repository is to ask, too. The list of secrets is built in:
settings and ignore files can add to what is left out, and no pattern of theirs, `!.env` included,
can let a secret in.

Ignore files hold as in git: those of every folder from the top down to the file's own count, the
deeper ones last, and nothing below an ignored folder comes back. The top is the outermost of the
repository (the folder with `.git`) and the root, of those given, that hold the file.

Invariants: never raises and never waits, whatever the path or an ignore file holds (what cannot be
read or is no regular file counts as empty, a pattern that cannot be read as absent, one whose
wildcards would take for ever is read so that it names more); files are read, none is written; no
torch, no process is started. A link is judged by its own name and by that of what it leads to.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pathspec import GitIgnoreSpec, RegexPattern

SECRETS: Final = (
    # Settings of the environment, and what tools keep their passwords in.
    ".env", ".env.*", ".env-*", ".envrc", "*.env", ".netrc", "_netrc", ".npmrc", ".yarnrc.yml",
    ".pypirc", ".pgpass", ".my.cnf", ".htpasswd", ".dockercfg", ".git-credentials",
    ".vault-token", ".terraformrc", "credentials", "credentials.json", "credentials.y*ml",
    "secrets.json", "secrets.y*ml", "secrets.toml", "secrets.ini", "client_secret*.json",
    "service-account*.json", "service_account*.json", "*.tfvars", "*.tfstate", "*.tfstate.*",
    # Keys and certificates. Not `id_*`: `id_map.py` is code.
    "*.pem", "*.key", "*.p12", "*.pfx", "*.p8", "*.ppk", "*.jks", "*.keystore", "*.kdbx",
    "*.gpg", "*.pgp", "*.asc", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "id_xmss*",
    # Folders that hold either.
    ".aws/", ".azure/", ".docker/", ".gcloud/", ".gnupg/", ".kube/", ".password-store/", ".ssh/",
    ".git/",
)  # fmt: skip
"""Patterns as in `.gitignore`, for names in lower case."""

GITIGNORE: Final = ".gitignore"
OWN_IGNORE: Final = ".diffillignore"
_MOST_BYTES: Final = 1 << 20
_LONGEST_PATTERN: Final = 4096
"""No path is longer."""
_MOST_WILDCARDS: Final = 4
_GIT_FOLDER: Final = "gitdir: "
_SET: Final = re.compile(r"\\.|\[[!^]?\]?(?:\[:[a-z]+:\]|[^\]])*+(?:\]|$)")
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \t", "cntrl": "\x01-\x1f\x7f",
    "digit": "0-9", "graph": '"-.0-~!', "lower": "a-z", "print": " -.0-~",
    "punct": ':-@"-.[-`{-~!', "space": " \t-\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
"""What `[:alpha:]` and the like stand for in a set; no slash, and none begins with `!` or `]`."""

_MOST_KNOWN: Final = 500
_known: dict[Path, tuple[tuple[int, ...], _Patterns]] = {}
"""Ignore files that were read, each with what tells that it is still the same. Used by several
threads: what one of them loses is read again."""

Why = Literal["secret", "setting", ".gitignore", ".diffillignore"]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why a file is left out, and the pattern that says so."""

    why: Why
    pattern: str


class IgnoreRules:
    """What is left out of some folders.

    Ignore files are read on first use and kept: make new rules, or call `forget`, when one may
    have changed.
    """

    def __init__(
        self,
        roots: Iterable[Path] = (),
        *,
        patterns: Iterable[str] = (),
        respect_gitignore: bool = True,
    ) -> None:
        """`patterns`: more to leave out, as lines of a `.gitignore` at every top."""
        named = [_absolute(root) for root in roots]
        # By their real paths, too: a walk below a linked folder meets files by theirs.
        real = [Path(os.path.realpath(root)) for root in named]
        self._roots = tuple(dict.fromkeys((*named, *real)))
        self._own = _Patterns(patterns)
        self._respect_gitignore = respect_gitignore
        self._specs: dict[Path, tuple[tuple[Why, _Patterns], ...]] = {}

    def forget(self) -> None:
        """Read ignore files again when they are needed."""
        self._specs.clear()

    def check(self, path: Path, *, is_folder: bool = False) -> Ignored | None:
        """Why a file is left out, or all that a folder holds; None for one that may be read."""
        named = _absolute(path)
        found = self._check(named, is_folder)
        if found is not None:
            return found
        try:
            real = Path(os.path.realpath(named))
        except ValueError:  # a NUL, which no file has in its name
            return None
        return self._check(real, is_folder) if real != named else None

    def _check(self, path: Path, is_folder: bool) -> Ignored | None:
        lower = Path(*(part.lower() for part in path.parts[1:]))
        secret = _secrets().leave_out(lower, is_folder)
        if secret is not None:
            return Ignored("secret", secret)
        top = self._top(path)
        own = self._own.leave_out(path.relative_to(top), is_folder)
        if own is not None:
            return Ignored("setting", own)
        return self._by_files(path, top, is_folder)

    def _top(self, path: Path) -> Path:
        """Where ignore files begin to count: the highest root or repository above the file."""
        tops = [root for root in self._roots if root in path.parents]
        repository = next((up for up in path.parents if _exists(up / ".git")), None)
        if repository is not None:
            tops.append(repository)
        return min(tops, key=lambda top: len(top.parts), default=path.parent)

    def _by_files(self, path: Path, top: Path, is_folder: bool) -> Ignored | None:
        """As git decides: each folder on the way, then `path`; the last pattern wins."""
        parts = path.relative_to(top).parts
        for depth in range(len(parts)):
            last: Ignored | None = None
            for above in range(depth + 1):
                folder = top.joinpath(*parts[:above])
                name = "/".join(parts[above : depth + 1])
                name += "/" if is_folder or depth + 1 < len(parts) else ""
                for why, spec in self._specs_of(folder):
                    said = spec.says(name)
                    if said is not None:
                        last = Ignored(why, said[1]) if said[0] else None
            if last is not None:
                return last
        return None

    def _specs_of(self, folder: Path) -> tuple[tuple[Why, _Patterns], ...]:
        specs = self._specs.get(folder)
        if specs is None:
            found: list[tuple[Why, _Patterns]] = []
            if self._respect_gitignore:
                found += [
                    (".gitignore", _read(_git_folder(folder) / "info" / "exclude")),
                    (".gitignore", _read(folder / GITIGNORE)),
                ]
            found.append((".diffillignore", _read(folder / OWN_IGNORE)))
            specs = self._specs[folder] = tuple((why, s) for why, s in found if s.known)
        return specs


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that is not ours
        return False


def _git_folder(folder: Path) -> Path:
    """Where git keeps what is not tracked of a repository: `.git`, or what that file names."""
    named = _line(folder / ".git")
    if not named.startswith(_GIT_FOLDER):
        return folder / ".git"
    own = folder / named.removeprefix(_GIT_FOLDER)  # of a worktree or a submodule
    return own / _line(own / "commondir")


def _line(file: Path) -> str:
    """What a file of git's holds that names a folder, "" where it cannot be read."""
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return os.fsdecode(stream.read(_LONGEST_PATTERN)).rstrip("\r\n")
    except (OSError, ValueError):
        pass
    return ""


def _read(file: Path) -> _Patterns:
    """The patterns of an ignore file, compiled again only if it has changed."""
    try:
        # A pipe would wait for somebody to write, a device has no end.
        with open(file, "rb", opener=_without_waiting) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                return _Patterns(())
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = _known.get(file)
            if known is not None and known[0] == stamp:
                return known[1]
            text = stream.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return _Patterns(())
    patterns = _Patterns(text.splitlines())
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[file] = (stamp, patterns)
    return patterns


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


class _Patterns:
    """Lines of an ignore file; those that cannot be read are left out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.known = tuple(found for line in lines if line.strip() for found in _compiled(line))

    def says(self, name: str) -> tuple[bool, str] | None:
        """Whether the last pattern that names `name` leaves it out, and that pattern.

        Of a folder, which ends in a slash, as of a file: what lies in a folder that a pattern
        names is not named by it. So `!src/` lets nothing back in that another pattern leaves out.
        """
        for line, regex, leaves_out in reversed(self.known):
            if _names(regex, name):
                return leaves_out, line
        return None

    def leave_out(self, path: Path, is_folder: bool) -> str | None:
        """The pattern that leaves out a relative path, or a folder on the way to it."""
        for depth in range(1, len(path.parts) + 1):
            slash = "/" if is_folder or depth < len(path.parts) else ""
            said = self.says("/".join(path.parts[:depth]) + slash)
            if said is not None and said[0]:
                return said[1]
        return None


def _tamed(line: str) -> str:
    """A pattern with so few wildcards that to look for it takes no time, "" for none.

    Patterns become regular expressions, which try each wildcard in every place. One with too many
    is cut down to one that names all that it did and more; if it lets files back in, it goes.
    """
    if len(line) > _LONGEST_PATTERN:
        return ""
    line = _SET.sub(_without_classes, line)
    parts = [_with_few_stars(part) for part in line.split("/")]
    deep = [n for n, part in enumerate(parts) if part == "**"]
    if len(deep) > _MOST_WILDCARDS:
        parts = [*parts[: deep[0]], *parts[deep[-1] :]]
    tamed = "/".join(parts)
    return "" if tamed != line and line.startswith("!") else tamed


def _with_few_stars(part: str) -> str:
    if part.count("*") <= _MOST_WILDCARDS:
        return part
    return f"{part[: part.index('*')]}*{part[part.rindex('*') + 1 :]}"


def _without_classes(found: re.Match[str]) -> str:
    """A set with `[:digit:]` and the like spelled out; nothing else is changed."""
    if found[0].startswith("\\"):
        return found[0]
    return found[0][0] + re.sub(
        r"\[:([a-z]+):\]", lambda name: _CLASSES.get(name[1], name[0]), found[0][1:]
    )


def _compiled(line: str) -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """A line, as it is matched and whether it leaves out, once it is known that it can be."""
    try:
        found = GitIgnoreSpec.from_lines([_tamed(line)]).patterns
    except (ValueError, TypeError):
        return  # one bad line must not let all others go
    for pattern in found:
        if pattern.include is not None and isinstance(pattern, RegexPattern) and pattern.regex:
            yield line, re.compile(pattern.regex.pattern, re.DOTALL), pattern.include


def _names(regex: re.Pattern[str], name: str) -> bool:
    """Whether a pattern names this very file or folder, rather than one that it lies in."""
    if "ps_d" in regex.groupindex:  # pathspec's mark for the slash after what is named
        return any(match.end() == len(name) for match in regex.finditer(name))
    # All files ("*"), or what lies in a folder ("a/**").
    return regex.search(name, 0, len(name) - name.endswith("/")) is not None


@cache
def _secrets() -> _Patterns:
    """Made on first use: the server must answer `initialize` before it needs them."""
    return _Patterns(SECRETS)
