"""Fetching, offline: pip takes hand-made archives from a folder; unpacking keeps code only."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from diffusion.data import fetch as fetching
from diffusion.data.decontaminate import load_evaluation_sets
from diffusion.data.errors import FetchError
from diffusion.data.fetch import MARKER, AptSources, fetch, fetch_source
from diffusion.data.recipe import Archive, Lock, Source, load_lock
from diffusion.data.scan import Survey, survey
from diffusion.data.unpack import unpack_archive
from tests.unit.data.corpus_trees import python_module

SOURCE = Source(name="demo", client="pip-wheel", package="demo", licence="MIT")


def wheel(folder: Path, body: str, name: str = "demo", version: str = "1.0") -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/core.py", body)
        archive.writestr(f"{name}/data.json", "{}")
        archive.writestr(f"{name}/vendor/other.py", body)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def sdist(folder: Path) -> Path:
    """An sdist whose own build backend would fail if it ran."""
    path = folder / "built-2.0.tar.gz"
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: built\nVersion: 2.0\n",
        "pyproject.toml": '[build-system]\nrequires = ["maturin"]\nbuild-backend = "maturin"\n',
        "src/lib.rs": "pub fn one() -> i32 {\n    1\n}\n",
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"built-2.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return folder


class Index:
    """Stands in for `download`: makes a wheel of the locked version, or the first, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, source: Source, folder: Path, apt: AptSources, pinned: Lock | None) -> str:
        self.calls += 1
        version = pinned.version if pinned else "1.0"
        wheel(folder, python_module(int(version[0])), version=version)
        return version


@dataclass(frozen=True)
class Place:
    """Where one source is fetched to."""

    folder: Path
    index: Index

    def fetch(self, source: Source, pinned: Lock | None) -> Lock:
        folder = self.folder
        apt = AptSources(folder / "apt")
        return fetch_source(source, folder / "raw", folder / "archives", apt, pinned)

    @property
    def marker(self) -> Path:
        return self.folder / "raw" / "demo" / MARKER


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    index = Index()
    monkeypatch.setattr(fetching, "download", index)
    return Place(tmp_path, index)


def test_a_source_is_fetched_again_when_the_lock_or_the_recipe_says_so(place: Place) -> None:
    lock = place.fetch(SOURCE, None)
    assert place.fetch(SOURCE, lock) == lock and place.index.calls == 1
    assert place.fetch(SOURCE, replace(lock, version="1.0+deb")) and place.index.calls == 1

    other = wheel(place.folder, python_module(2), version="2.0")
    newer = Lock("2.0", (Archive(other.name, fetching.digest(other), other.stat().st_size),))
    assert place.fetch(SOURCE, newer) == newer and place.index.calls == 2
    body = (place.marker.parent / "demo" / "core.py").read_text()
    assert body == python_module(2)

    for number, change in enumerate(
        [{"exclude": ("demo/*",)}, {"only": ("demo/*",)}, {"languages": ("python",)}], 3
    ):
        changed = replace(SOURCE, **change)  # type: ignore[arg-type]
        for _ in range(2):
            assert place.fetch(changed, newer) == newer and place.index.calls == number
    with pytest.raises(FetchError, match="SHA-256"):
        place.fetch(SOURCE, replace(newer, archives=lock.archives))


@pytest.mark.parametrize(("marker", "again"), [("1.0", 0), ("0.9", 1), ("", 1), ("{}", 1)])
def test_a_marker_of_an_earlier_release_counts_for_its_version(
    place: Place, marker: str, again: int
) -> None:
    lock = place.fetch(SOURCE, None)
    place.marker.write_text(marker)
    place.fetch(SOURCE, lock)
    assert place.index.calls == 1 + again


def test_the_interpreter_is_held_to_its_lock(place: Place) -> None:
    source = Source(name="library", client="interpreter", package="python", licence="PSF-2.0")
    with pytest.raises(FetchError, match=r"'library': this is Python .*, the lock says 2\.7"):
        place.fetch(source, Lock("2.7", ()))
    assert not (place.folder / "raw" / "library").exists()


@pytest.mark.slow
def test_fetch_locks_then_enforces_the_digest(tmp_path: Path, index: Path) -> None:
    wheel(index, python_module(1))
    lock = tmp_path / "lock.json"
    fetch([SOURCE], tmp_path / "out", lock)
    raw = tmp_path / "out" / "raw" / "demo"
    assert sorted(p.relative_to(raw).as_posix() for p in raw.rglob("*") if p.is_file()) == [
        MARKER,
        "demo/core.py",
    ]
    assert load_lock(lock)["demo"].version == "1.0"
    assert not list((tmp_path / "out" / "archives").glob("demo/*"))

    wheel(index, python_module(2))  # replaced under the same version
    fetch([SOURCE], tmp_path / "out", lock)  # already on disk: nothing to do
    with pytest.raises(FetchError, match=r"'demo'.*SHA-256"):
        fetch([SOURCE], tmp_path / "elsewhere", lock)
    assert not (tmp_path / "elsewhere" / "raw" / "demo").exists()


@pytest.mark.slow
def test_an_sdist_is_fetched_without_running_its_build(tmp_path: Path, index: Path) -> None:
    sdist(index)
    source = Source(name="built", client="pip-sdist", package="built", licence="MIT")
    locks = fetch([source], tmp_path / "out", tmp_path / "lock.json")
    assert locks["built"].version == "2.0"
    assert (tmp_path / "out/raw/built/built-2.0/src/lib.rs").exists()


@pytest.mark.slow
def test_a_package_that_is_not_there_does_not_stop_the_others(tmp_path: Path, index: Path) -> None:
    wheel(index, python_module(1))
    absent = Source(name="absent", client="pip-wheel", package="absent", licence="MIT")
    with pytest.raises(FetchError, match=r"1 of the sources failed:\n.*'absent'"):
        fetch([absent, SOURCE], tmp_path / "out", tmp_path / "lock.json")
    assert set(load_lock(tmp_path / "lock.json")) == {"demo"}


def test_a_missing_client_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    source = Source(name="s", client="npm", package="s", licence="MIT")
    with pytest.raises(FetchError, match="needs the client 'npm'"):
        fetch([source], tmp_path, tmp_path / "lock.json")


def test_apt_without_lists_is_named(tmp_path: Path) -> None:
    source = Source(name="s", client="apt-source", package="s", licence="MIT")
    with pytest.raises(FetchError, match="package lists"):
        AptSources(tmp_path, etc=tmp_path).prepare(source)


def test_unpacking_never_leaves_the_folder_and_honours_globs(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("../evil.py", "/abs.py", "pkg/a.py", "pkg/skip/b.py", "pkg/c.go", "pkg/d.md"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"x=1\n"))
        link = tarfile.TarInfo("pkg/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    source = Source(
        name="a", client="npm", package="a", licence="MIT",
        languages=("python",), exclude=("*/skip/*",),
    )  # fmt: skip
    assert unpack_archive(path, tmp_path / "out", source) == 1
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["a.py"]
    only = Source(name="a", client="npm", package="a", licence="MIT", only=("pkg/c*",))
    assert unpack_archive(path, tmp_path / "only", only) == 1


def test_a_name_that_is_no_utf8_is_unpacked_and_surveyed(tmp_path: Path) -> None:
    odd = os.fsdecode(b"pkg/caf\xe9.py")
    path = tmp_path / "a.tar.gz"
    text = python_module(1).encode()
    with tarfile.open(path, "w:gz", errors="surrogateescape") as tar:
        member = tarfile.TarInfo(odd)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    assert unpack_archive(path, tmp_path / "out", SOURCE) == 1
    nothing = load_evaluation_sets([])
    survey(tmp_path / "out", "a", "key", nothing).save(tmp_path / "a.npz")
    assert Survey.load(tmp_path / "a.npz").paths == (odd,)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.whl").write_bytes(b"no zip")
    with pytest.raises(FetchError, match=r"bad\.whl is not a readable archive"):
        unpack_archive(tmp_path / "bad.whl", tmp_path / "out", SOURCE)
    (tmp_path / "bad.tgz").write_bytes(b"no tar")
    with pytest.raises(FetchError, match=r"bad\.tgz"):
        unpack_archive(tmp_path / "bad.tgz", tmp_path / "out", SOURCE)
