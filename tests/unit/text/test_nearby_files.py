"""Which files of a repository are read around one, in which order, and which never are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from diffusion.text.ignored import IgnoreRules
from diffusion.text.nearby_files import MOST_FILE_BYTES, index_around

LINE = "value = 1\n"


def write(root: Path, *names: str, text: str = LINE) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def around(root: Path, name: str, *, ignore: tuple[str, ...] = (), **more: Any) -> list[str]:
    """The files that are read, below a root, for one of them."""
    found = index_around(root / name, root, IgnoreRules([root], patterns=ignore), **more)
    assert found.whole
    return [str(Path(path).relative_to(root.resolve())) for path in found.index.names]


def test_the_nearest_folders_come_first(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c.py", "a/b/d.py", "a/b/e/f.py", "a/g.py", "a/h/i.py", "j.py", "k/l.py")
    assert around(tmp_path, "a/b/c.py") == [
        "a/b/c.py", "a/b/d.py", "a/b/e/f.py", "a/g.py", "a/h/i.py", "j.py", "k/l.py",
    ]  # fmt: skip
    assert around(tmp_path, "k/new.py")[:2] == ["k/l.py", "j.py"]


def test_only_the_language_of_the_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.pyi", "c.go", "d.txt", "sub/e.py", "tool")
    assert around(tmp_path, "a.py") == ["a.py", "b.pyi", "sub/e.py"]
    assert around(tmp_path, "c.go") == ["c.go"]
    assert around(tmp_path, "tool", language="python") == ["a.py", "b.pyi", "sub/e.py"]


def test_c_and_cpp_are_read_for_each_other(tmp_path: Path) -> None:
    write(tmp_path, "x.h", "y.cpp", "z.c")
    for language in ("c", "cpp"):
        assert around(tmp_path, "x.h", language=language) == ["x.h", "y.cpp", "z.c"]


def test_what_others_wrote_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "node_modules/b.py", "Vendor/c.py", ".hidden/d.py")
    write(tmp_path, "env/e.py", "env/pyvenv.cfg", "f/g.py", "f/.git/HEAD")
    assert around(tmp_path, "a.py") == ["a.py"]
    assert "node_modules/b.py" in around(tmp_path, "node_modules/x.py"), "unless one works there"


def test_files_that_are_left_alone_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", text="b.py\nout/\n")
    write(tmp_path, "a.py", "b.py", "c.py", "secrets.py", "out/d.py", ".env.py", "id_rsa.py")
    assert around(tmp_path, "a.py", ignore=("c.py",)) == ["a.py", "secrets.py"]


def test_nothing_outside_and_nothing_behind_a_link_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "a.py")
    write(tmp_path, "b.py", "other/c.py")
    (root / "link.py").symlink_to(tmp_path / "b.py")
    (root / "linked").symlink_to(tmp_path / "other")
    assert around(root, "a.py") == ["a.py"]
    assert index_around(tmp_path / "b.py", root, IgnoreRules()).index.names == ()


def test_below_a_linked_folder_ignore_files_count_as_well(tmp_path: Path) -> None:
    root, link = tmp_path / "root", tmp_path / "link"
    write(root, "a.py", "sub/keys.py", "sub/private.py", "sub/b.py")
    write(root, ".diffillignore", text="private.py\n")
    link.symlink_to(root)
    found = around(link, "a.py", ignore=("/sub/keys.py",))
    assert found == around(root, "a.py", ignore=("/sub/keys.py",)) == ["a.py", "sub/b.py"]


def test_odd_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    (tmp_path / "large.py").write_bytes(b"x = 1\n" * (MOST_FILE_BYTES // 6 + 1))
    (tmp_path / "binary.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "packed.py").write_bytes(b"x = 1;" * 100 + b"\n")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "bad\udcff.py").write_bytes(b"x = '\xff'\n")
    os.mkfifo(tmp_path / "pipe.py")
    assert around(tmp_path, "a.py") == ["a.py", "bad\udcff.py"]


def test_what_does_not_fit_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.py", "sub/b.py", "sub/sub/c.py")
    asked = (tmp_path / "a.py", tmp_path, IgnoreRules([tmp_path]))
    for more, files in (({"most_bytes": 2 * len(LINE)}, 2), ({"stop": lambda: True}, 0)):
        found = index_around(*asked, **more)  # type: ignore[arg-type]
        assert (len(found.index.names), found.whole) == (files, False)
    with monkeypatch.context() as patch:
        patch.setattr("diffusion.text.nearby_files.MOST_FOLDERS", 2)
        found = index_around(*asked)
        assert (len(found.index.names), found.whole) == (2, False)


def test_a_reading_knows_for_which_folders_it_is_good(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "sub/b.py", "vendor/c.py", "other/d.py", "other/.git/HEAD")
    rules = IgnoreRules([tmp_path])
    found = index_around(tmp_path / "sub" / "b.py", tmp_path, rules)
    assert found.ordinary and found.folders == {tmp_path, tmp_path / "sub"}
    for name in ("vendor/c.py", "other/d.py"):
        found = index_around(tmp_path / name, tmp_path, rules)
        assert found.whole and not found.ordinary


def test_a_text_may_be_left_out_for_what_it_says(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "c.py")
    write(tmp_path, "b.py", text="hush = 1\n")
    assert around(tmp_path, "a.py", leave_out=lambda data: b"hush" in data) == ["a.py", "c.py"]


def test_a_folder_that_cannot_be_read_counts_as_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.py", "closed/b.py")
    scandir = os.scandir

    def guarded(folder: Path) -> object:
        if folder == tmp_path / "closed":
            raise PermissionError(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    assert around(tmp_path, "a.py") == ["a.py"]
