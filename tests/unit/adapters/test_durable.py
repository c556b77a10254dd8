"""What is written whole or not at all, and what is left of it when a process is killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion.adapters.durable import (
    PART,
    owned,
    remove_parts,
    sync_folder,
    write_file,
    write_folder,
)

_A_DAY_S = 86_400.0


def test_only_what_no_process_writes_any_more_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, old, of_before = owned(tmp_path, PART), owned(tmp_path, PART), tmp_path / ".part-0a1b"
    dead = tmp_path / f"{PART}{ended.pid}-abc_1"
    for path in (own, old, of_before):
        path.write_bytes(b"half")
    dead.mkdir()
    (dead / "weights").write_bytes(b"half")
    hour_s = old.stat().st_mtime - 3_600.0
    os.utime(own, (hour_s, hour_s))
    os.utime(old, (hour_s - _A_DAY_S, hour_s - _A_DAY_S))
    remove_parts(tmp_path)
    assert {*tmp_path.iterdir()} == {own, of_before}
    os.utime(of_before, (hour_s - _A_DAY_S, hour_s - _A_DAY_S))
    remove_parts(tmp_path)
    assert {*tmp_path.iterdir()} == {own}


def test_what_is_being_written_is_named_after_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process tidies up in the moment before the name is changed."""
    replace = os.replace

    def tidied(part: Path, path: Path) -> None:
        remove_parts(tmp_path)
        assert part.name.startswith(f"{PART}{os.getpid()}-")
        replace(part, path)

    monkeypatch.setattr(os, "replace", tidied)
    write_file(tmp_path / "control.json", b"{}")
    assert (tmp_path / "control.json").read_bytes() == b"{}"


def test_a_folder_is_on_the_disk_before_it_appears_and_others_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, files = tmp_path / "one", {"a": b"1", "b": b"2"}
    synced: set[int] = set()
    rename, fsync = os.rename, os.fsync

    def forced(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def whole(part: Path, path: Path) -> None:
        assert {part.stat().st_ino, *((part / name).stat().st_ino for name in files)} <= synced
        rename(part, path)

    monkeypatch.setattr(os, "fsync", forced)
    monkeypatch.setattr(os, "rename", whole)
    write_folder(folder, files)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert [*tmp_path.iterdir()] == [folder] and tmp_path.stat().st_ino in synced
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "there" / "real.zip", tmp_path / "link.zip"
    link.symlink_to("there/real.zip")
    for data in (b"first", b"second"):
        write_file(link, data)
        assert link.is_symlink() and real.read_bytes() == data
    assert [*real.parent.iterdir()] == [real]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    """A pipe stands for a device; a folder's link for /dev/stdout that is in a file."""
    pipe, link, taken = tmp_path / "pipe", tmp_path / "stdout", tmp_path / "out.txt"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, b"packed")
        assert os.read(reader, 100) == b"packed" and pipe.is_fifo()
    finally:
        os.close(reader)
    with taken.open("wb", buffering=0) as stdout:
        link.symlink_to(f"/dev/fd/{stdout.fileno()}")
        stdout.write(b"before ")
        write_file(link, b"packed")
        stdout.write(b" after")
    assert taken.read_bytes() == b"before packed after" and link.is_symlink()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc, which refuses to be synced")
def test_a_folder_that_cannot_be_forced_to_the_disk_fails_no_write() -> None:
    folder = os.open("/proc", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Invalid argument"):
            os.fsync(folder)
    finally:
        os.close(folder)
    sync_folder(Path("/proc"))
    with pytest.raises(FileNotFoundError):
        sync_folder(Path("/proc/none"))


@pytest.mark.skipif(os.name != "posix", reason="folders are not forced there")
def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = os.replace, os.fsync

    def forced(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if is_folder:
            assert os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        done.append("folder" if is_folder else "file")
        fsync(descriptor)

    def renamed(part: Path, path: Path) -> None:
        done.append("name")
        replace(part, path)

    monkeypatch.setattr(os, "fsync", forced)
    monkeypatch.setattr(os, "replace", renamed)
    write_file(tmp_path / "status.json", b"{}")
    assert done == ["file", "name", "folder"]
