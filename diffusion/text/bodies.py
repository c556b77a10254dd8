"""The body that a comment asks for, found in the syntax tree: which one, and the room in it.

Job: a comment -> the `Room` for what it asks for: a placeholder below it, or the body of the
definition right below it (behind its decorators, attributes, head and docstring), or of the one
in whose head it stands.

Invariants: what a room replaces is blank or a placeholder; only a definition has a body, so the
braces of a type, a value or a loop are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter

from diffusion.text import languages
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.comments import Comment, is_docstring, line_stop, marks_of
from diffusion.text.line_ends import line_end_of
from diffusion.text.syntax import SyntaxTree

_ARGUMENTS = rb"\((?:[^()]|\([^()]*\))*\)"
PLACEHOLDER = re.compile(  # what people leave for a body; any of them in any language
    rb"(?:pass\b|\.\.\.|___|raise NotImplementedError\b(?:%(arguments)b)?"
    rb"|(?:todo|unimplemented)!(?:%(arguments)b|\[\]|\{\})"
    rb"|throw new (?:UnsupportedOperation|NotImplemented)[\w\x80-\xff]*%(arguments)b"
    rb"|(?:throw new Error|throw std::\w+|panic)"
    rb"\(\s*[\"'`](?i:todo|not (?:yet )?implemented|unimplemented)\b[^\"'`]*[\"'`]\s*\))"
    rb"[ \t]*;?" % {b"arguments": _ARGUMENTS}
)
_MARKER = b"___"
_DEFINITION_TYPES = """
    function_definition class_definition function_declaration generator_function_declaration
    function_expression generator_function arrow_function method_definition class_declaration class
    abstract_class_declaration interface_declaration enum_declaration internal_module module
    method_declaration func_literal function_item impl_item trait_item struct_item enum_item
    union_item mod_item closure_expression constructor_declaration
    compact_constructor_declaration record_declaration annotation_type_declaration
    lambda_expression struct_specifier class_specifier union_specifier enum_specifier
    namespace_definition struct_type interface_type"""
# What a definition stands in: a single one there is the one that is meant.
_AROUND_TYPES = """
    decorated_definition export_statement ambient_declaration template_declaration
    linkage_specification type_definition declaration field_declaration lexical_declaration
    variable_declaration variable_declarator init_declarator var_declaration var_spec
    short_var_declaration expression_list field_definition public_field_definition pair
    expression_statement assignment_expression let_declaration type_declaration
    type_spec"""
_DEFINITIONS, _AROUND = frozenset(_DEFINITION_TYPES.split()), frozenset(_AROUND_TYPES.split())
_STEPPED_OVER = frozenset(("attribute_item", "decorator"))


@dataclass(frozen=True, slots=True)
class Room:
    """A text takes the place of [start, end), with `before` and `after` around it."""

    start: int
    end: int
    before: bytes = b""
    after: bytes = b""


def room_below(tree: SyntaxTree, data: bytes, comment: Comment) -> Room | None:
    """The room that the tree shows for what a comment asks for; None where it shows none."""
    gap = data[comment.end :]
    at = comment.end + len(gap) - len(gap.lstrip())
    lines = data.count(b"\n", comment.end, at)
    below = _first_at(tree, at)
    if below is None:
        return None
    if lines and (found := _placeholder(tree, data, below)) is not None:
        return found
    begin = data.rfind(b"\n", 0, comment.start) + 1 or mark_before(data, comment.start)
    trailing = data[begin : comment.start].strip()
    if not comment.docstring and (lines == 0 or (lines == 1 and not trailing)):
        definition = _definition(_behind_attributes(below))
        if definition is not None:
            return _room_in(data, *definition, full=True)
    if below.type == "}" and lines == 0 and below.parent is not None:
        block = languages.kind_of_type(below.parent.type) == "block"
        return room_between(data, comment.end, at) if block else None
    headed = _with_head_around(tree, comment)
    return None if headed is None else _room_in(data, *headed, full=False)


def room_after(data: bytes, stop: int) -> Room:
    """Lines of their own behind byte `stop`."""
    return Room(stop, stop, before=line_end_of(data))


def room_between(data: bytes, start: int, stop: int, said: int | None = None) -> Room:
    """Lines of their own for [start, stop), which ends at a brace; after `said` it is blank."""
    new = line_end_of(data)
    last = data.rfind(b"\n", start if said is None else said, stop)
    if last >= 0:  # the brace keeps its line
        return Room(start, last - (data[last - 1 : last] == b"\r"), before=new)
    line = data[data.rfind(b"\n", 0, start) + 1 : start]
    return Room(start, stop, new, new + line[: len(line) - len(line.lstrip(b" \t"))])


# ---------------------------------------------------------------- which definition


def _first_at(tree: SyntaxTree, at: int) -> tree_sitter.Node | None:
    """The outermost node that begins at byte `at`; of statements, the first."""
    lists = ("block", "statement_list")
    return next(
        (node for node in tree.path(at) if node.start_byte == at and node.type not in lists), None
    )


def _behind_attributes(node: tree_sitter.Node) -> tree_sitter.Node:
    while node.type in _STEPPED_OVER or "comment" in node.type:
        behind = node.next_named_sibling
        if behind is None:
            break
        node = behind
    return node


def _definition(
    node: tree_sitter.Node, deepest: int = 8
) -> tuple[tree_sitter.Node, tree_sitter.Node] | None:
    """The definition that a statement is or holds, with its body."""
    if node.type in _DEFINITIONS:
        body = _body_of(node)
        return None if body is None else (node, body)
    if node.type == "init_declarator":  # so C++ reads a body whose placeholder lacks its semicolon
        head, value = map(node.child_by_field_name, ("declarator", "value"))
        read = tuple(part.type for part in (head, value) if part is not None)
        if value is not None and read == ("function_declarator", "initializer_list"):
            return node, value
    if node.type not in _AROUND or not deepest:
        return None
    held = (_definition(child, deepest - 1) for child in node.named_children)
    found = [definition for definition in held if definition is not None]
    return found[0] if len(found) == 1 else None


def _body_of(node: tree_sitter.Node) -> tree_sitter.Node | None:
    if node.type in ("struct_type", "interface_type"):  # of Go, where values have such types, too
        if node.parent is None or node.parent.type != "type_spec":
            return None
        return node if node.type == "interface_type" else node.named_children[0]
    return node.child_by_field_name("body")


def _with_head_around(
    tree: SyntaxTree, comment: Comment
) -> tuple[tree_sitter.Node, tree_sitter.Node] | None:
    """The definition in whose head a comment stands, with its body."""
    for node in reversed(tree.path(comment.start)):
        body = _body_of(node) if node.type in _DEFINITIONS else None
        if body is not None:
            return (node, body) if comment.end <= body.start_byte else None
    return None


# ---------------------------------------------------------------- where in it


def _placeholder(tree: SyntaxTree, data: bytes, below: tree_sitter.Node) -> Room | None:
    """The placeholder that a line is, but for a comment behind it."""
    found = PLACEHOLDER.match(data, below.start_byte)
    if found is None or not _ends_line(tree.language, data, found.end()):
        return None
    # A marker is a name to most grammars, and begins what stands on the next line.
    more = found.end() < below.end_byte and not found[0].startswith(_MARKER)
    return None if more and not tree.has_error(*found.span()) else Room(*found.span())


def _ends_line(language: str, data: bytes, at: int) -> bool:
    rest = data[at : line_stop(data, at)].strip()
    return not rest or re.match(marks_of(language), rest) is not None


def _room_in(
    data: bytes, definition: tree_sitter.Node, body: tree_sitter.Node, *, full: bool
) -> Room | None:
    """The room in a body that says nothing yet, else (if `full`) at its beginning."""
    braces = [child for child in body.children if child.type in ("{", "}")]
    if len(braces) > 1 and not braces[-1].is_missing:
        return _in_braces(data, body, braces[0].end_byte, braces[-1].start_byte, full=full)
    colons = [child for child in definition.children if child.type == ":"]
    if body.type == "block" and not braces and colons and not colons[-1].is_missing:
        return _in_lines(data, body, colons[-1].end_byte, full=full)
    return None


def _in_braces(
    data: bytes, body: tree_sitter.Node, start: int, stop: int, *, full: bool
) -> Room | None:
    inside = [child for child in body.children if start <= child.start_byte < stop]
    says = [child for child in inside if "comment" not in child.type]
    if not says:
        end = start + len(data[start : inside[-1].end_byte].rstrip()) if inside else start
        if inside and b"\n" in data[end:stop]:
            return room_after(data, line_stop(data, end))
        return room_between(data, end, stop)
    first = says[0].start_byte
    last = first + len(data[first : says[-1].end_byte].rstrip())
    if PLACEHOLDER.fullmatch(data, first, last):
        own_line = b"\n" in data[start:first] and b"\n" in data[last:stop]
        if own_line or len(inside) > len(says):
            return Room(first, last)
        return room_between(data, start, stop, said=last)
    return room_after(data, line_stop(data, start)) if full and b"\n" in data[start:first] else None


def _in_lines(data: bytes, body: tree_sitter.Node, start: int, *, full: bool) -> Room | None:
    """The room in a body of Python, which begins behind its colon."""
    says = [child for child in body.named_children if "comment" not in child.type]
    colon = start
    if says and is_docstring(says[0]):
        start = says.pop(0).end_byte
    if not says:
        return room_after(data, line_stop(data, start))
    first, last = says[0].start_byte, says[-1].end_byte
    if PLACEHOLDER.fullmatch(data, first, last):
        inline = start == colon and b"\n" not in data[start:first]
        return Room(start, last, before=line_end_of(data)) if inline else Room(first, last)
    return room_after(data, line_stop(data, start)) if full and b"\n" in data[start:first] else None
