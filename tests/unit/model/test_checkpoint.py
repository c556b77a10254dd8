"""A model folder comes back as it was, and each way it can be broken has its own words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, ModernBertForMaskedLM

from diffusion.errors import CheckpointError, ModelError
from diffusion.model.architecture import build_model
from diffusion.model.checkpoint import load_checkpoint, save_checkpoint
from diffusion.model.folder import first_not_finite, verify
from diffusion.model.manifest import FileRecord, Manifest
from diffusion.model.quantize import for_cpu
from diffusion.pretrained import MODEL_DIR_VARIABLE, default_model_dir
from diffusion.text.tokenizer_training import MIN_VOCAB_SIZE, train_tokenizer
from tests.unit.model.conftest import FAMILIES, TINY, random_model

IDS_BL = torch.arange(24).view(2, 12)


def tiny_model() -> ModernBertForMaskedLM:
    torch.manual_seed(3)
    return build_model(TINY, MIN_VOCAB_SIZE).eval()


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    path.write_text(train_tokenizer([b"x = 1\n"], vocab_size=MIN_VOCAB_SIZE))
    return path


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, tokenizer_path: Path) -> Path:
    """A saved folder that tests copy before they break it."""
    home = tmp_path_factory.mktemp("models")
    lengths = home / "lengths.json"
    lengths.write_text("{}")
    save_checkpoint(
        home / "nano",
        tiny_model(),
        tokenizer_path,
        recipe=TINY,
        lengths_path=lengths,
        tokens_seen=12_345,
        training_data="abc",
        metrics={"loss": 2.5},
    )
    return home / "nano"


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "nano"))


def test_round_trip(folder: Path) -> None:
    loaded = load_checkpoint(folder)
    model = tiny_model()
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight.bfloat16().float()), name
    assert loaded.model.decoder.weight is loaded.model.model.embeddings.tok_embeddings.weight
    assert not loaded.model.training
    assert next(loaded.model.parameters()).dtype == torch.float32
    assert loaded.tokenizer_path == folder / "tokenizer.json"
    assert loaded.lengths_path == folder / "lengths.json"
    manifest = loaded.manifest
    assert manifest is not None
    assert (manifest.tokens_seen, manifest.training_data) == (12_345, "abc")
    assert manifest.metrics == {"loss": 2.5}
    assert manifest.recipe["width"] == TINY.width
    assert sorted(manifest.files) == [
        "config.json",
        "lengths.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_who_may_read_one_file_may_read_the_weights(folder: Path) -> None:
    modes = {path.name: path.stat().st_mode for path in folder.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


def test_stored_once_in_bf16(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert "decoder.weight" not in weights  # tied
    assert next(load_checkpoint(folder).model.parameters()).dtype == torch.float32


def test_stock_transformers_loads_it(folder: Path) -> None:
    stock = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32)
    assert type(stock) is ModernBertForMaskedLM
    with torch.no_grad():
        expected = load_checkpoint(folder).model(input_ids=IDS_BL).logits
        assert torch.equal(stock(input_ids=IDS_BL).logits, expected)


def test_saving_leaves_the_model_alone_and_needs_no_lengths(
    tmp_path: Path, tokenizer_path: Path
) -> None:
    model = tiny_model().train()
    save_checkpoint(tmp_path / "a" / "b", model, tokenizer_path)
    assert model.training
    assert next(model.parameters()).dtype == torch.float32
    assert load_checkpoint(tmp_path / "a" / "b").lengths_path is None
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_replaces_an_older_folder_whole(folder: Path, tokenizer_path: Path) -> None:
    (folder / "stray.txt").write_text("from before")
    model = tiny_model()
    with torch.no_grad():
        model.head.norm.weight.fill_(2.0)
    save_checkpoint(folder, model, tokenizer_path, tokens_seen=2)
    loaded = load_checkpoint(folder)
    assert loaded.manifest is not None
    assert loaded.manifest.tokens_seen == 2
    assert float(loaded.model.head.norm.weight.detach()[0]) == 2.0
    assert not (folder / "stray.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]


def test_a_failed_save_leaves_the_older_folder(folder: Path, tmp_path: Path) -> None:
    before = FileRecord.of(folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"lengths\.json"):
        save_checkpoint(
            folder,
            tiny_model(),
            folder / "tokenizer.json",
            lengths_path=tmp_path / "absent" / "lengths.json",
        )
    assert FileRecord.of(folder / "model.safetensors") == before
    verify(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["nano"]


def test_refuses_to_save_nan_int8_and_foreign_vocabularies(
    tmp_path: Path, tokenizer_path: Path
) -> None:
    broken = tiny_model()
    with torch.no_grad():
        broken.model.layers[1].mlp.Wo.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"layers\.1\.mlp\.Wo\.weight holds NaN"):
        save_checkpoint(tmp_path / "x", broken, tokenizer_path)
    with pytest.raises(CheckpointError, match="before for_cpu"):
        save_checkpoint(tmp_path / "x", for_cpu(tiny_model(), "int8"), tokenizer_path)
    with pytest.raises(CheckpointError, match=f"{MIN_VOCAB_SIZE} tokens, the model 512"):
        save_checkpoint(tmp_path / "x", build_model(TINY, 512), tokenizer_path)
    assert not list(tmp_path.iterdir())


def reseal(folder: Path) -> None:
    """Makes the manifest agree with the files, so that only the later checks can object."""
    manifest = Manifest.read(folder)
    assert manifest is not None
    for name in manifest.files:
        manifest.files[name] = FileRecord.of(folder / name)
    manifest.write(folder)


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def flip_one_bit(folder: Path) -> None:
    weights = folder / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-7] ^= 1
    weights.write_bytes(raw)


def other_tokenizer(folder: Path) -> None:
    edit_json(folder / "tokenizer.json", lambda raw: raw["model"].update(dropout=0.1))


def other_tokenizer_resealed(folder: Path) -> None:
    other_tokenizer(folder)
    reseal(folder)


def nan_resealed(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["head.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    reseal(folder)


def lacking_resealed(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["head.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    reseal(folder)


def truncated_resealed(folder: Path) -> None:
    truncate(folder)
    reseal(folder)


def wider_config_resealed(folder: Path) -> None:
    edit_json(folder / "config.json", lambda raw: raw.update(intermediate_size=128))
    reseal(folder)


def config_of_another_kind_resealed(folder: Path) -> None:
    edit_json(folder / "config.json", lambda raw: raw.update(layer_types="abc"))
    reseal(folder)


def vocabulary_of_another_size_resealed(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(train_tokenizer([b"x = 1\ny = 1\n" * 9], vocab_size=MIN_VOCAB_SIZE + 1))
    reseal(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tokenizer_hash"] = manifest["files"]["tokenizer.json"]["sha256"][:16]
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, r"nano does not exist.*DIFFILL_MODEL"),
        (lambda f: (f / "config.json").unlink(), r"config\.json is missing"),
        (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda f: (f / "lengths.json").unlink(), r"lengths\.json is missing"),
        (truncate, r"model\.safetensors is truncated: \d+ of \d+ bytes"),
        (flip_one_bit, r"model\.safetensors is not the file that was saved"),
        (lambda f: (f / "lengths.json").write_text("{ }"), r"lengths\.json is not the file"),
        (other_tokenizer, r"tokenizer\.json is not the vocabulary"),
        (other_tokenizer_resealed, r"tokenizer\.json is not the vocabulary"),
        (nan_resealed, r"model\.safetensors: weight head\.norm\.weight holds NaN"),
        (lacking_resealed, r"lacks 1 weights .*head\.dense\.weight"),
        (truncated_resealed, r"model\.safetensors is truncated or damaged"),
        (wider_config_resealed, r"nano cannot be loaded .*config\.json and model\.safetensors"),
        (vocabulary_of_another_size_resealed, r"289 tokens, the model 288"),
        (
            lambda f: (f / "manifest.json").write_text("{"),
            r"manifest\.json is not a model manifest",
        ),
        (
            lambda f: (f / "manifest.json").write_text("[" * 100_000),
            r"manifest\.json is not a model manifest .*nested too deeply",
        ),
        (
            lambda f: edit_json(
                f / "manifest.json", lambda raw: raw.update(format_version=float("inf"))
            ),
            r"manifest\.json is not a model manifest",
        ),
        (config_of_another_kind_resealed, r"nano cannot be loaded"),
        (
            lambda f: edit_json(f / "manifest.json", lambda raw: raw.pop("tokens_seen")),
            r"manifest\.json is not a model manifest \(KeyError: 'tokens_seen'\)",
        ),
        (
            lambda f: edit_json(f / "manifest.json", lambda raw: raw.update(format_version=99)),
            r"format 99.*update Diffill",
        ),
        (
            lambda f: edit_json(f / "manifest.json", lambda raw: raw["files"].pop("config.json")),
            r"manifest\.json lists no config\.json",
        ),
    ],
)
def test_damage_is_named(
    folder: Path, damage: Callable[[Path], object], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    load_checkpoint(folder)
    damage(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_checkpoint(folder)
    assert caught.value.fix


@pytest.mark.parametrize("family", FAMILIES)
def test_foreign_masked_lms_load(family: str, tmp_path: Path) -> None:
    model = random_model(family)
    model.save_pretrained(tmp_path)
    assert verify(tmp_path) is None
    loaded = load_checkpoint(tmp_path)
    assert loaded.manifest is None
    assert loaded.tokenizer_path is None
    with torch.no_grad():
        expected = model(input_ids=IDS_BL).logits
        assert torch.equal(loaded.model(input_ids=IDS_BL).logits, expected)


def test_broken_foreign_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_checkpoint(tmp_path)
    model = random_model("bert")
    model.config.save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(CheckpointError, match="reads safetensors only"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated or damaged"):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be loaded as a masked LM"):
        load_checkpoint(tmp_path)


def test_an_encoder_without_a_head_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random_model("bert").bert.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="saved as a masked LM"):
        load_checkpoint(tmp_path)


def test_nothing_is_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_checkpoint(folder)
    save_checkpoint(folder, tiny_model(), folder / "tokenizer.json")
    assert capfd.readouterr() == ("", "")  # stdout belongs to JSON-RPC


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(MODEL_DIR_VARIABLE, raising=False)
    assert default_model_dir().parts[-2:] == ("pretrained", "small")
    monkeypatch.setenv(MODEL_DIR_VARIABLE, str(tmp_path))
    assert default_model_dir() == tmp_path


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("at", [0, 70, 130])
def test_every_weight_that_is_no_number_is_found(dtype: torch.dtype, bad: float, at: int) -> None:
    weights = {
        "empty": torch.empty(0, 4),
        "counts": torch.ones(3, dtype=torch.long),
        "good": torch.linspace(-3, 3, 131).to(dtype),
    }
    assert first_not_finite(weights) is None
    weights["good"][at] = bad
    assert first_not_finite(weights) == "good"
