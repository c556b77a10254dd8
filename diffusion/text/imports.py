"""What a document imports, as written: read off the import nodes of its syntax tree.

Job: name the things that other files may define. Where those files lie is `import_paths`' business.

Invariants: any tree is accepted, also one with errors or without nodes; what cannot be read as an
import is left out; at most `MOST_IMPORTS`, in the order of the document. Only the outer nodes are
entered (`_DEPTH`), so the cost does not grow with the bodies of functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import tree_sitter

from diffusion.text.syntax import SyntaxTree

MOST_IMPORTS: Final = 100
_DEPTH: Final = 4
"""Levels below the root that are entered: an import in a `try` lies on the third."""
_MOST_NODES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, file or package.

    `source`: as the language names it: `a.b` (Python, Java), `./m` (JavaScript), `a::b` (Rust),
    `example.org/a/b` (Go), `a/b.h` (C). `names`: what is taken from it, or what it is called
    here. `up`: leading dots of a relative import (Python). `system`: `#include <...>`.
    """

    source: str
    names: tuple[str, ...] = ()
    up: int = 0
    system: bool = False


Reader = Callable[[tree_sitter.Node], Iterator[Import]]


def find_imports(tree: SyntaxTree) -> list[Import]:
    """What the document imports, each once."""
    reader = _READERS.get(tree.language)
    if reader is None or tree.root is None:
        return []
    found: dict[Import, None] = {}
    for node in _outer_nodes(tree.root):
        for item in reader(node):
            if item.source or item.up:
                found.setdefault(item)
        if len(found) >= MOST_IMPORTS:
            break
    return list(found)[:MOST_IMPORTS]


def _outer_nodes(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Named nodes of the outer levels, in document order."""
    stack = [(root, 0)]
    for _ in range(_MOST_NODES):
        if not stack:
            return
        node, depth = stack.pop()
        yield node
        if depth < _DEPTH:
            stack += [(child, depth + 1) for child in reversed(node.named_children)]


def _text(node: tree_sitter.Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _unquoted(node: tree_sitter.Node | None) -> str:
    return _text(node).strip("\"'`<>")


def _children(node: tree_sitter.Node, *types: str) -> list[tree_sitter.Node]:
    return [child for child in node.named_children if child.type in types]


def _python(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "import_statement":
        for child in node.named_children:
            name = child.child_by_field_name("name") if child.type == "aliased_import" else child
            called = child.child_by_field_name("alias") or name
            yield Import(_text(name), (_text(called),))
    elif node.type == "import_from_statement":
        module = node.child_by_field_name("module_name")
        dots = len(_text(module)) - len(_text(module).lstrip("."))
        taken = [
            child.child_by_field_name("name") if child.type == "aliased_import" else child
            for child in node.named_children
            if child != module and child.type in ("dotted_name", "aliased_import")
        ]
        yield Import(_text(module).lstrip("."), tuple(map(_text, taken)), dots)


def _script(node: tree_sitter.Node) -> Iterator[Import]:
    """JavaScript and TypeScript: `import`, `export ... from`, `require`."""
    if node.type in ("import_statement", "export_statement", "import_require_clause"):
        source = node.child_by_field_name("source")
        if source is not None:
            names = _names_in(node, "identifier", "import_specifier", "export_specifier")
            yield Import(_unquoted(source), names)
    elif node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        if value is not None and value.type == "await_expression" and value.named_children:
            value = value.named_children[0]
        if value is None or value.type != "call_expression":
            return
        arguments = value.child_by_field_name("arguments")
        called = _text(value.child_by_field_name("function"))
        if called not in ("require", "import") or arguments is None:
            return
        for source in _children(arguments, "string")[:1]:
            names = _names_in(node.child_by_field_name("name") or node, *_PATTERNS)
            yield Import(_unquoted(source), names)


_PATTERNS = ("identifier", "shorthand_property_identifier_pattern", "property_identifier")


def _names_in(node: tree_sitter.Node, *types: str, depth: int = _DEPTH) -> tuple[str, ...]:
    """The names of nodes of some types not far below `node`, itself included, in order."""
    if node.type in types:
        return (_text(node.child_by_field_name("name") or node),)
    children = node.named_children if depth else []
    return tuple(name for c in children for name in _names_in(c, *types, depth=depth - 1))


def _go(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "import_spec":
        name = node.child_by_field_name("name")
        yield Import(
            _unquoted(node.child_by_field_name("path")), (_text(name),) if name is not None else ()
        )


def _rust(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "mod_item" and node.child_by_field_name("body") is None:
        yield Import("self::" + _text(node.child_by_field_name("name")))
    elif node.type == "use_declaration":
        argument = node.child_by_field_name("argument")
        if argument is not None:
            yield from _rust_use(argument, "")


def _rust_use(node: tree_sitter.Node, outer: str, depth: int = _DEPTH) -> Iterator[Import]:
    """`a::{b, c::D}` is an import of `b` from `a` and one of `D` from `a::c`."""
    if node.type in ("scoped_use_list", "use_list"):
        path = node.child_by_field_name("path")
        inside = node.child_by_field_name("list") if node.type == "scoped_use_list" else node
        below = outer + (_text(path) + "::" if path is not None else "")
        for child in inside.named_children if inside is not None and depth else []:
            yield from _rust_use(child, below, depth - 1)
        return
    if node.type == "use_as_clause":
        node = node.child_by_field_name("path") or node
    whole = outer + _text(node)
    if node.type == "use_wildcard":
        yield Import(whole.removesuffix("::*"))
        return
    source, _, name = whole.rpartition("::")
    yield Import(source, (name,))


def _java(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "import_declaration":
        for name in _children(node, "scoped_identifier", "identifier"):
            names = () if _children(node, "asterisk") else (_text(name).rpartition(".")[2],)
            yield Import(_text(name), names)


def _c(node: tree_sitter.Node) -> Iterator[Import]:
    if node.type == "preproc_include":
        path = node.child_by_field_name("path")
        if path is not None and path.type in ("string_literal", "system_lib_string"):
            yield Import(_unquoted(path), system=path.type == "system_lib_string")


_READERS: Mapping[str, Reader] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _c,
    "cpp": _c,
}
