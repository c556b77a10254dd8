"""What a file offers to others, in short: the heads of its definitions, without their bodies.

A function is its head up to its parameters, as a call of it is written; a class, interface or the
like its head and those of its members; a constant, a type and a small record are kept as they are
written. Names that the other file imports come first, then the rest in the order of the file.

Invariants: at most `most_bytes` of whole lines, and of what was not asked for whole definitions
only; a definition starts on a line of its own, with its indentation; any tree is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter

from diffusion.text.syntax import SyntaxTree

_WHOLE: Final = 300
"""Bytes up to which what has no body, or a body of members, is kept as it is written."""
_DEPTH: Final = 4
_MOST_MEMBERS: Final = 40
_HOLDER: Final = re.compile(r"class|struct|interface|impl_|trait|enum|namespace|union|record|mod_")
_WRAPPER: Final = frozenset(
    ("export_statement", "decorated_definition", "template_declaration", "ambient_declaration")
)
_OPEN: Final = frozenset(
    ("linkage_specification", "namespace_definition", "preproc_ifdef", "preproc_if",
     "declaration_list", "internal_module", "mod_item")
)  # fmt: skip
"""Nodes that are looked into, and leave no trace themselves."""
_LEFT_OUT: Final = re.compile(
    r"import|comment|include|use_declaration|package|if_statement|for_|while_|try_|pragma|attribute"
    r"|preproc_call|access_specifier|return_|identifier$|^string"
)
_NAME_TYPES: Final = ("identifier", "type_identifier", "field_identifier", "property_identifier")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name, and the head or the short text of what it stands for."""

    name: str
    text: bytes


def signatures(tree: SyntaxTree, wanted: Collection[str] = (), most_bytes: int = 2000) -> bytes:
    """The heads of a file's definitions, those of the names `wanted` first."""
    if tree.root is None:
        return b""
    found = list(definitions(tree))
    ordered = [d for d in found if d.name in wanted] + [d for d in found if d.name not in wanted]
    kept: list[bytes] = []
    room = most_bytes
    for definition in ordered:
        text = definition.text + b"\n"
        if len(text) > room and definition.name in wanted:
            text = text[: text.rfind(b"\n", 0, room) + 1]
        if 0 < len(text) <= room:
            kept.append(text)
            room -= len(text)
    return b"".join(kept)


def definitions(tree: SyntaxTree) -> Iterator[Definition]:
    """The definitions of a file's top level, in order."""
    if tree.root is not None:
        yield from _inside(tree.root, tree.data, 0)


def _inside(holder: tree_sitter.Node, data: bytes, depth: int) -> Iterator[Definition]:
    if depth > _DEPTH:
        return
    for node in holder.named_children:
        if node.type in _OPEN:
            yield from _inside(node.child_by_field_name("body") or node, data, depth + 1)
        elif not _LEFT_OUT.search(node.type):
            text = _short(node, data, depth)
            if text.strip():
                yield Definition(_name(node), text)


def _short(node: tree_sitter.Node, data: bytes, depth: int) -> bytes:
    """The head of a definition, with those of its members; nothing for what defines nothing."""
    inner = _unwrapped(node)
    if inner.type == "expression_statement" and not _assigns(inner):
        return b""
    if inner.type == "preproc_def" and inner.child_by_field_name("value") is None:
        return b""  # an include guard
    start = data.rfind(b"\n", 0, node.start_byte) + 1
    if data[start : node.start_byte].strip():
        start = node.start_byte
    if inner.type != node.type and node.type == "decorated_definition":
        start = data.rfind(b"\n", 0, inner.start_byte) + 1
    body = _body(inner)
    whole = data[start : node.end_byte].rstrip()
    holder = _HOLDER.search(inner.type) is not None
    if body is None or (holder and inner.type != "class_definition"):
        if len(whole) <= _WHOLE:
            return whole
        if body is None:
            return whole.partition(b"\n")[0][:_WHOLE]
    if not holder:
        return data[start : _head_end(inner, body)].rstrip(b": \t\r\n")
    head = data[start : body.start_byte].rstrip(b": \t\r\n")
    members = [_short(m, data, depth + 1) for m in body.named_children[:_MOST_MEMBERS]
               if depth < _DEPTH and not _LEFT_OUT.search(m.type)]  # fmt: skip
    return b"\n".join([head, *(m for m in members if m.strip())])


def _unwrapped(node: tree_sitter.Node) -> tree_sitter.Node:
    """What an `export`, a decorator or a `template <...>` stands before."""
    while node.type in _WRAPPER:
        inner = node.child_by_field_name("declaration") or node.child_by_field_name("definition")
        inner = inner or (node.named_children[-1] if node.named_children else None)
        if inner is None:
            return node
        node = inner
    return node


def _body(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The body of a definition, also that of a function that a name is bound to."""
    body = node.child_by_field_name("body")
    if body is not None or not node.type.endswith("_declaration"):
        return body
    for child in node.named_children:
        value = child.child_by_field_name("value") if child.type == "variable_declarator" else None
        if value is not None:
            return value.child_by_field_name("body")
    return None


def _head_end(function: tree_sitter.Node, body: tree_sitter.Node) -> int:
    """Where the parameters of a function end, if that is seen: a call looks like what is before."""
    parameters = function.child_by_field_name("parameters")
    return body.start_byte if parameters is None else parameters.end_byte


def _assigns(statement: tree_sitter.Node) -> bool:
    return any(child.type == "assignment" for child in statement.named_children)


def _name(node: tree_sitter.Node) -> str:
    """The name that a definition gives: its `name`, or the first one in its declarator."""
    node = _unwrapped(node)
    for _ in range(6):
        named = node.child_by_field_name("name") or node.child_by_field_name("left")
        if named is None:
            named = node.child_by_field_name("declarator") or next(
                (c for c in node.named_children if c.type.endswith(("_declarator", "_spec"))
                 or c.type in ("assignment", *_NAME_TYPES)), None,
            )  # fmt: skip
        if named is None:
            return ""
        if named.type in _NAME_TYPES or not named.named_children:
            return "" if named.text is None else named.text.decode("utf-8", "replace")
        node = named
    return ""
