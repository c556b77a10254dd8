"""Which adapter a name or a path means, on the command line and in a folder that a team shares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from typer.testing import CliRunner, Result

from diffusion.adapters.base import base_of
from diffusion.adapters.chosen import asked_adapter, newest_in
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import LORA, MANIFEST_FILE, WEIGHTS_FILE, AdapterManifest
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError
from lsp_server.commands import app
from lsp_server.training.reload import chosen_adapter

LAYER = "model.layers.0.mlp.Wo"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 7\n"
Publish = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    file = tmp_path / "repository" / "program.py"
    file.write_text("def f(a):\n    return \n")
    return file


@pytest.fixture
def publish(program: Path, tiny_model_dir: Path) -> Publish:
    store, base = AdapterStore(home_of(program)), base_of(tiny_model_dir)
    generator = torch.Generator().manual_seed(3)
    tensors = {
        f"{LAYER}.lora_A": torch.randn(2, 96, generator=generator),
        f"{LAYER}.lora_B": 3 * torch.randn(64, 2, generator=generator),
    }

    def made(name: str, created: str = "2026-01-01", **more: str) -> Path:
        manifest = AdapterManifest(
            name, created, LORA, 2.0, base.weights_sha256, base.tokenizer_hash, ""
        )
        return store.publish(replace(manifest, **more), save(tensors))  # type: ignore[arg-type]

    return made


def run(command: str, program: Path, model: Path, *words: str) -> Result:
    place = {"infill": ("--at", "2:11", "--length", "4"), "bridge": ("--at", "2:0"),
             "fill": ("--hole", "2:11-2:11"), "score": (),
             "rewrite": ("--from", "2:4", "--to", "2:10")}[command]  # fmt: skip
    return CliRunner().invoke(
        app, [command, str(program), *place, "--model", str(model), "--json", *words]
    )


def test_infill_answers_with_the_adapter(
    program: Path, tiny_model_dir: Path, publish: Publish
) -> None:
    folder = publish("mine")
    answers = [
        json.loads(run("infill", program, tiny_model_dir, *words).stdout)["candidates"]
        for words in ((), ("--adapter", "mine"), ("--adapter", str(folder)))
    ]
    assert answers[1] == answers[2] != answers[0]


@pytest.mark.parametrize("command", ["infill", "fill", "bridge", "score", "rewrite"])
def test_an_adapter_that_cannot_be_used_is_named(
    program: Path, tiny_model_dir: Path, publish: Publish, command: str
) -> None:
    publish("other", base_sha256="f" * 64)
    for words, said in (
        ("other", "made for another base model"),
        ("none", "no adapter called none, fix: choose one of these: other"),
        (str(program.parent), "holds no adapter"),
        (str(program), "no folder of adapters"),
        ("../../x y", "no folder of adapters"),
    ):
        answer = run(command, program, tiny_model_dir, "--adapter", words)
        assert answer.exit_code == 2, answer.output
        assert all(part in answer.stderr for part in said.split(", fix: ")), answer.stderr
        assert json.loads(answer.stdout)["error"]


def test_of_a_shared_folder_the_newest_sound_one_that_fits(
    program: Path, tiny_model_dir: Path, publish: Publish
) -> None:
    base = base_of(tiny_model_dir)
    shared = publish("b", "2026-01-02").parent
    publish("c", "2026-01-01")
    publish("of-another-model", "2026-01-09", base_sha256="f" * 64)
    damaged = publish("a", "2026-01-08")
    (damaged / WEIGHTS_FILE).write_bytes(b"")
    altered = publish("e", "2026-01-07") / WEIGHTS_FILE
    altered.write_bytes(bytes(altered.stat().st_size))
    assert newest_in(shared, base).name == "b"
    assert chosen_adapter(str(shared), None, str(tiny_model_dir)).name == "b"
    publish("d", "2026-01-03")
    assert chosen_adapter(str(shared), None, str(tiny_model_dir)).name == "d"
    shared.chmod(0o555)
    try:
        assert asked_adapter(str(shared), tiny_model_dir, program) == shared / "d"
    finally:
        shared.chmod(0o755)


@pytest.mark.parametrize("name", [MANIFEST_FILE, WEIGHTS_FILE])
def test_what_git_lfs_has_not_fetched_is_told(
    program: Path, tiny_model_dir: Path, publish: Publish, name: str
) -> None:
    folder = publish("mine")
    (folder / name).write_bytes(POINTER)
    for path in (folder, folder.parent):
        with pytest.raises(AdapterError, match=r"pointer of Git LFS.*git lfs pull"):
            asked_adapter(str(path), tiny_model_dir, program)
        problem = chosen_adapter(str(path), None, str(tiny_model_dir)).problem
        assert problem is not None and "git lfs pull" in problem
