"""Fetching, offline: pip takes hand-made archives from a folder; unpacking keeps code only."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from diffusion.data.errors import FetchError
from diffusion.data.fetch import MARKER, AptSources, fetch
from diffusion.data.recipe import Source, load_lock
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


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.whl").write_bytes(b"no zip")
    with pytest.raises(FetchError, match=r"bad\.whl is not a readable archive"):
        unpack_archive(tmp_path / "bad.whl", tmp_path / "out", SOURCE)
    (tmp_path / "bad.tgz").write_bytes(b"no tar")
    with pytest.raises(FetchError, match=r"bad\.tgz"):
        unpack_archive(tmp_path / "bad.tgz", tmp_path / "out", SOURCE)
