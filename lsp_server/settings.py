"""The typed settings tree: every key of `diffill.*` that the server reads, with its default.

Docs and editor schemas are checked against it (`describe`). Invariants: reading never raises, a
value of the wrong type or out of bounds is reported with its path and only that key takes its
default, null and, for an object, `[]` (Lua's empty table) are "not set"; an unknown key is reported
with the nearest known one; keys on the wire are camelCase, attributes snake_case.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

import attrs
from attrs import field, frozen, validators
from cattrs import Converter

from diffusion.text import languages

SECTION = "diffill"
Tree = TypeVar("Tree", bound=attrs.AttrsInstance)


def _between(low: float, high: float) -> Any:
    return validators.and_(validators.ge(low), validators.le(high))


def _setting(default: Any, help: str, *, validator: Any = None) -> Any:
    return field(default=default, validator=validator, metadata={"help": help})


@frozen(kw_only=True)
class InlineSettings:
    """`diffill.inline.*`: what is offered and how fast."""

    trigger: Literal["auto", "manual"] = _setting(
        "auto", "auto: while typing; manual: only when asked for"
    )
    max_latency_ms: int = _setting(
        600, "an answer is due after so many milliseconds", validator=_between(20, 60_000)
    )
    alternatives: int = _setting(
        3, "how many candidates a request gets at most", validator=_between(1, 10)
    )
    min_confidence: float = _setting(
        0.06,
        "candidates that are less likely to be right than this are only shown when asked for",
        validator=_between(0.0, 1.0),
    )
    extent: Literal["sure", "whole"] = _setting(
        "sure", "while typing; sure: as far as a suggestion is worth a look; whole: all of it"
    )
    disabled_in: tuple[Literal["string", "comment"], ...] = _setting(
        ("comment",), "where nothing is offered unless asked for: string, comment"
    )
    multiline: Literal["auto", "never", "always"] = _setting(
        "auto", "several lines at once; auto: where the syntax asks for more than one line"
    )
    debounce_ms: int | Literal["adaptive"] = _setting(
        0,
        "milliseconds to wait for the next key before the model is asked; "
        "adaptive: by how fast keys and answers come",
        validator=validators.or_(validators.in_(["adaptive"]), _between(0, 5000)),
    )
    max_lines: int = _setting(8, "cut candidates after so many lines", validator=_between(1, 100))


@frozen(kw_only=True)
class CompletionSettings:
    """`diffill.completion.*`: the pop-up list, for editors without inline completion."""

    enable: Literal["ifNoInline", "always", "never"] = _setting(
        "ifNoInline", "whether candidates also appear in the completion list"
    )


@frozen(kw_only=True)
class PerformanceSettings:
    """`diffill.performance.*`: what the server may use, and what it leaves alone."""

    threads: int | Literal["auto"] = _setting(
        "auto",
        "threads for the model; auto: as many as other programs leave cores",
        validator=validators.or_(validators.in_(["auto"]), _between(1, 256)),
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = _setting(
        "auto", "where the model runs; auto: on a CUDA GPU with room for it, else on the processor"
    )
    encode_ahead: bool = _setting(
        True, "while nobody types, encode the context of the next line, and fill that line"
    )
    max_file_kb: int = _setting(
        1024, "larger documents get no suggestions", validator=_between(1, 1_000_000)
    )
    max_line_length: int = _setting(
        2000, "longer lines (in bytes) get no suggestions", validator=_between(1, 10_000_000)
    )


@frozen(kw_only=True)
class ContextSettings:
    """`diffill.context.*`: what is looked at beside the document."""

    open_files: bool = _setting(
        True, "quote from other open documents in the same language, where they fit"
    )
    cross_file: bool = _setting(
        True,
        "also quote from files of the workspace that are not open, in the same language, "
        "the nearest first",
    )


@frozen(kw_only=True)
class SyntaxSettings:
    """`diffill.syntax.*`: what becomes of candidates that add a syntax error."""

    check: Literal["repair", "rank", "off"] = _setting(
        "rank",
        "repair: denoise them again at the errors; rank: only drop them, unless somebody asked and "
        "nothing else is there; off: show them",
    )


@frozen(kw_only=True)
class DiagnosticsSettings:
    """`diffill.diagnostics.*`: words that look wrong to the model."""

    enable: bool = _setting(
        False, "mark suspicious words with a hint and a quick fix, and score words on hover"
    )
    threshold: float = _setting(
        0.7,
        "how much more probable than the word another must be; higher marks less",
        validator=_between(0.0, 1.0),
    )
    max_per_file: int = _setting(
        20, "only so many words are marked, the worst", validator=_between(1, 1000)
    )


@frozen(kw_only=True)
class ModelSettings:
    """`diffill.model.*`."""

    path: str = _setting("", "folder of the model; empty: the bundled one")
    adapter: str = _setting(
        "auto",
        "auto: what tuning has made for the open repository; none: the model as it is; else the "
        "name or the folder of an adapter, or a folder of several, of which the newest is served",
    )


@frozen(kw_only=True)
class TrainSettings:
    """`diffill.train.*`: tuning on the open repository, which runs when it is started."""

    max_minutes: float = _setting(
        10.0, "train at most so long", validator=_between(0.1, 100_000.0)
    )
    nice: int = _setting(
        15, "how far training stands back behind other programs", validator=_between(0, 19)
    )
    method: Literal["lora", "full"] = _setting(
        "lora", "lora: small matrices beside the weights; full: every weight"
    )
    threads: int = _setting(1, "processor threads for training", validator=_between(1, 256))
    auto_resume: bool = _setting(
        False, "go on with an interrupted run when its repository is opened"
    )
    keep_up: bool = _setting(
        False,
        "tune by itself after five minutes without a key, on mains, if the files have changed",
    )
    minutes_per_day: float = _setting(
        30.0,
        "keepUp may use so many minutes of processor time a day in a repository",
        validator=_between(0.0, 1440.0),
    )


@frozen(kw_only=True)
class PrivacySettings:
    """`diffill.privacy.*`."""

    log_code: bool = _setting(False, "let source text into the log, for debugging")
    respect_gitignore: bool = _setting(
        True, "offer nothing in files that .gitignore names, and quote nothing from them"
    )
    ignore: tuple[str, ...] = _setting(
        (), "more files to leave out, as patterns of a .gitignore; added to the built-in list"
    )


@frozen(kw_only=True)
class Settings:
    """`diffill.*`."""

    enable: bool = _setting(True, "offer suggestions at all")
    languages: dict[str, bool] = field(
        factory=lambda: {"*": True},
        metadata={"help": 'which languages get suggestions; "*" speaks for those not named'},
    )
    inline: InlineSettings = field(factory=InlineSettings)
    completion: CompletionSettings = field(factory=CompletionSettings)
    context: ContextSettings = field(factory=ContextSettings)
    syntax: SyntaxSettings = field(factory=SyntaxSettings)
    diagnostics: DiagnosticsSettings = field(factory=DiagnosticsSettings)
    performance: PerformanceSettings = field(factory=PerformanceSettings)
    model: ModelSettings = field(factory=ModelSettings)
    train: TrainSettings = field(factory=TrainSettings)
    privacy: PrivacySettings = field(factory=PrivacySettings)

    def serves(self, language: str) -> bool:
        """Whether suggestions are on for a language; without "*" others are if none is on."""
        return (on := self.languages).get(language, on.get("*", not any(on.values())))


@dataclass(frozen=True, slots=True)
class Problem:
    """One key that could not be used."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def read(raw: object) -> tuple[Settings, tuple[Problem, ...]]:
    """Settings from what a client sent, if anything; keys that fail are defaulted."""
    problems = list[Problem]()
    settings = _read(Settings, section(raw), SECTION, problems)
    return settings, (*problems, *_misnamed(settings.languages))


def section(raw: object, *, alone: bool = False) -> object:
    """Our part of what a client sent: below "diffill", if that is there; `alone` also beside it."""
    raw = _nested(raw)
    if not isinstance(raw, Mapping) or SECTION not in raw:
        return raw
    return merge({key: raw[key] for key in raw if alone and key != SECTION}, raw[SECTION])


def _nested(raw: object) -> object:
    """Keys with dots taken apart: `{"a.b": 1}` is `{"a": {"b": 1}}`."""
    if not isinstance(raw, Mapping):
        return raw
    made: object = {}
    for key, value in raw.items():
        head, _, rest = str(key).partition(".")
        made = merge(made, {head: _nested({rest: value} if rest else value)})
    return made


def merge(base: object, over: object) -> object:
    """`over` laid on `base`, key by key; where either is no mapping, `over` if it is set."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return base if over is None or (isinstance(base, Mapping) and over == []) else over
    merged = dict(base)
    for key, value in over.items():
        merged[key] = merge(base[key], value) if key in base else value
    return merged


def describe() -> Iterator[tuple[str, Any, str]]:
    """(path, default, help) of every key, for docs and schemas."""
    yield from _describe(Settings(), SECTION)


def _describe(node: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    for attribute in attrs.fields(type(node)):
        value, where = getattr(node, attribute.name), f"{path}.{_camel(attribute.name)}"
        if attrs.has(type(value)):
            yield from _describe(value, where)
        else:
            yield where, value, attribute.metadata["help"]


def _read(cls: type[Tree], raw: object, path: str, problems: list[Problem]) -> Tree:
    if not isinstance(raw, Mapping):
        if raw is not None and raw != []:
            problems.append(Problem(path, f"expected an object, got {_shown(raw)}"))
        return cls()
    hints = get_type_hints(cls)
    known = {_camel(attribute.name): attribute for attribute in attrs.fields(cls)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        where = f"{path}.{key}"
        attribute = known.get(key)
        if attribute is None:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f", did you mean {path}.{near[0]}?" if near else ""
            problems.append(Problem(where, f"unknown setting{hint}"))
        elif attrs.has(hints[attribute.name]):
            values[attribute.name] = _read(hints[attribute.name], value, where, problems)
        elif value is not None and not (value == [] and _origin(hints[attribute.name]) is dict):
            try:
                made = _CONVERTER.structure(value, hints[attribute.name])
                if attribute.validator is not None:
                    attribute.validator(None, attribute, made)
                values[attribute.name] = made
            except Exception as error:
                default = getattr(cls(), attribute.name)
                problems.append(
                    Problem(where, f"{_why(error)}, got {_shown(value)}; using {default!r}")
                )
    return cls(**values)


def _misnamed(names: Iterable[str]) -> Iterator[Problem]:
    """Languages that seem to mean one of ours. Any other is none of ours, and no mistake."""
    where = f"{SECTION}.languages"
    for name in names:
        meant = [languages.canonical(name)]
        if meant == [languages.TEXT]:
            meant = difflib.get_close_matches(name.lower(), languages.NAMES, n=1, cutoff=0.8)
        if meant and name not in languages.NAMES:
            yield Problem(f"{where}.{name}", f"unknown language, did you mean {where}.{meant[0]}?")


def _why(error: Exception) -> str:
    if inner := getattr(error, "exceptions", None):
        return _why(inner[0])
    text = str(error.args[0]) if error.args else type(error).__name__
    if bound := re.match(r"'\w+' must be ([<>]=) ([\d.]+)", text):
        return f"must be {bound[1]} {bound[2]}"
    return "out of bounds" if text.startswith("None of") else text


def _shown(value: object) -> str:
    return text if len(text := repr(value)) <= 40 else text[:39] + "…"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join("KB" if part == "kb" else part.capitalize() for part in rest)


def _strict(wanted: Any, name: str) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is wanted or (wanted is float and type(value) is int):
            return wanted(value)
        if wanted is int and isinstance(value, float) and value.is_integer():
            return int(value)  # Lua has one number type
        raise TypeError(f"expected {name}")

    return structure


def _converter() -> Converter:
    converter = Converter()
    for wanted, name in ((bool, "true or false"), (float, "a number"), (str, "a string")):
        converter.register_structure_hook(wanted, _strict(wanted, name))
    integer = _strict(int, "a whole number")
    converter.register_structure_hook(int, integer)

    for word in ("auto", "adaptive"):
        converter.register_structure_hook(
            int | Literal[word],
            lambda value, _, word=word: value if value == word else integer(value, int),
        )
    converter.register_structure_hook_func(
        lambda hint: _origin(hint) is dict,
        lambda value, hint: _entries(value, hint.__args__[1], converter),
    )
    converter.register_structure_hook_func(
        lambda hint: _origin(hint) is tuple,
        lambda value, hint: _items(value, hint.__args__[0], converter),
    )
    converter.register_structure_hook_func(lambda hint: _origin(hint) is Literal, _literal)
    return converter


def _origin(hint: Any) -> Any:
    return getattr(hint, "__origin__", None)


def _items(value: Any, hint: Any, converter: Converter) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError("expected a list")
    return tuple(converter.structure(item, hint) for item in value)


def _entries(value: Any, hint: Any, converter: Converter) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("expected an object")
    return {str(key): converter.structure(item, hint) for key, item in value.items()}


def _literal(value: Any, hint: Any) -> Any:
    if not isinstance(value, str) or value not in hint.__args__:
        raise ValueError("expected one of " + ", ".join(map(repr, hint.__args__)))
    return value


_CONVERTER = _converter()
