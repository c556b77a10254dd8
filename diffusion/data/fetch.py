"""Downloads the packages a recipe names with ordinary clients and unpacks their source files.

Only named packages are fetched, never their dependencies, and no code of a package is run: sdists
are downloaded with stand-in build backends that only read PKG-INFO. The first fetch writes the
lock (version, archive names, SHA-256); every later fetch must match it. A source is done when
`raw/<name>/.fetched` exists and says what the lock and the recipe say, so an interrupted fetch
resumes, and one that came before another lock or recipe is repeated.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from diffusion.data.errors import FetchError
from diffusion.data.recipe import Archive, Lock, Source, load_lock, save_lock
from diffusion.data.unpack import copy_tree, unpack_archive

MARKER = ".fetched"
TIMEOUT_S = 600.0

_STAND_IN = """
import os
def _name(text, key):
    for line in text.splitlines():
        if line.startswith(key + ":"):
            return line.split(":", 1)[1].strip()
class _Hooks:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []
    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        text = open("PKG-INFO", encoding="utf-8", errors="replace").read()
        name, version = _name(text, "Name"), _name(text, "Version")
        folder = name.replace("-", "_") + "-" + version + ".dist-info"
        os.makedirs(os.path.join(metadata_directory, folder))
        with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as out:
            out.write("Metadata-Version: 2.1\\nName: " + name + "\\nVersion: " + version + "\\n")
        with open(os.path.join(metadata_directory, folder, "WHEEL"), "w") as out:
            out.write("Wheel-Version: 1.0\\n")
        return folder
__legacy__ = _Hooks()
get_requires_for_build_wheel = __legacy__.get_requires_for_build_wheel
prepare_metadata_for_build_wheel = __legacy__.prepare_metadata_for_build_wheel
"""
_BACKENDS = (
    "maturin", "hatchling/build", "setuptools/build_meta", "flit_core/buildapi", "mesonpy",
    "poetry/core/masonry/api", "pdm/backend", "scikit_build_core/build", "pbr/build",
    "scikit_build_core/setuptools/build_meta", "jupyter_packaging/build_api", "uv_build",
    "py_build_cmake/build", "hatch_jupyter_builder/build", "sipbuild/api",
)  # fmt: skip


def write_stand_in_backends(folder: Path) -> None:
    """Modules named like the usual build backends that answer pip's hooks from PKG-INFO alone."""
    for backend in _BACKENDS:
        *packages, module = backend.split("/")
        at = folder
        for package in packages:
            at = at / package
            at.mkdir(parents=True, exist_ok=True)
            (at / "__init__.py").touch()
        (at / f"{module}.py").parent.mkdir(parents=True, exist_ok=True)
        (at / f"{module}.py").write_text(_STAND_IN, encoding="utf-8")


def _run(command: list[str], cwd: Path, source: Source, env: dict[str, str] | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise FetchError(
            f"source {source.name!r} needs the client {command[0]!r}, which is not installed; "
            "install it or remove the source from the recipe"
        )
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise FetchError(
            f"source {source.name!r}: {command[0]} did not finish in {TIMEOUT_S:.0f} s; "
            "check the network and fetch again"
        ) from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise FetchError(
            f"source {source.name!r}: {command[0]} could not fetch {source.package!r} "
            f"(version {source.version or 'any'}); its last words:\n{tail}"
        )


class AptSources:
    """deb-src access through apt with its own state folder; the machine's lists stay untouched."""

    def __init__(self, folder: Path, etc: Path = Path("/etc/apt")) -> None:
        self._folder = folder
        self._etc = etc
        self._lock = threading.Lock()
        self._ready = False

    def options(self) -> list[str]:
        """Command-line options for apt-get."""
        return [
            "-o", f"Dir::Etc::sourcelist={self._folder / 'src.sources'}",
            "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::Lists={self._folder / 'lists'}",
            "-o", "APT::Sandbox::User=root",
        ]  # fmt: skip

    def prepare(self, source: Source) -> None:
        """Derive source lists from the machine's own binary lists and update them, once.

        Security suites are left out: they keep only their newest version, so a pin would rot.
        """
        with self._lock:
            if self._ready:
                return
            stanzas = [
                "\n".join(
                    "Types: deb-src" if line.startswith("Types:") else line
                    for line in stanza.splitlines()
                )
                for file in sorted((self._etc / "sources.list.d").glob("*.sources"))
                for stanza in file.read_text(encoding="utf-8").split("\n\n")
                if "-security" not in stanza.partition("Suites:")[2].partition("\n")[0]
            ]
            if not stanzas:
                raise FetchError(
                    f"source {source.name!r} needs apt package lists in the deb822 form "
                    f"under {self._etc}; none found"
                )
            (self._folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
            (self._folder / "src.sources").write_text("\n\n".join(stanzas) + "\n", encoding="utf-8")
            _run(["apt-get", *self.options(), "update"], self._folder, source)
            self._ready = True


def download(source: Source, folder: Path, apt: AptSources, pinned: Lock | None) -> str:
    """Download one source's archives into `folder` and return its version."""
    version = pinned.version if pinned else source.version
    pip = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir",
        "--disable-pip-version-check", "-d", ".",
    ]  # fmt: skip
    if source.client == "pip-wheel":
        spec = f"{source.package}=={version}" if version else source.package
        _run([*pip, "--only-binary", ":all:", spec], folder, source)
        return next(folder.glob("*.whl")).name.split("-")[1]
    if source.client == "pip-sdist":
        spec = f"{source.package}=={version}" if version else source.package
        stand_ins = folder.parent / ".backends"
        write_stand_in_backends(stand_ins)
        command = [*pip, "--no-binary", ":all:", "--no-build-isolation", "--use-pep517", spec]
        _run(command, folder, source, {"PYTHONPATH": str(stand_ins)})
        file = next(p for p in folder.iterdir() if p.suffix in (".gz", ".zip", ".bz2"))
        stem = file.name.removesuffix(".tar.gz").removesuffix(".zip").removesuffix(".tar.bz2")
        return stem.rsplit("-", 1)[1]
    if source.client == "npm":
        spec = f"{source.package}@{version}" if version else source.package
        _run(["npm", "pack", "--silent", "--ignore-scripts", spec], folder, source)
        # A scoped package, "@a/b", is packed as "a-b-<version>.tgz".
        packed = source.package.removeprefix("@").replace("/", "-")
        return next(folder.glob("*.tgz")).stem.removeprefix(f"{packed}-")
    if source.client == "apt-source":
        apt.prepare(source)
        command = ["apt-get", *apt.options(), "source", "--download-only"]
        try:
            spec = f"{source.package}={version}" if version else source.package
            _run([*command, spec], folder, source)
        except FetchError:
            if not version:
                raise
            # Debian drops a revision when the next one appears. The upstream tarball, whose
            # digest is locked, stays the same, so any revision of it will do.
            _run([*command, source.package], folder, source)
        description = next(folder.glob("*.dsc"))
        for line in description.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Version:"):
                return line.split(":", 1)[1].strip()
        raise FetchError(f"source {source.name!r}: {description.name} names no version")
    raise FetchError(f"source {source.name!r}: nothing downloads a {source.client!r} source")


def digest(path: Path) -> str:
    """Hex SHA-256 of a file, read in 1 MiB pieces."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def _archives(folder: Path) -> list[Path]:
    keep = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith((".dsc", ".asc")) or ".debian.tar" in path.name:
            continue
        if path.name.endswith(".diff.gz"):
            continue
        keep.append(path)
    return keep


def _mark(source: Source, lock: Lock) -> dict[str, Any]:
    """What a folder of unpacked files was made from, and which of them were taken."""
    chosen = [source.client, source.package, source.languages, source.only, source.exclude]
    return {
        "version": lock.version,
        "archives": sorted(archive.sha256 for archive in lock.archives),
        "chosen": hashlib.sha256(json.dumps(chosen).encode()).hexdigest(),
    }


def _is_fetched(marker: Path, source: Source, lock: Lock) -> bool:
    """Whether a folder holds what the lock and the recipe say.

    The same archives are the same whatever they are called (a revision of Debian's); where there
    are none, the version counts. The marker of an earlier release holds the version alone.
    """
    wanted = _mark(source, lock)
    try:
        text = marker.read_text(encoding="utf-8")
        if text == lock.version:
            return True
        found = json.loads(text)
        return all(
            found[key] == wanted[key]
            for key in ("chosen", "archives" if lock.archives else "version")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def fetch_source(
    source: Source, raw: Path, archives: Path, apt: AptSources, pinned: Lock | None
) -> Lock:
    """Download, verify and unpack one source; archives are deleted once unpacked."""
    target = raw / source.name
    if pinned is not None and _is_fetched(target / MARKER, source, pinned):
        return pinned
    shutil.rmtree(target, ignore_errors=True)
    part = raw / f"{source.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if source.client == "interpreter":
        lock = Lock(sys.version.split()[0], ())
        if pinned is not None and pinned != lock:
            raise FetchError(
                f"source {source.name!r}: this is Python {lock.version}, the lock says "
                f"{pinned.version}; use that one, or remove the entry from the lock"
            )
        copy_tree(Path(sysconfig.get_paths()["stdlib"]), part, source)
    else:
        folder = archives / source.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        version = download(source, folder, apt, pinned)
        files = _archives(folder)
        found = tuple(Archive(f.name, digest(f), f.stat().st_size) for f in files)
        lock = Lock(version, found)
        if pinned is not None and {a.sha256 for a in pinned.archives} != {a.sha256 for a in found}:
            raise FetchError(
                f"source {source.name!r}: the downloaded archive does not match the SHA-256 in the "
                "lock; if the publisher replaced it on purpose, remove the entry from the lock"
            )
        for file in files:
            unpack_archive(file, part, source)
        shutil.rmtree(folder)
    (part / MARKER).write_text(json.dumps(_mark(source, lock)), encoding="utf-8")
    os.replace(part, target)
    return lock


def fetch(
    sources: Iterable[Source],
    out_dir: Path,
    lock_path: Path,
    *,
    workers: int = 6,
    on_source: Callable[[Source, Lock | FetchError], None] | None = None,
) -> dict[str, Lock]:
    """Fetch every source into `out_dir/raw/<name>`; returns the lock. Goes on past failures.

    Raises FetchError at the end if any source failed, naming all of them.
    """
    raw, archives = out_dir / "raw", out_dir / "archives"
    raw.mkdir(parents=True, exist_ok=True)
    archives.mkdir(parents=True, exist_ok=True)
    locks = load_lock(lock_path)
    apt = AptSources((out_dir / "apt").resolve())
    failed: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        jobs = {
            pool.submit(
                fetch_source, s, raw.resolve(), archives.resolve(), apt, locks.get(s.name)
            ): s
            for s in sources
        }
        for job in as_completed(jobs):
            source = jobs[job]
            outcome: Lock | FetchError
            try:
                outcome = locks[source.name] = job.result()
                save_lock(lock_path, locks)
            except FetchError as error:
                outcome = error
                failed.append(str(error))
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise FetchError(
                        f"the disk is full while fetching {source.name!r}; free space under "
                        f"{out_dir} and fetch again, finished sources are kept"
                    ) from error
                raise
            if on_source is not None:
                on_source(source, outcome)
    if failed:
        raise FetchError(f"{len(failed)} of the sources failed:\n" + "\n".join(failed))
    return locks
