"""The adapters of one repository: published, listed, selected, rolled back, carried.

A published adapter's folder is never changed; `current.json` beside them says which one is served
and which ones were before; a lock beside it keeps a server and a command line from changing that at
once. Export packs a folder into one file, import checks all of it before anything appears. Nothing
here imports torch.

Invariant: what is listed as sound has passed `manifest.check`, as the file lies there now.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusion.adapters.checked import checked
from diffusion.adapters.durable import PART, owned, remove_parts, write_file, write_folder
from diffusion.adapters.file_lock import lock_if_any
from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.manifest import (
    FILES,
    LONGEST_NAME,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    AdapterManifest,
    Base,
    check,
    check_base,
    check_content,
    check_name,
)
from diffusion.errors import AdapterError, PublishError
from diffusion.model.manifest import FileRecord

CURRENT_FILE, LOCK_FILE = "current.json", "current.lock"
SUFFIX = ".diffill-adapter"
_MOST_BYTES = 2_000_000_000
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_WAIT_S, _WAIT_S = 5.0, 0.01
"""How long another process may change what is served: it reads an adapter or two meanwhile."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One adapter of a repository. `problem` says why it cannot be served."""

    name: str
    selected: bool
    manifest: AdapterManifest | None
    size_bytes: int
    problem: str | None = None


class AdapterStore:
    """The adapters of one repository."""

    def __init__(
        self, home: RepositoryHome, *, wait: Callable[[float], None] = time.sleep
    ) -> None:
        """`wait` sleeps for so many seconds, while another process changes what is served."""
        self.home = home
        self.folder = home.adapters
        self._wait = wait

    def folder_of(self, name: str) -> Path:
        """The folder of an adapter. Raises AdapterError where there is none of that name."""
        check_name(name)
        folder = self.folder / name
        if not folder.is_dir():
            there = ", ".join(self._names()) or "none"
            raise AdapterError(
                f"{self.home.root.name} has no adapter called {name}",
                fix=f"choose one of these: {there}",
            )
        return folder

    def with_files(
        self, name: str | None, files: Mapping[str, FileRecord]
    ) -> AdapterManifest | None:
        """The adapter of that name, if it is sound and holds just these files."""
        if name is None or name not in self._names():
            return None
        try:
            manifest = check(self.folder / name)
        except AdapterError:
            return None
        return manifest if manifest.files == files else None

    def publish(self, manifest: AdapterManifest, weights: bytes) -> Path:
        """Put an adapter in place, without selecting it. Raises PublishError."""
        check_name(manifest.name)
        record = FileRecord.of_bytes(weights)
        whole = replace(manifest, files={WEIGHTS_FILE: record})
        folder = self.folder / manifest.name
        if folder.exists():
            raise PublishError(
                f"there is an adapter called {manifest.name} already",
                fix="delete it, or give another name",
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_parts(self.folder)
            write_folder(folder, {WEIGHTS_FILE: weights, MANIFEST_FILE: whole.to_bytes()})
        except OSError as error:
            raise PublishError(
                f"adapter {manifest.name} could not be written to {self.folder} ({error.strerror})",
                fix="free some disk space, or name another data folder in DIFFILL_DATA",
            ) from error
        return folder

    def free_name(self, wanted: str) -> str:
        """`wanted`, or with a number where it is taken; no longer than a name may be."""
        names = {*self._names()}
        number, name = 1, wanted
        while name in names:
            number += 1
            ending = f"-{number}"
            name = wanted[: LONGEST_NAME - len(ending)] + ending
        return name

    def entries(self, base: Base | None = None) -> list[Listed]:
        """All adapters, the newest first; with `base`, those of another model have a problem.

        One that another process deletes meanwhile is left out.
        """
        selected = self.selected()
        found = []
        for name in self._names():
            folder = self.folder / name
            try:
                size = sum(p.stat().st_size for p in folder.iterdir() if p.is_file())
                manifest, problem = checked(folder, base), None
            except FileNotFoundError:
                continue
            except AdapterError as error:
                if not folder.is_dir():
                    continue
                manifest, problem = None, str(error)
            found.append(Listed(name, name == selected, manifest, size, problem))
        found.sort(key=lambda a: (a.manifest.created if a.manifest else "", a.name), reverse=True)
        return found

    def selected(self) -> str | None:
        """The name of the adapter that is served, None for the base model."""
        name = self._current().get("selected")
        if not isinstance(name, str):
            return None
        try:
            check_name(name)
        except AdapterError:
            return None  # the file is damaged; this may be a name that no disk takes
        return name if (self.folder / name).is_dir() else None

    def select(self, name: str | None, base: Base | None = None) -> None:
        """Serve this adapter from now on, or the base model. Raises AdapterError for a bad one."""
        if name is not None:
            checked(self.folder_of(name), base)
        with self._changing():
            if name is not None:
                self.folder_of(name)  # it may have been deleted meanwhile
            current = self._current()
            if name == current.get("selected"):
                return  # it would be what was served before itself
            history = [h for h in current.get("history", []) if isinstance(h, (str, type(None)))]
            self._write_current(name, [*history, current.get("selected")][-20:])

    def rollback(
        self, base: Base | None = None, pass_over: Callable[[str], None] = lambda problem: None
    ) -> str | None:
        """Serve what was served before; gives back its name, None for the base model.

        What is damaged, gone or not for `base` is passed over, and `pass_over` told why. Raises
        AdapterError where nothing is left.
        """
        with self._changing():
            current = self._current()
            history = list(current.get("history", []))
            while history:
                name = history.pop()
                if name == current.get("selected") or not isinstance(name, (str, type(None))):
                    continue
                try:
                    if name is not None:
                        checked(self.folder_of(name), base)
                except AdapterError as error:
                    pass_over(str(error))
                    continue
                self._write_current(name, history)
                return name
        raise AdapterError(
            f"{self.home.root.name} has served nothing else before",
            fix="`diffill adapters use --base` goes back to the base model",
        )

    def delete(self, name: str) -> None:
        """Remove an adapter; one that is served makes room for the base model.

        Raises AdapterError where there is none of that name, or it cannot be removed.
        """
        self.folder_of(name)
        aside = owned(self.folder, PART)
        with self._changing():
            folder = self.folder_of(name)
            current = self._current()
            history = [h for h in current.get("history", []) if h != name]
            chosen = current.get("selected")
            self._write_current(None if chosen == name else chosen, history)
            try:
                with suppress(FileNotFoundError):  # somebody else has removed it
                    folder.rename(aside)
            except OSError as error:
                raise AdapterError(
                    f"{folder} could not be removed ({error.strerror})",
                    fix="close what uses it, and look at the folder's permissions",
                ) from error
        shutil.rmtree(aside, ignore_errors=True)

    def export(self, name: str, file: Path) -> Path:
        """Pack an adapter into one file, or into one of its name in the folder that `file` is.

        Gives back where. Raises AdapterError where there is no such adapter, or no such folder.
        """
        folder = self.folder_of(name)
        check(folder)
        if os.path.isdir(file):
            file = file / f"{name}{SUFFIX}"
        parent = os.path.dirname(os.path.realpath(file))
        if not os.path.isdir(parent):  # made, it would hide that a name was mistyped
            raise AdapterError(
                f"{file} could not be written: there is no folder {parent}",
                fix="make it, or name another file",
            )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for part in FILES:
                info = zipfile.ZipInfo(part, (1980, 1, 1, 0, 0, 0))
                archive.writestr(info, (folder / part).read_bytes())
        try:
            write_file(file, packed.getvalue())
        except OSError as error:
            raise AdapterError(
                f"{file} could not be written ({error.strerror})", fix="name another file"
            ) from error
        return file

    def import_file(self, file: Path, base: Base | None = None, name: str | None = None) -> str:
        """Unpack an exported adapter; gives back its name. Raises AdapterError for a bad one."""
        parts = _unpacked(file)
        manifest = AdapterManifest.parse(parts[MANIFEST_FILE], f"{file.name}/{MANIFEST_FILE}")
        weights = parts[WEIGHTS_FILE]
        check_content(manifest, weights, f"{file.name}/{WEIGHTS_FILE}")
        if base is not None:
            check_base(manifest, base)
        chosen = self.free_name(manifest.name if name is None else name)
        self.publish(replace(manifest, name=chosen), weights)
        return chosen

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(
            p.name for p in self.folder.iterdir() if p.is_dir() and not p.name.startswith(".")
        )

    def _current(self) -> dict[str, Any]:
        try:
            raw = json.loads((self.folder / CURRENT_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # nothing was selected yet; a damaged file serves the base model
        if not isinstance(raw, dict) or not isinstance(raw.get("history", []), list):
            return {}
        return raw

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other processes, and threads, from changing what is served. Raises AdapterError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / LOCK_FILE).open("ab")
        except OSError as error:
            raise self._not_written(error) from error
        due_s = time.monotonic() + _LONGEST_WAIT_S
        with file:
            while not lock_if_any(file):
                if time.monotonic() > due_s:
                    raise AdapterError(
                        f"another process is changing what {self.home.root.name} serves",
                        fix="wait until it has ended, and try again",
                    )
                self._wait(_WAIT_S)
            yield

    def _write_current(self, name: str | None, history: list[Any]) -> None:
        text = json.dumps({"selected": name, "history": history}, indent=1) + "\n"
        try:
            write_file(self.folder / CURRENT_FILE, text.encode())
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> AdapterError:
        return AdapterError(
            f"{self.folder / CURRENT_FILE} could not be written ({error.strerror})",
            fix="free some disk space, or look at the folder's permissions",
        )


def _unpacked(file: Path) -> Mapping[str, bytes]:
    """The parts of an exported adapter, in memory. Raises AdapterError."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sorted(archive.namelist()) != sorted(FILES):
                raise AdapterError(
                    f"{file.name} is no exported adapter: it holds {len(archive.namelist())} files",
                    fix="export it again with `diffill adapters export`",
                )
            if any(item.compress_type not in _PACKINGS for item in archive.infolist()):
                raise NotImplementedError("it was packed again, in another way")
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise AdapterError(f"{file.name} is too large for an adapter", fix="export again")
            return {name: archive.read(name) for name in FILES}
    except FileNotFoundError as error:
        raise AdapterError(f"there is no file {file}", fix="check its name") from error
    except (IsADirectoryError, PermissionError) as error:
        raise AdapterError(
            f"{file} cannot be read ({error.strerror})",
            fix="name a file that `diffill adapters export` wrote, and that you may read",
        ) from error
    except (
        OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError
    ) as error:  # fmt: skip
        raise AdapterError(
            f"{file.name} cannot be read as an exported adapter ({error})",
            fix="it may be cut short: copy it again, or export it again",
        ) from error
