"""`diffill adapters` from the outside."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import WEIGHTS_FILE
from diffusion.adapters.store import AdapterStore
from lsp_server.commands import app
from tests.support.adapters import publish
from tests.unit.adapters.test_store import WEIGHTS, manifest


def test_of_several_adapters_all_are_deleted_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    repo = tmp_path / "repo"
    repo.mkdir()
    store = AdapterStore(home_of(repo))
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)

    def delete(*names: str) -> tuple[int, dict[str, list[str]]]:
        words = ["adapters", "delete", *names, "--repo", str(repo), "--json"]
        answer = CliRunner().invoke(app, words)
        return answer.exit_code, json.loads(answer.stdout)

    assert delete("one", "nosuch")[0] == 2
    assert {item.name for item in store.entries()} == {"one", "two"}
    assert delete("one", "two", "one") == (0, {"deleted": ["one", "two"]})
    assert store.entries() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--everything"), "--everything"),
        (("use", "one", "two"), "two"),
        (("rollback", "--repo"), "'--repo'"),
        (("delete",), "argument 'name"),
        (("export",), "argument 'name'"),
        (("import",), "argument 'file'"),
    ],
)
def test_options_that_cannot_be_read_are_told_in_both_forms(
    words: tuple[str, ...], said: str
) -> None:
    answer = CliRunner().invoke(app, ["adapters", words[0], "--json", *words[1:]])
    assert answer.exit_code == 2
    error = json.loads(answer.stdout)["error"]
    assert answer.stderr == f"error: {error}\n"
    assert said in error.lower() and f"`diffill adapters {words[0]} --help` shows" in error


@pytest.mark.parametrize("words", [("nosuch", "--json"), ("--json", "list"), ("--json",)])
def test_a_command_that_there_is_none_of_is_told_in_both_forms(words: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(app, ["adapters", *words])
    assert answer.exit_code == 2
    error = json.loads(answer.stdout)["error"]
    assert answer.stderr == f"error: {error}\n"
    assert words[0] in error and "`diffill adapters --help` shows what it takes" in error
    alone = CliRunner().invoke(app, ["adapters"])
    assert "Usage" in alone.output and not alone.output.startswith("error")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a name cannot be")
def test_a_name_that_stdout_has_no_form_for_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    AdapterStore(home_of(tmp_path)).publish(manifest("one"), WEIGHTS)
    file = tmp_path / os.fsdecode(b"\xff.adapter")
    words = ["adapters", "export", "one", str(file), "--repo", str(tmp_path)]
    answer = CliRunner().invoke(app, words)
    assert (answer.exit_code, answer.stdout) == (0, f"written to {tmp_path}/?.adapter\n")
    assert file.is_file()


def test_an_export_goes_into_folders_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    AdapterStore(home_of(tmp_path)).publish(manifest("one"), WEIGHTS)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "one.adapter")

    def export(*to: str) -> dict[str, str]:
        words = ["adapters", "export", "one", *to, "--repo", str(tmp_path), "--json"]
        told: dict[str, str] = json.loads(CliRunner().invoke(app, words).stdout)
        return told

    name = "one.diffill-adapter"
    assert export() == {"file": name} and (tmp_path / name).is_file()
    for to in ("there", "there/"):
        assert export(to) == {"file": f"there/{name}"}
        (tmp_path / "there" / name).unlink()
    assert export("there/other") == {"file": "there/other"}
    for to in ("gone/one.adapter", "gone/", "gone", "link"):
        told = export(to)
        if to == "gone":  # a name like any other
            assert told == {"file": to} and (tmp_path / to).is_file()
            (tmp_path / to).unlink()
        else:
            assert "there is no folder" in told["error"] and "gone" in told["error"]
            assert not (tmp_path / "gone").exists()


def test_rollback_tells_what_it_passes_over(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    store = publish(tmp_path, tiny_model_dir, "one", "two")
    store.publish(manifest("theirs"), WEIGHTS)  # for another model
    for name in ("one", "theirs", "two"):
        store.select(name)
    (store.folder / "one" / WEIGHTS_FILE).write_bytes(b"")
    words = ["adapters", "rollback", "--repo", str(tmp_path), "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0
    theirs, one, serving = answer.stdout.splitlines()
    assert theirs.startswith("passed over: ") and "another base model" in theirs
    assert one.startswith("passed over: ") and "is truncated" in one
    assert serving == "serving the base model"
    store.select("two")
    document = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert document == {"selected": None, "passed_over": []}


def test_a_model_may_be_named_below_a_home(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").symlink_to(tiny_model_dir)
    words = ["adapters", "list", "--repo", str(tmp_path), "--model"]
    answer = CliRunner().invoke(app, [*words, "~/m"])
    assert (answer.exit_code, answer.stdout) == (0, "no adapter yet\n")
    answer = CliRunner().invoke(app, [*words, "~nobody-of-that-name/m"])
    assert answer.exit_code == 2 and "write the path out" in answer.stderr


@pytest.mark.parametrize("command", ["adapters list --repo", "train status", "train"])
def test_a_home_of_nobody_is_named(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIFFILL_MODEL", str(tiny_model_dir))
    for repo, data in (("~nobody-of-that-name/x", "data"), (str(tmp_path), "~nobody-of-that-name")):
        monkeypatch.setenv("DIFFILL_DATA", data)
        answer = CliRunner().invoke(app, [*command.split(), repo])
        assert answer.exit_code == 2, answer.output
        assert "~nobody-of-that-name" in answer.stderr and "write the path out" in answer.stderr


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({"cases": 4, "exact_match_before": 0.25, "exact_match_after": 0.5}, True),
        ({"cases": 4, "exact_match_after": 0.5}, False),
        ({"cases": 4, "exact_match_before": "0.25", "exact_match_after": 0.5}, False),
        ("x", False),
        (5, False),
    ],
)
def test_figures_that_say_nothing_are_not_shown(
    tmp_path: Path,
    tiny_model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: object,
    shown: bool,
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    base = base_of(tiny_model_dir)
    made = replace(
        manifest("one"), base_sha256=base.weights_sha256, tokenizer_hash=base.tokenizer_hash
    )
    AdapterStore(home_of(tmp_path)).publish(
        replace(made, figures={"held_out": figures}), WEIGHTS
    )
    words = ["adapters", "list", "--repo", str(tmp_path), "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    assert ("held-out 25.0 -> 50.0 %" in answer.stdout) is shown
