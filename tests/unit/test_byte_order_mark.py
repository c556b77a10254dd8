"""A document with a byte order mark is answered as one without; offsets count its three bytes."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.cancel import CancelToken
from diffusion.filling import FillRequest, fill
from diffusion.infill import Infiller, InfillRequest
from diffusion.rewriting import RewriteRequest, rewrite
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.parts import find_markers
from diffusion.token_alternatives import AlternativesRequest, alternatives

TEXT = b"import os\nimport sys\n"


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


@pytest.mark.parametrize(("text", "cursor"), [(TEXT, 0), (TEXT, 4), (b"\n" + TEXT, 0), (TEXT, 12)])
def test_a_completion(infiller: Infiller, text: bytes, cursor: int) -> None:
    plain = infiller.infill(InfillRequest(text, cursor, "python"))
    asked = InfillRequest(BOM_UTF8 + text, cursor + 3, "python")
    marked = infiller.infill(asked)
    assert marked.candidates == plain.candidates and plain.candidates
    assert marked.hole == replace(plain.hole, start=cursor + 3, end=cursor + 3)
    assert not infiller.encode_ahead(asked, CancelToken()), "what was encoded ahead is found"


def test_before_a_mark_it_is_text_as_any(infiller: Infiller) -> None:
    found = infiller.infill(InfillRequest(BOM_UTF8 + TEXT, 0, "python"))
    assert (found.hole.start, found.hole.end) == (0, 0)
    assert [mark_before(BOM_UTF8, at) for at in (0, 2, 3)] == [0, 0, 3]


def test_a_rewrite_a_fill_and_other_tokens(infiller: Infiller) -> None:
    kept = RewriteRequest(TEXT, 0, 9, "python", 0.5, keep=((7, 9),))
    marked = replace(kept, text=BOM_UTF8 + TEXT, start=3, end=12, keep=((10, 12),))
    assert rewrite(infiller, marked).rewrites == rewrite(infiller, kept).rewrites != ()
    for data in (b"___ = 1\nb = ___\n", b"a = f(___)\n"):
        both = [
            FillRequest(text, tuple(find_markers(text)), "python", alternatives=2)
            for text in (data, BOM_UTF8 + data)
        ]
        plain, with_mark = (fill(infiller, asked).fills for asked in both)
        assert plain == with_mark != ()
    pinned = FillRequest(b"abc d\n", ((0, 5),), "python", ((0, 3),))
    moved = replace(pinned, text=BOM_UTF8 + b"abc d\n", holes=((3, 8),), pins=((3, 6),))
    assert fill(infiller, moved).fills == fill(infiller, pinned).fills != ()
    other = AlternativesRequest(b"for \n", 4, 4, "python", b"item in items:", 5)
    behind = replace(other, text=BOM_UTF8 + b"for \n", start=7, end=7)
    assert alternatives(infiller, behind).alternatives == alternatives(infiller, other).alternatives
