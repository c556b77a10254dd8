"""The demo's programs and their sidecar agree, and a broken sidecar is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffusion.demo.holes import bundled_examples, load_holes
from diffusion.errors import ConfigError
from diffusion.text import languages
from diffusion.text.syntax import SyntaxTree

HOLES = load_holes(bundled_examples())


def test_every_language_is_shown_with_one_or_two_holes() -> None:
    counts = {name: sum(h.language == name for h in HOLES) for name in languages.NAMES}
    assert set(counts.values()) <= {1, 2}, counts


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.title)
def test_the_program_is_sound_and_the_piece_is_cut_out(hole) -> None:
    tree = SyntaxTree.parse(hole.original, hole.language)
    assert tree.parsed
    assert tree.error_count() == 0
    assert len(hole.without) == len(hole.original) - len(hole.removed)
    assert hole.without[: hole.start] + hole.removed + hole.without[hole.start :] == hole.original


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"column": 5}, "has"),
        ({"line": 99}, "line 99 lies outside"),
        ({"length": "x"}, "hole 1 of .* lacks a usable length"),
        ({"line": 10**19}, "hole 1 of .* lacks a usable line"),
        ({"removes": None}, "hole 1 of .* lacks a usable removes"),
        ({"removes": "other"}, "removes 'other'"),
        ({"file": "gone.py"}, "no file"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    entry = {"file": "a.py", "line": 1, "column": 4, "length": 1, "removes": "1", **change}
    (tmp_path / "holes.json").write_text(json.dumps({"holes": [entry]}))
    with pytest.raises(Exception, match=said) as caught:
        load_holes(tmp_path)
    assert caught.type.__name__ in {"ConfigError", "DocumentError"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("{", "is no list of holes"),
        ("[]", "is no list of holes"),
        ("{}", "is no list of holes"),
        ('{"holes": ' + "[" * 100_000, "is no list of holes"),
        ('{"holes": 5}', "is no list of holes"),
        ('{"holes": ["x"]}', "lacks a usable file; give file, line, column, length, removes"),
        ('{"holes": "x"}', "lacks a usable file"),
    ],
)
def test_a_missing_or_broken_sidecar_is_named(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "holes.json").write_text(content)
    with pytest.raises(ConfigError, match=rf"holes\.json.*{said}|{said}.*holes\.json"):
        load_holes(tmp_path)
