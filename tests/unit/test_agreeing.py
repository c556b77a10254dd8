"""Holes that are made to agree: what is judged, in which form, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.agreeing import Setting, agree
from diffusion.cancel import Cancelled, CancelToken
from diffusion.infill import Infiller
from diffusion.open_parts import OpenParts, open_parts
from diffusion.process.judging import FilledCanvas, judge
from diffusion.text.canvas import MAX_CANVAS
from diffusion.text.parts import find_markers, split
from diffusion.text.syntax import SyntaxTree


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def test_what_other_parts_say_is_read_as_the_model_writes(infiller: Infiller) -> None:
    """Also where the document has carriage returns, and never more of it than a canvas holds."""
    data = b"a = ___\r\nb = ___\r\n"
    parts = tuple(split(data, find_markers(data)))
    spans = [(part.start, part.end) for part in parts]
    opened = open_parts(infiller, data, spans, "python", CancelToken())
    rows: list[list[int]] = []

    def watched(ids_BN: torch.Tensor, *more: Any) -> torch.Tensor:
        rows.extend(ids_BN.tolist())
        return opened.denoise(ids_BN, *more)

    tree = SyntaxTree.parse(data, "python")
    setting = Setting(data, tree, "python", parts, ("expression",) * 2)
    drafts = [(b"f(\r\n    1)", b"g(" + b"1,\r\n" * 99 + b")")]
    watching = OpenParts(opened.placements, watched)
    agree(infiller, watching, setting, drafts, CancelToken())
    assert rows and max(map(len, rows)) <= MAX_CANVAS
    assert not any(b"\r" in infiller.tokenizer.decode(row)[2:] for row in rows)


def test_the_word_before_a_hole_is_judged_in_none_of_its_texts(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"x = build_request_handler_factory(1)\ny = 2\n"
    spans = [(data.index(b"("), data.index(b"\n")), (len(data) - 2, len(data) - 1)]
    opened = open_parts(infiller, data, spans, "python", CancelToken())
    judged: list[FilledCanvas] = []

    def watched(step: Any, canvases: list[FilledCanvas], vocabulary: Any) -> Any:
        judged.extend(canvases)
        return judge(step, canvases, vocabulary)

    monkeypatch.setattr("diffusion.agreeing.judge", watched)
    tree = SyntaxTree.parse(data, "python")
    setting = Setting(data, tree, "python", tuple(split(data, spans)), ("inline",) * 2)
    assert agree(infiller, opened, setting, [(b"(1)", b"3")], CancelToken()) is not None
    whole = judged[0].text
    word = b"".join(infiller.tokenizer.token_bytes(t) for t in whole[: judged[0].given])
    assert word == opened.placements[0].constraint and judged[0].given > 1


def test_the_first_word_of_another_part_is_whole(
    infiller: Infiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"___ = 1\nf(___)\n"
    parts = tuple(split(data, find_markers(data)))
    spans = [(part.start, part.end) for part in parts]
    opened = open_parts(infiller, data, spans, "python", CancelToken())
    judged: list[bytes] = []

    def watched(step: Any, canvases: list[FilledCanvas], vocabulary: Any) -> Any:
        judged.extend(infiller.tokenizer.decode(canvas.text) for canvas in canvases)
        return judge(step, canvases, vocabulary)

    monkeypatch.setattr("diffusion.agreeing.judge", watched)
    setting = Setting(data, SyntaxTree.parse(data, "python"), "python", parts, ("expression",) * 2)
    agree(infiller, opened, setting, [("größe + 1".encode(), b"x")], CancelToken())
    assert "größe".encode() in judged and b"gr" not in judged


def test_a_cancel_is_heard_before_every_parse() -> None:
    data = b"f(___, b)\ng(___)\n"
    parts = tuple(split(data, find_markers(data)))
    setting = Setting(data, SyntaxTree.parse(data, "python"), "python", parts, ("element",) * 2)
    cancel = CancelToken()
    assert setting.parse_with((b"a", b"b"), cancel)
    cancel.cancel()
    with pytest.raises(Cancelled):
        setting.parse_with((b"a", b"b"), cancel)
