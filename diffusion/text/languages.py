"""The languages Diffill reads: names, file names, editor ids, grammars and node tables.

Invariants: the set of languages is closed; every public function takes any alias (file
extension, editor id, grammar name) and answers with the canonical name; an unknown alias is
the language "text", which has no grammar. A grammar is imported and built on first use only,
so importing this module loads no native code.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath
from types import MappingProxyType

import tree_sitter

TEXT = "text"

# Kind -> node types. One table for all grammars: a type that two grammars share means the
# same in both. `Grammar.kinds` keeps the rows that a grammar really has.
_TYPES_OF_KIND = {
    "arguments": "argument_list arguments annotation_argument_list",
    "parameters": """
        parameters formal_parameters parameter_list lambda_parameters closure_parameters
        inferred_parameters type_parameters type_parameter_list template_parameter_list
        preproc_params""",
    "element": """
        list dictionary set tuple list_pattern tuple_pattern array object array_pattern
        object_pattern array_expression tuple_expression literal_value initializer_list
        array_initializer element_value_array_initializer subscript subscript_expression
        index_expression field_initializer_list type_arguments template_argument_list
        slice_expression struct_pattern tuple_struct_pattern enum_variant_list enumerator_list
        tuple_type token_tree subscript_argument_list array_access""",
    "block": """
        block statement_block compound_statement class_body interface_body enum_body
        declaration_list field_declaration_list ordered_field_declaration_list switch_block
        switch_body constructor_body match_block statement_list enum_body_declarations
        annotation_type_body object_type import_spec_list var_spec_list interface_type
        requirement_seq class_static_block module_body""",
    "import": """
        import_statement import_from_statement future_import_statement import_declaration
        use_declaration preproc_include using_declaration package_declaration package_clause
        extern_crate_declaration import_spec import_clause named_imports use_list
        scoped_use_list""",
    "string": """
        string string_content string_literal template_string string_fragment raw_string_literal
        interpreted_string_literal raw_string_content interpreted_string_literal_content
        raw_string_literal_content char_literal character_literal concatenated_string
        system_lib_string regex regex_pattern rune_literal multiline_string_fragment jsx_text
        escape_sequence character""",
    "comment": """
        comment line_comment block_comment doc_comment html_comment shebang hash_bang_line""",
    "statement": """
        declaration elif_clause else_clause except_clause finally_clause case_clause switch_case
        switch_default catch_clause match_arm expression_case default_case communication_case
        type_case switch_rule switch_block_statement_group const_spec var_spec type_spec
        enum_constant enum_variant method_elem property_signature method_signature
        public_field_definition""",
}
_BY_TYPE = {name: kind for kind, names in _TYPES_OF_KIND.items() for name in names.split()}
_STATEMENT_SUFFIXES = ("_statement", "_declaration", "_definition", "_item", "_specifier")


def kind_of_type(node_type: str) -> str:
    """The kind of a named node type; what no table names counts as an expression."""
    kind = _BY_TYPE.get(node_type)
    if kind is not None:
        return kind
    if node_type.startswith("preproc_") or node_type.endswith(_STATEMENT_SUFFIXES):
        return "statement"
    return "expression"


@dataclass(frozen=True, slots=True)
class Grammar:
    """A built tree-sitter grammar with its node tables."""

    name: str
    language: tree_sitter.Language
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its names outside, the grammar module inside, its lexical habits."""

    name: str
    extensions: tuple[str, ...]
    editor_ids: tuple[str, ...]
    module: str
    line_comment: str
    # Blocks by indentation (Python) rather than by braces.
    indented: bool = False
    # Grammar variants: alias (extension or editor id) -> grammar name.
    variants: Mapping[str, str] = field(default_factory=dict)


def _language(
    name: str,
    extensions: str,
    editor_ids: str,
    line_comment: str,
    *,
    indented: bool = False,
    variants: Mapping[str, str] | None = None,
) -> Language:
    return Language(
        name=name,
        extensions=tuple(extensions.split()),
        editor_ids=tuple(editor_ids.split()),
        module=f"tree_sitter_{name}",
        line_comment=line_comment,
        indented=indented,
        variants=MappingProxyType(dict(variants or {})),
    )


_ALL = (
    _language("python", "py pyi pyw", "python", "#", indented=True),
    _language("javascript", "js jsx mjs cjs", "javascript javascriptreact", "//"),
    _language(
        "typescript",
        "ts tsx mts cts",
        "typescript typescriptreact",
        "//",
        variants={"tsx": "tsx", "typescriptreact": "tsx"},
    ),
    _language("go", "go", "go golang", "//"),
    _language("rust", "rs", "rust", "//"),
    _language("java", "java", "java", "//"),
    _language("c", "c h", "c", "//"),
    _language("cpp", "cpp cc cxx hpp hh hxx c++ h++ ipp tpp inl cu cuh", "cpp cuda-cpp", "//"),
)
LANGUAGES: Mapping[str, Language] = MappingProxyType({lang.name: lang for lang in _ALL})
NAMES: tuple[str, ...] = tuple(LANGUAGES)

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        alias: lang.name
        for lang in _ALL
        for alias in (lang.name, *lang.editor_ids, *lang.extensions, *lang.variants.values())
    }
)
# Grammar name -> (module, function that gives the grammar's capsule).
_GRAMMARS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{name: (f"tree_sitter_{name}", "language") for name in NAMES},
        "typescript": ("tree_sitter_typescript", "language_typescript"),
        "tsx": ("tree_sitter_typescript", "language_tsx"),
    }
)
_SHEBANGS = (("python", "python"), ("node", "javascript"), ("deno", "typescript"))


def canonical(alias: str) -> str:
    """The language named by a language name, editor id, extension or grammar name."""
    return _ALIASES.get(alias.lower().lstrip("."), TEXT)


def language_for_path(path: str | PurePath, first_line: bytes = b"") -> str:
    """The language of a file by its extension, else by its `#!` line, else "text"."""
    suffix = PurePath(path).suffix
    if suffix:
        return canonical(suffix)
    if first_line.startswith(b"#!"):
        text = first_line.decode("utf-8", "replace")
        for word, name in _SHEBANGS:
            if word in text:
                return name
    return TEXT


def grammar_name(alias: str) -> str:
    """The grammar for an alias: "tsx" for tsx files and typescriptreact, "text" for none."""
    key = alias.lower().lstrip(".")
    name = _ALIASES.get(key, TEXT)
    if name == TEXT or key in _GRAMMARS:
        return key if key in _GRAMMARS else TEXT
    return LANGUAGES[name].variants.get(key, name)


def grammar_for_path(path: str | PurePath, first_line: bytes = b"") -> str:
    """The grammar name for a file, found as its language is; `SyntaxTree.parse` takes it."""
    suffix = PurePath(path).suffix
    return grammar_name(suffix) if suffix else language_for_path(path, first_line)


@cache
def grammar(name: str) -> Grammar | None:
    """The built grammar for a grammar name, cached; None for "text"."""
    entry = _GRAMMARS.get(name)
    if entry is None:
        return None
    module, function = entry
    language = tree_sitter.Language(getattr(importlib.import_module(module), function)())
    kinds = {}
    for index in range(language.node_kind_count):
        if language.node_kind_is_named(index) and language.node_kind_is_visible(index):
            node_type = language.node_kind_for_id(index)
            if node_type:
                kinds[node_type] = kind_of_type(node_type)
    return Grammar(name, language, MappingProxyType(kinds))


def parser(name: str) -> tree_sitter.Parser | None:
    """A fresh parser for a grammar name or alias; None where there is no grammar.

    A tree_sitter.Parser is not thread-safe, so no two callers share one.
    """
    built = grammar(grammar_name(name))
    return None if built is None else tree_sitter.Parser(built.language)
