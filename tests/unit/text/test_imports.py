"""What a document imports, in every language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.imports import MOST_IMPORTS, Import, find_imports
from diffusion.text.languages import NAMES
from diffusion.text.syntax import SyntaxTree

CASES = {
    "python": (
        b"import os.path as p, b\nfrom ..a.b import c as d, e\nfrom . import x\n"
        b"try:\n    from z import *\nexcept ImportError:\n    pass\ndef f():\n    import b\n",
        [
            Import("os.path", ("p",)),
            Import("b", ("b",)),
            Import("a.b", ("c", "e"), up=2),
            Import("", ("x",), up=1),
            Import("z"),
        ],
    ),
    "javascript": (
        b"import a, {b as c} from './m';\nexport {x} from './x';\nimport './side';\n"
        b"const {u, v} = require('./w');\nconst n = call('./no');\nexport const k = 1;\n",
        [
            Import("./m", ("a", "b")),
            Import("./x", ("x",)),
            Import("./side"),
            Import("./w", ("u", "v")),
        ],
    ),
    "tsx": (
        b"import type {A} from './a';\nimport eq = require('./c');\n",
        [Import("./a", ("A",)), Import("./c", ("eq",))],
    ),
    "go": (
        b'package x\nimport "a/b"\nimport (\n  f "c/d"\n)\n',
        [Import("a/b"), Import("c/d", ("f",))],
    ),
    "rust": (
        b"use crate::a::{b, c::D as E};\nuse super::x::*;\nmod foo;\nmod here { }\n",
        [
            Import("crate::a", ("b",)),
            Import("crate::a::c", ("D",)),
            Import("super::x"),
            Import("self::foo"),
        ],
    ),
    "java": (
        b"package p;\nimport com.foo.Bar;\nimport static com.foo.Baz.qux;\nimport com.foo.*;\n",
        [Import("com.foo.Bar", ("Bar",)), Import("com.foo.Baz.qux", ("qux",)), Import("com.foo")],
    ),
    "c": (
        b'#include <stdio.h>\n#ifndef X\n#include "c.h"\n#endif\n',
        [Import("stdio.h", system=True), Import("c.h")],
    ),
    "cpp": (b'#include "a/b.hpp"\n#include MACRO\n', [Import("a/b.hpp")]),
}


@pytest.mark.parametrize("language", CASES)
def test_imports_are_read_off_the_tree(language: str) -> None:
    data, wanted = CASES[language]
    assert find_imports(SyntaxTree.parse(data, language)) == wanted


def test_text_without_a_grammar_imports_nothing() -> None:
    assert find_imports(SyntaxTree.parse(b"import a\n", "text")) == []


def test_only_so_many_are_read() -> None:
    data = b"".join(b"import m%d\n" % n for n in range(MOST_IMPORTS + 5))
    assert len(find_imports(SyntaxTree.parse(data, "python"))) == MOST_IMPORTS


def test_nesting_of_any_depth_is_survived() -> None:
    rust = b"use " + b"a::{" * 2000 + b"b" + b"}" * 2000 + b";\n"
    script = b"const " + b"{a: " * 2000 + b"b" + b"}" * 2000 + b" = require('./x');\n"
    for data, language in ((rust, "rust"), (script, "javascript")):
        find_imports(SyntaxTree.parse(data, language))


@given(st.binary(max_size=60), st.sampled_from(NAMES), st.data())
def test_any_bytes_are_accepted(noise: bytes, language: str, data: st.DataObject) -> None:
    text = CASES[language if language in CASES else "tsx"][0]
    at = data.draw(st.integers(0, len(text)))
    for item in find_imports(SyntaxTree.parse(text[:at] + noise + text[at:], language)):
        assert item.source or item.up
