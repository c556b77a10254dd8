"""Licence headers go, other comments stay, and long files are cut without losing a byte."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.data.documents import documents_of, keeps_header, split_long, without_licence_header


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"# Copyright 2020 A\n# all rights\n\nimport a\n", b"import a\n"),
        (b"/*\n * Licensed under X\n */\npackage a;\n", b"package a;\n"),
        (b"// Copyright A\n// B\n\npackage a\n", b"package a\n"),
        (b"/* Copyright A */\n/* how it works */\nint a;\n", b"/* how it works */\nint a;\n"),
        (b"# how it works\nimport a\n", b"# how it works\nimport a\n"),
        (b"#!/bin/python\n# Copyright A\nimport a\n", b"#!/bin/python\nimport a\n"),
        (b"#include <a.h>\n// Copyright A\n", b"#include <a.h>\n// Copyright A\n"),
        (b"\xef\xbb\xbfimport a\n", b"import a\n"),
        (b"", b""),
    ],
)
def test_licence_headers(data: bytes, left: bytes) -> None:
    assert without_licence_header(data) == left


def test_one_path_in_eight_keeps_its_header() -> None:
    kept = sum(keeps_header(f"p/{i}.py") for i in range(2000))
    assert 180 < kept < 320
    data = b"# Copyright A\nimport a\n"
    path = next(f"p/{i}.py" for i in range(100) if keeps_header(f"p/{i}.py"))
    assert documents_of(path, data) == [data]


def test_a_name_that_is_no_utf8_is_a_name() -> None:
    path = os.fsdecode(b"p/caf\xe9.py")
    assert documents_of(path, b"import a\n") == [b"import a\n"]


@given(st.lists(st.sampled_from([b"a = 1\n", b"\n", b"long line " * 9, b"b\n\n"]), max_size=60))
def test_cut_pieces_join_to_the_whole_and_are_short(parts: list[bytes]) -> None:
    data = b"".join(parts)
    pieces = split_long(data, 64)
    assert b"".join(pieces) == data
    assert all(len(piece) <= 64 for piece in pieces)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_document_ends_where_a_file_might(line_end: bytes) -> None:
    method = b"    def g(self):\n        a = 1\n\n        return a\n\n"
    data = (b"class A:\n" + method * 3 + b"\nvalue = [\n    1,\n\n]\n\n") * 30
    data = data.replace(b"\n", line_end)
    first, *others = pieces = split_long(data, 1000)
    assert b"".join(pieces) == data and len(pieces) > 4
    assert first.startswith(b"class")
    assert all(piece.startswith((b"class", b"value")) for piece in others)


def test_cuts_are_at_blank_lines_where_there_are_any() -> None:
    data = b"def f():\n    pass\n\n" * 10
    assert all(piece.endswith(b"\n\n") for piece in split_long(data, 60))
