"""The heads of a file's definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.languages import NAMES
from diffusion.text.signatures import definitions, signatures
from diffusion.text.syntax import SyntaxTree

PYTHON = b'''"""Doc."""
import os

LIMIT = 2
log(LIMIT)


@cached
def load(path: str,
         deep: bool = False) -> None:
    """Reads."""
    return os.stat(path)


class Box(Base):
    """A box."""

    size: int = 1

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def area(self) -> int:
        return self.size ** 2
'''

CASES = {
    "typescript": (
        b"export interface A { x: number }\nexport const f = (a: number) => {\n  return a;\n};\n"
        b"function g() { run(); }\n",
        b"export interface A { x: number }\nexport const f = (a: number) =>\nfunction g()\n",
    ),
    "go": (
        b"package x\n\ntype T struct {\n\tA int\n}\n\n"
        b"func (t *T) M(a int) error {\n\treturn nil\n}\n",
        b"type T struct {\n\tA int\n}\nfunc (t *T) M(a int)\n",
    ),
    "rust": (
        b"use a::b;\npub struct S { pub a: u8 }\nimpl S {\n    pub fn new() -> Self {\n"
        + b"        run();\n" * 30
        + b"    }\n}\n",
        b"pub struct S { pub a: u8 }\nimpl S\n    pub fn new()\n",
    ),
    "java": (
        b"package p;\nimport q.R;\npublic class A {\n  private int x;\n  public int m(int y) {\n"
        + b"    run();\n" * 40
        + b"  }\n}\n",
        b"public class A\n  private int x;\n  public int m(int y)\n",
    ),
    "cpp": (
        b"#ifndef A\n#define A\n#include <x>\nnamespace n {\nint h(int a);\n"
        b"template <class T> T g(T t) { return t; }\n}\n#endif\n",
        b"int h(int a);\ntemplate <class T> T g(T t)\n",
    ),
}


def test_python_keeps_heads_fields_and_constants() -> None:
    assert signatures(SyntaxTree.parse(PYTHON, "python")) == (
        b"LIMIT = 2\n"
        b"def load(path: str,\n         deep: bool = False)\n"
        b"class Box(Base)\n    size: int = 1\n    def __init__(self, size: int)\n"
        b"    def area(self)\n"
    )


@pytest.mark.parametrize("language", CASES)
def test_bodies_are_left_out(language: str) -> None:
    data, wanted = CASES[language]
    assert signatures(SyntaxTree.parse(data, language)) == wanted


def test_names_that_are_wanted_come_first_and_are_cut_rather_than_dropped() -> None:
    tree = SyntaxTree.parse(PYTHON, "python")
    assert [d.name for d in definitions(tree)] == ["LIMIT", "load", "Box"]
    assert signatures(tree, ("Box",)).startswith(b"class Box(Base)\n")
    assert signatures(tree, ("Box",), 40) == b"class Box(Base)\n    size: int = 1\n"
    assert signatures(tree, (), 40) == b"LIMIT = 2\n"


@given(st.binary(max_size=40), st.sampled_from(NAMES), st.integers(0, 200), st.data())
def test_any_text_fits_its_budget(
    noise: bytes, language: str, most_bytes: int, data: st.DataObject
) -> None:
    text = CASES[language][0] if language in CASES else PYTHON
    at = data.draw(st.integers(0, len(text)))
    tree = SyntaxTree.parse(text[:at] + noise + text[at:], language)
    assert len(signatures(tree, ("Box", "S"), most_bytes)) <= most_bytes
