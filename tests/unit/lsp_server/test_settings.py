"""Settings: payloads as editors send them, bad keys reported by path, only those defaulted."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.settings import Settings, describe, merge, read, section


def test_nothing_sent_is_all_defaults() -> None:
    for raw in (None, {}, {"diffill": {}}, {"enable": None, "inline": {"maxLatencyMs": None}}):
        assert read(raw) == (Settings(), ())


@pytest.mark.parametrize("unset", [None, []])
def test_null_and_an_empty_table_of_lua_are_not_set(unset: object) -> None:
    for raw in (
        unset,
        {"diffill": unset},
        {"inline": unset, "languages": unset},
        {"diffill": {"inline": unset, "inline.maxLines": None}},
    ):
        assert read(raw) == (Settings(), ())
        under = {"inline": {"maxLines": 2}, "languages": {"go": False}, "enable": False}
        assert merge(under, section(raw)) == under


def test_every_key_can_be_set() -> None:
    raw = {
        "enable": False,
        "languages": {"*": False, "python": True},
        "inline": {
            "trigger": "manual",
            "maxLatencyMs": 250,
            "alternatives": 2,
            "minConfidence": 0.5,
            "extent": "whole",
            "maxLines": 1,
            "disabledIn": ["string", "comment"],
            "multiline": "never",
            "debounceMs": "adaptive",
        },
        "completion": {"enable": "always"},
        "context": {"openFiles": False, "crossFile": False},
        "syntax": {"check": "repair"},
        "diagnostics": {"enable": True, "threshold": 0.5, "maxPerFile": 3},
        "performance": {
            "threads": 2,
            "device": "cpu",
            "encodeAhead": False,
            "maxFileKB": 64,
            "maxLineLength": 200,
        },
        "model": {"path": "/models/mine", "adapter": "none"},
        "train": {
            "maxMinutes": 3,
            "nice": 5,
            "method": "full",
            "threads": 2,
            "autoResume": True,
            "keepUp": True,
            "minutesPerDay": 12.5,
        },
        "privacy": {"logCode": True, "respectGitignore": False, "ignore": ["gen/"]},
    }
    settings, problems = read({"diffill": raw})
    assert problems == ()
    paths = {path for path, _, _ in describe()}
    flat = {
        f"diffill.{key}.{inner}"
        if isinstance(value, dict) and key != "languages"
        else f"diffill.{key}"
        for key, value in raw.items()
        for inner in (value if isinstance(value, dict) else {"": None})
    }
    assert flat == paths
    default = attrs.asdict(Settings())
    for key, value in attrs.asdict(settings).items():
        if isinstance(value, dict) and key != "languages":
            assert all(value[inner] != default[key][inner] for inner in value)
        else:
            assert value != default[key]


@pytest.mark.parametrize(
    ("raw", "path", "says"),
    [
        ({"enable": "yes"}, "diffill.enable", "expected true or false, got 'yes'; using True"),
        ({"enable": 1}, "diffill.enable", "expected true or false, got 1; using True"),
        ({"inline": {"maxLatencyMs": "fast"}}, "diffill.inline.maxLatencyMs", "a whole number"),
        ({"inline": {"maxLatencyMs": True}}, "diffill.inline.maxLatencyMs", "a whole number"),
        ({"inline": {"maxLatencyMs": 1}}, "diffill.inline.maxLatencyMs", "must be >= 20, got 1"),
        ({"inline": {"minConfidence": 7}}, "diffill.inline.minConfidence", "must be <= 1.0, got 7"),
        ({"inline": {"trigger": "often"}}, "diffill.inline.trigger", "one of 'auto', 'manual'"),
        ({"inline": {"disabledIn": ["code"]}}, "diffill.inline.disabledIn", "one of 'string'"),
        ({"inline": {"disabledIn": "comment"}}, "diffill.inline.disabledIn", "expected a list"),
        ({"inline": {"disabledIn": [[]]}}, "diffill.inline.disabledIn", "one of 'string'"),
        ({"inline": {"trigger": []}}, "diffill.inline.trigger", "one of 'auto', 'manual'"),
        ({"inline": {"debounceMs": "fast"}}, "diffill.inline.debounceMs", "a whole number"),
        ({"inline": {"debounceMs": -1}}, "diffill.inline.debounceMs", "out of bounds, got -1"),
        ({"privacy": {"ignore": "*.py"}}, "diffill.privacy.ignore", "expected a list"),
        ({"privacy": {"ignore": [1]}}, "diffill.privacy.ignore", "expected a string"),
        ({"inline": 3}, "diffill.inline", "expected an object, got 3"),
        ({"performance": {"threads": "many"}}, "diffill.performance.threads", "a whole number"),
        ({"performance": {"threads": 0}}, "diffill.performance.threads", "out of bounds, got 0"),
        ({"languages": {"python": "on"}}, "diffill.languages", "true or false"),
        ({"languages": ["python"]}, "diffill.languages", "expected an object, got ['python']; us"),
        ({"inline": {"maxlines": 2}}, "diffill.inline.maxlines", "mean diffill.inline.maxLines?"),
        ({"colour": 1}, "diffill.colour", "unknown setting"),
        ([1], "diffill", "expected an object, got [1]"),
        (3, "diffill", "expected an object, got 3"),
    ],
)
def test_a_bad_key_is_named_and_only_it_defaulted(raw: object, path: str, says: str) -> None:
    beside = {**raw, "model": {"path": "kept"}} if isinstance(raw, dict) else raw
    settings, problems = read(beside)
    assert [problem.path for problem in problems] == [path]
    assert says in problems[0].message
    assert settings.model.path == ("kept" if isinstance(raw, dict) else "")
    assert attrs.evolve(settings, model=Settings().model) == Settings()


def test_a_section_that_is_no_object_is_named() -> None:
    settings, problems = read({"diffill": 3})
    assert settings == Settings()
    assert [str(problem) for problem in problems] == ["diffill: expected an object, got 3"]


@pytest.mark.parametrize(
    "raw",
    [
        {"diffill.inline.maxLines": 3, "diffill.languages": {"go": False}, "editor.fontSize": 12},
        {"inline.maxLines": 3, "languages": {"go": False}},
        {"diffill": {"inline.maxLines": 3, "languages": {"go": False}}},
        {"inline": {"maxLines": 2}, "inline.maxLines": 3, "languages.go": False},
    ],
)
def test_keys_may_be_written_with_dots(raw: object) -> None:
    settings, problems = read(raw)
    assert problems == ()
    assert (settings.inline.max_lines, settings.languages) == (3, {"go": False})
    assert read({"diffill.inline.maxLine": 3})[1][0].path == "diffill.inline.maxLine"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("pyhton", "python"), ("Go", "go"), ("typescriptreact", "typescript"), ("c++", "cpp"),
     ("golang", "go"), ("js", "javascript"), ("ts", "typescript"), ("tsx", "typescript"),
     ("py", "python"), ("rs", "rust"), ("*", None), ("rust", None), ("lua", None),
     ("markdown", None), ("shellscript", None)],
)  # fmt: skip
def test_a_language_of_another_name_is_reported(name: str, meant: str | None) -> None:
    settings, problems = read({"languages": {name: False}})
    assert settings.languages == {name: False}
    says = f"diffill.languages.{name}: unknown language, did you mean diffill.languages.{meant}?"
    assert [str(problem) for problem in problems] == ([says] if meant else [])


def test_numbers_from_lua_are_floats() -> None:
    settings, problems = read({"inline": {"maxLines": 3.0, "minConfidence": 1}})
    assert (settings.inline.max_lines, settings.inline.min_confidence, problems) == (3, 1.0, ())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("enable", "inline", "languages", "threads", "performance", "path", "x")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_reading_never_raises(raw: object) -> None:
    settings, _ = read(raw)
    assert isinstance(settings, Settings)


def test_later_settings_lie_on_earlier_ones() -> None:
    first = {"inline": {"maxLines": 2, "alternatives": 1}, "enable": False}
    merged = merge(first, {"inline": {"maxLines": 5}})
    assert merged == {"inline": {"maxLines": 5, "alternatives": 1}, "enable": False}
    assert merge(first, None) is first
    shown = {"inline": {"disabledIn": ["string"]}}
    assert merge(shown, {"inline": {"disabledIn": []}}) == {"inline": {"disabledIn": []}}


@pytest.mark.parametrize(
    ("languages", "python", "go"),
    [
        ({"*": True}, True, True),
        ({"*": True, "go": False}, True, False),
        ({"go": True}, False, True),
        ({"go": True, "python": False}, False, True),
        ({"go": False}, True, False),
        ({"go": False, "rust": False}, True, False),
        ({"go": False, "*": False}, False, False),
        ({}, True, True),
    ],
)
def test_languages_not_named_follow_the_star(
    languages: dict[str, bool], python: bool, go: bool
) -> None:
    settings, _ = read({"languages": languages})
    assert (settings.serves("python"), settings.serves("go")) == (python, go)


def test_every_key_has_a_help_text() -> None:
    assert all(text and path.startswith("diffill.") for path, _, text in describe())
