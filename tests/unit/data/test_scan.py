"""A survey is complete, is the same after saving, and looks at no more than it may."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diffusion.data.decontaminate import EvaluationSets
from diffusion.data.scan import Survey, code_files, limited, survey
from diffusion.errors import CorpusError
from tests.unit.data.corpus_trees import go_file, python_module, write_package

NO_SETS = EvaluationSets(np.empty(0, np.uint64), {}, 0)


def test_round_trip_and_reasons(tmp_path: Path) -> None:
    files = {f"p/m{i}.py": python_module(i) for i in range(5)} | {"p/cmd/a.go": go_file(1)}
    files |= {"p/tiny.py": "x = 1\n", "p/readme.md": "text", "p/vendor/v.py": python_module(9)}
    root = write_package(tmp_path, "p", files)
    (root / "p" / "link.py").symlink_to(root / "p" / "m1.py")
    os.mkfifo(root / "p" / "pipe.py")  # reading it would wait for ever
    found = survey(root, "p", "key", NO_SETS)
    assert found.paths == ("p/cmd/a.go", *(f"p/m{i}.py" for i in range(5)))
    assert found.dropped == {"too_large": 2, "too_small": 1}
    assert found.sizes_bytes[1] == len(files["p/m0.py"])
    found.save(tmp_path / "s.npz")
    again = Survey.load(tmp_path / "s.npz")
    assert (again.paths, again.exact, again.dropped) == (found.paths, found.exact, found.dropped)
    assert (again.signatures == found.signatures).all()
    assert len(again.overlaps) == len(found.overlaps)


def test_a_damaged_survey_is_told_of(tmp_path: Path) -> None:
    root = write_package(tmp_path, "p", {"p/m.py": python_module(1)})
    path = tmp_path / "s.npz"
    survey(root, "p", "key", NO_SETS).save(path)
    whole = path.read_bytes()
    others = [b"", b"PK", b"\x93NUMPY", b"{}", whole[:200] + bytes(len(whole) - 200)]
    for damaged in [*others, *(whole[:at] for at in range(1, len(whole), 37))]:
        path.write_bytes(damaged)
        with pytest.raises(CorpusError, match=r"s\.npz is damaged .*; delete it and run"):
            Survey.load(path)


def test_an_empty_survey_can_be_stored(tmp_path: Path) -> None:
    root = write_package(tmp_path, "none", {"a.md": "text"})
    survey(root, "none", "key", NO_SETS).save(tmp_path / "s.npz")
    assert Survey.load(tmp_path / "s.npz").paths == ()
    assert Survey.load(tmp_path / "s.npz").overlaps == ()


def test_a_name_that_is_no_utf8_is_one(tmp_path: Path) -> None:
    root, odd = write_package(tmp_path, "p", {"a.py": "x"}), os.fsdecode(b"caf\xe9.py")
    (root / odd).write_text("y")
    assert limited(root, list(code_files(root)), {})[0] == ["a.py", odd]


def test_a_limit_holds_for_its_language_only_and_is_stable(tmp_path: Path) -> None:
    files = {f"m{i:03d}.py": "x" * 1000 for i in range(100)} | {"a.go": "y" * 1000}
    root = write_package(tmp_path, "p", files)
    paths = list(code_files(root))
    chosen, passed_over = limited(root, paths, {"python": 20_000})
    assert len(chosen) == 21 and passed_over == 80 and "a.go" in chosen
    fewer, _ = limited(root, paths, {"python": 10_000})
    assert set(fewer) < set(chosen)
    assert not np.all([p in chosen for p in sorted(paths)[:20]])  # not simply the first ones
