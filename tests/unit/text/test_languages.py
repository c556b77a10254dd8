"""Names, aliases, grammars and node tables of the languages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from diffusion.text import languages
from diffusion.text.hole import KINDS


@pytest.mark.parametrize(
    ("path", "language", "grammar"),
    [
        ("a.py", "python", "python"),
        ("stubs/a.pyi", "python", "python"),
        ("a.js", "javascript", "javascript"),
        ("a.jsx", "javascript", "javascript"),
        ("a.mjs", "javascript", "javascript"),
        ("a.ts", "typescript", "typescript"),
        ("a.d.ts", "typescript", "typescript"),
        ("a.tsx", "typescript", "tsx"),
        ("a.go", "go", "go"),
        ("a.rs", "rust", "rust"),
        ("A.java", "java", "java"),
        ("a.c", "c", "c"),
        ("a.h", "c", "c"),
        ("a.hpp", "cpp", "cpp"),
        ("a.hh", "cpp", "cpp"),
        ("a.cc", "cpp", "cpp"),
        ("UPPER.PY", "python", "python"),
        ("README.md", "text", "text"),
        ("Makefile", "text", "text"),
        ("", "text", "text"),
        (".gitignore", "text", "text"),
    ],
)
def test_language_of_a_path(path: str, language: str, grammar: str) -> None:
    assert languages.language_for_path(path) == language
    assert languages.grammar_for_path(path) == grammar


@pytest.mark.parametrize(
    ("alias", "language", "grammar"),
    [
        ("typescriptreact", "typescript", "tsx"),
        ("tsx", "typescript", "tsx"),
        ("typescript", "typescript", "typescript"),
        ("javascriptreact", "javascript", "javascript"),
        ("golang", "go", "go"),
        ("cpp", "cpp", "cpp"),
        ("cuda-cpp", "cpp", "cpp"),
        ("plaintext", "text", "text"),
        ("text", "text", "text"),
        ("", "text", "text"),
    ],
)
def test_language_of_an_editor_id(alias: str, language: str, grammar: str) -> None:
    assert languages.canonical(alias) == language
    assert languages.grammar_name(alias) == grammar


def test_shebang_names_the_language_of_a_file_without_extension() -> None:
    assert languages.language_for_path("run", b"#!/usr/bin/env python3\n") == "python"
    assert languages.language_for_path("run", b"#!/usr/bin/env node\n") == "javascript"
    assert languages.grammar_for_path("run", b"#!/usr/bin/env node\n") == "javascript"
    assert languages.language_for_path("run", b"#!/bin/sh\n") == "text"
    assert languages.language_for_path("run.go", b"#!/usr/bin/env python3\n") == "go"


@pytest.mark.parametrize("name", [*languages.NAMES, "tsx"])
def test_every_grammar_builds_once_and_names_known_kinds(name: str) -> None:
    grammar = languages.grammar(name)
    assert grammar is not None
    assert grammar is languages.grammar(name)
    assert set(grammar.kinds.values()) <= set(KINDS)
    # A renamed node type in a new grammar would silently fall back to "expression".
    for kind in ("arguments", "parameters", "block", "import", "string", "comment", "statement"):
        assert kind in grammar.kinds.values(), f"{name} has no node type of kind {kind}"


def test_every_row_of_the_node_table_names_a_real_node_type() -> None:
    real: set[str] = set()
    for name in (*languages.NAMES, "tsx"):
        grammar = languages.grammar(name)
        assert grammar is not None
        real |= set(grammar.kinds)
    assert set(languages._BY_TYPE) <= real


def test_text_has_no_grammar() -> None:
    assert languages.grammar("text") is None
    assert languages.parser("text") is None


def test_parsers_are_not_shared() -> None:
    assert languages.parser("python") is not languages.parser("python")


def test_grammars_load_on_first_use_and_torch_never() -> None:
    code = (
        "import sys; from diffusion.text import hole_length, span, languages; "
        "print([m for m in sys.modules if m.startswith(('tree_sitter_', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
