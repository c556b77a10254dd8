"""Writes the settings of `lsp_server/settings.py` into package.json, beside the extension's own.

    python editors/vscode/scripts/settings.py

Names, types, bounds, defaults and help come from the server; what only the extension reads is in
client-settings.json. tests/repo/test_vscode.py holds the two together. A kind of setting that this
script does not know is an error, not a guess.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from lsp_server.settings import SECTION, Settings, _camel  # noqa: E402

PACKAGE = HERE.parent / "package.json"
OF_A_MACHINE = {"model", "performance", "privacy"}
_PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BOUNDS = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}


def properties() -> dict[str, Any]:
    """`contributes.configuration.properties`."""
    ours = json.loads((HERE / "client-settings.json").read_text(encoding="utf-8"))
    return {**dict(_properties(Settings(), SECTION)), **ours}


def _properties(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    hints = get_type_hints(type(node))
    for attribute in attrs.fields(type(node)):
        value, where = getattr(node, attribute.name), f"{path}.{_camel(attribute.name)}"
        if attrs.has(type(value)):
            yield from _properties(value, where)
            continue
        schema = _schema(hints[attribute.name], where)
        bounds = dict(_bounds(attribute.validator))
        for part in schema.get("anyOf", [schema]):
            if part.get("type") in ("integer", "number"):
                part.update(bounds)
        yield (
            where,
            {
                **schema,
                "default": _default(value),
                "scope": _scope(where),
                "description": attribute.metadata["help"],
            },
        )


def _default(value: Any) -> Any:
    if isinstance(value, dict):
        return {}  # VS Code lays what is set on the default; to the server, {} is its own one
    return list(value) if isinstance(value, (tuple, frozenset)) else value


def _schema(hint: Any, where: str) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is UnionType or str(origin) == "typing.Union":
        return {"anyOf": [_schema(argument, where) for argument in arguments]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], where)}
    if origin in (list, tuple, frozenset):
        return {"type": "array", "items": _schema(arguments[0], where)}
    raise SystemExit(f"{where}: teach editors/vscode/scripts/settings.py the type {hint}")


def _bounds(validator: Any) -> Iterator[tuple[str, float]]:
    inner = getattr(validator, "_validators", getattr(validator, "validators", None))
    if inner is not None:
        for one in inner:
            yield from _bounds(one)
    elif (operator := getattr(validator, "compare_op", None)) in _BOUNDS:
        yield _BOUNDS[operator], validator.bound


def _scope(where: str) -> str:
    return "machine-overridable" if where.split(".")[1] in OF_A_MACHINE else "window"


def written(package: dict[str, Any]) -> str:
    """package.json as text."""
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite package.json."""
    package = json.loads(PACKAGE.read_text(encoding="utf-8"))
    package["contributes"]["configuration"]["properties"] = properties()
    PACKAGE.write_text(written(package), encoding="utf-8")


if __name__ == "__main__":
    main()
