"""When the files around a document are read, and when they are read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffusion.text.ignored import IgnoreRules
from diffusion.text.nearby_files import Reading, index_around
from lsp_server import neighbours as under_test
from lsp_server.neighbours import MOST_READINGS, Neighbours
from tests.support.lsp_wire import WAIT_S


@pytest.fixture
def neighbours(tmp_path: Path) -> Iterator[Neighbours]:
    found = Neighbours()
    found.set_rules([tmp_path], IgnoreRules([tmp_path]))
    yield found
    found.close()


def read(neighbours: Neighbours, file: Path) -> list[str]:
    neighbours.around(file, "python")
    assert neighbours.settle(WAIT_S)
    index = neighbours.around(file, "python")
    assert index is not None
    return [Path(name).name for name in index.names]


def test_one_reading_serves_all_folders_of_a_repository_that_fits(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "sub" / "b.py").write_text("b = 1\n")
    assert read(neighbours, tmp_path / "a.py") == ["a.py", "b.py"]
    (tmp_path / "c.py").write_text("c = 1\n")
    assert read(neighbours, tmp_path / "sub" / "b.py") == ["a.py", "b.py"]
    neighbours.changed()
    old = neighbours.around(tmp_path / "a.py", "python")
    assert old is not None, "until the new one is ready"
    assert neighbours.settle(WAIT_S)
    assert read(neighbours, tmp_path / "a.py") == ["a.py", "c.py", "b.py"]


def test_of_a_larger_one_the_files_around_each_folder_are_read(
    neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text("a = 1\n")
    def little(place: Any, file: Path, rules: IgnoreRules, _: object) -> Reading:
        return index_around(file, place.root, rules, most_bytes=10)

    monkeypatch.setattr(under_test, "read", little)
    assert read(neighbours, tmp_path / "one" / "one.py") == ["one.py"]
    assert neighbours.around(tmp_path / "two" / "two.py", "python") is None
    assert neighbours.settle(WAIT_S)
    assert read(neighbours, tmp_path / "two" / "two.py") == ["two.py"]


def test_what_is_old_is_read_again(
    neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]
    (tmp_path / "b.py").write_text("b = 1\n")
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]
    monkeypatch.setattr(under_test, "OLDEST_S", 0.0)
    assert read(neighbours, tmp_path / "a.py") == ["a.py", "b.py"]


def test_a_reading_that_new_rules_overtake_is_not_kept(
    neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")

    def overtaken(place: Any, file: Path, rules: IgnoreRules, _: object) -> Reading:
        found = index_around(file, place.root, rules)
        neighbours.set_rules([tmp_path], IgnoreRules([tmp_path]))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(under_test, "read", overtaken)
        neighbours.around(tmp_path / "a.py", "python")
        assert neighbours.settle(WAIT_S)
    assert neighbours.around(tmp_path / "a.py", "python") is None
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]


def test_in_nested_folders_the_inner_one_is_read(neighbours: Neighbours, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.py", "sub/b.py"):
        (tmp_path / name).write_text("a = 1\n")
    roots = [tmp_path, tmp_path / "sub"]
    for order in (roots, roots[::-1]):
        neighbours.set_rules(order, IgnoreRules(order))
        assert read(neighbours, tmp_path / "sub" / "b.py") == ["b.py"]
        assert read(neighbours, tmp_path / "a.py") == ["a.py", "b.py"]


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    found = Neighbours()
    roots = [tmp_path / str(n) for n in range(MOST_READINGS + 1)]
    for root in roots:
        root.mkdir()
        (root / "a.py").write_text("a = 1\n")
    found.set_rules(roots, IgnoreRules(roots))
    for root in roots:
        assert read(found, root / "a.py") == ["a.py"]
    assert len(found._made) == MOST_READINGS
    found.close()
    assert found.around(roots[-1] / "a.py", "python") is None


def test_a_mistake_in_reading_ends_nothing(
    neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    (tmp_path / "a.py").write_text("a = 1\n")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr(under_test, "read", broken)
        neighbours.around(tmp_path / "a.py", "python")
        assert neighbours.settle(WAIT_S)
        assert read(neighbours, tmp_path / "a.py") == [], "it is not tried again at every key"
    assert caplog.text.count("RuntimeError: boom") == 1
    neighbours.changed()
    neighbours.around(tmp_path / "a.py", "python")
    assert neighbours.settle(WAIT_S)
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]


def test_what_is_read_for_who_works_there_is_handed_out_there_only(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    for name in ("m.py", "vendor/lib.py", "one/x.py", "one/.git/HEAD", "two/y.py", "two/.git/HEAD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a = 1\n")
    assert read(neighbours, tmp_path / "vendor" / "lib.py") == ["lib.py", "m.py"]
    assert read(neighbours, tmp_path / "one" / "x.py") == ["x.py", "m.py"]
    assert read(neighbours, tmp_path / "two" / "y.py") == ["y.py", "m.py"]
    assert read(neighbours, tmp_path / "m.py") == ["m.py"]
    assert read(neighbours, tmp_path / "one" / "x.py") == ["x.py", "m.py"], "remembered"


def test_a_hint_is_followed_once_a_reading_is_not_quite_new(
    neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text("b = 1\n")
    assert read(neighbours, tmp_path / "a.py") == ["a.py", "b.py"]
    (tmp_path / ".diffillignore").write_text("b.py\n")
    neighbours.hint()
    assert read(neighbours, tmp_path / "a.py") == ["a.py", "b.py"]
    monkeypatch.setattr(under_test, "REST_S", 0.0)
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]


def test_a_file_with_a_key_in_it_is_left_out(neighbours: Neighbours, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "b.py").write_text('KEY = "AKIA' + "IOSFODNN7QZXWVUT" + '"\n')
    assert read(neighbours, tmp_path / "a.py") == ["a.py"]


def test_a_file_of_no_known_language_has_none(neighbours: Neighbours, tmp_path: Path) -> None:
    assert neighbours.around(tmp_path / "a.txt", "text") is None
    assert neighbours.around(tmp_path.parent / "a.py", "python") is None
    assert neighbours._thread is None
