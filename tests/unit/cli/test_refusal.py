"""What the system refuses is told with what it was, and stdout is blamed only where it failed."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from diffusion.refusal import refusal
from tests.support.disk import smallest_files


@pytest.mark.parametrize(
    ("buffered", "where"), [(True, "a file"), (False, "a file or the output")]
)
def test_a_file_without_a_name_is_not_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: bool, where: str
) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), write_through=not buffered)
    monkeypatch.setattr(sys, "stdout", stdout)
    with smallest_files(10), (tmp_path / "a").open("wb", buffering=0) as file:
        file.write(b"x" * 10)
        with pytest.raises(OSError, match="File too large") as caught:
            file.write(b"x")
    said = refusal(caught.value)
    assert said.startswith(f"cannot read or write {where} (File too large); check its name")


def test_the_output_is_what_stdout_did_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "a").open("w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        print("x" * 11)
        with smallest_files(10):
            with pytest.raises(OSError, match="File too large") as caught:
                file.flush()
            said = refusal(caught.value)
        monkeypatch.undo()
    assert said.startswith("cannot read or write the output (File too large)")


def test_a_name_is_told() -> None:
    with pytest.raises(OSError, match="nosuch") as caught:
        os.listdir("nosuch")
    assert refusal(caught.value).startswith("cannot read or write nosuch (No such file")
