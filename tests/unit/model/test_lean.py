"""The encoder without transformers computes what transformers computes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import CheckpointError, ConfigError, ModelError, PositionError
from diffusion.model.checkpoint import save_checkpoint
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.model.kept_slots import KeptSlots
from diffusion.model.lean import LeanEncoder, LeanShape
from diffusion.model.lean_denoiser import LeanDenoiser, read_config, read_weights
from diffusion.model.manifest import WEIGHTS_FILE
from diffusion.model.quantize import for_cpu
from diffusion.model.served import load_served
from diffusion.pretrained import bundled_model_dir, bundled_tokenizer_path
from tests.unit.model.conftest import FAMILIES, START, Case, random_model

MODES = ("fp32", "bf16", "int8")


def lean_of(model: PreTrainedModel, mode: str = "fp32") -> LeanDenoiser:
    found = LeanDenoiser.of(model.config.to_dict(), model.state_dict(), mode)
    assert found is not None
    return found


def logits(denoiser: LeanDenoiser | MaskedLMDenoiser, case: Case) -> torch.Tensor:
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    return denoiser.bind(cache, START)(case.ids_BN, case.lengths_B, case.valid_BN)


def test_in_float32_the_logits_are_those_of_transformers(case: Case) -> None:
    model = random_model("modernbert")
    expected = logits(MaskedLMDenoiser(model), case)
    assert expected.abs().max() > 1
    torch.testing.assert_close(logits(lean_of(model), case), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", ["bf16", "int8"])
def test_rounded_it_is_as_near_to_float32_as_transformers_is(mode: str, case: Case) -> None:
    expected = logits(MaskedLMDenoiser(random_model("modernbert", gain=1.0)), case)
    theirs = MaskedLMDenoiser(for_cpu(random_model("modernbert", gain=1.0), mode))  # type: ignore[arg-type]
    ours = lean_of(random_model("modernbert", gain=1.0), mode)
    error = (logits(ours, case) - expected).square().mean()
    assert error < 2.0 * (logits(theirs, case) - expected).square().mean()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_wanted_changes_no_logit(mode: str, case: Case) -> None:
    """The last layer runs for the wanted tokens alone."""
    denoiser = lean_of(random_model("modernbert", gain=1.0), mode)
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    step = denoiser.bind(cache, START)
    all_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    every_third_BN = case.valid_BN & (torch.arange(case.ids_BN.shape[1]) % 3 == 1)
    assert 0 < every_third_BN.sum() < case.valid_BN.sum()
    some_MV = step(case.ids_BN, case.lengths_B, every_third_BN)
    tolerance = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.1}[mode]
    expected_MV = all_MV[every_third_BN[case.valid_BN]]
    torch.testing.assert_close(some_MV, expected_MV, atol=tolerance, rtol=0.0)


@pytest.mark.parametrize("mode", MODES)
def test_a_canvas_does_not_depend_on_its_company(mode: str, case: Case) -> None:
    denoiser = lean_of(random_model("modernbert", gain=1.0), mode)
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    step = denoiser.bind(cache, START)
    together = step(case.ids_BN, case.lengths_B, case.valid_BN)
    rows = [
        step(case.ids_BN[b : b + 1], case.lengths_B[b : b + 1], case.valid_BN[b : b + 1])
        for b in range(len(case.ids_BN))
    ]
    tolerance = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.1}[mode]
    torch.testing.assert_close(torch.cat(rows), together, atol=tolerance, rtol=0.0)


def test_a_cache_in_half_precision_takes_half_the_memory(case: Case) -> None:
    sizes = {
        mode: lean_of(random_model("modernbert"), mode)
        .encode_context(case.context_ids_1C, case.context_positions_1C)
        .bytes
        for mode in MODES
    }
    assert sizes["fp32"] == 2 * sizes["bf16"] == 2 * sizes["int8"]


@pytest.mark.parametrize("attention", [torch.float32, torch.bfloat16])
def test_steps_on_a_rounded_cache_are_those_of_the_cache_as_it_is_read(
    attention: torch.dtype, case: Case
) -> None:
    denoiser = lean_of(random_model("modernbert", gain=1.0), "int8")
    denoiser.encoder.attention_dtype = denoiser.read_dtype = attention
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    before = [layer.key_1HCD.clone() for layer in cache.layers]
    bound = denoiser.bind(cache, START)
    assert bound.cache.layers[0].value_1HCD.dtype == attention
    assert (bound.cache is cache) == (attention == torch.bfloat16)
    read_once_MV = bound(case.ids_BN, case.lengths_B, case.valid_BN)
    each_step_MV = denoiser.step(cache, START, case.ids_BN, case.lengths_B, case.valid_BN)
    kept_MV = KeptSlots(denoiser, cache, START)(case.ids_BN, case.lengths_B, case.valid_BN)
    torch.testing.assert_close(each_step_MV, read_once_MV, atol=0.02, rtol=0.0)
    torch.testing.assert_close(kept_MV, read_once_MV, atol=0.02, rtol=0.0)
    assert all(
        torch.equal(old, layer.key_1HCD) for old, layer in zip(before, cache.layers, strict=True)
    )


def test_the_embedding_stays_as_it_came_and_holds_no_file(case: Case) -> None:
    """Its rows are looked up, so a finer copy would say the same in twice the memory."""
    name = "model.embeddings.tok_embeddings.weight"
    model = random_model("modernbert").to(torch.bfloat16)
    half = {key: weight.clone() for key, weight in model.state_dict().items()}
    encoder = LeanDenoiser.of(model.config.to_dict(), half, "int8").encoder
    assert encoder._embedding_VD.dtype == torch.bfloat16
    assert encoder._embedding_VD.data_ptr() != half[name].data_ptr()
    fine = {key: weight.float() for key, weight in half.items()}
    for mode in MODES:
        one = LeanDenoiser.of(model.config.to_dict(), half, mode)
        other = LeanDenoiser.of(model.config.to_dict(), fine, mode)
        assert torch.equal(logits(one, case), logits(other, case))


def test_the_weights_given_are_left_as_they_are(case: Case) -> None:
    model = random_model("modernbert")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    for mode in MODES:
        logits(lean_of(model, mode), case)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_encoding_can_be_cancelled(case: Case) -> None:
    token = CancelToken()
    token.cancel("typed on")
    with pytest.raises(Cancelled):
        lean_of(random_model("modernbert")).encode_context(
            case.context_ids_1C, case.context_positions_1C, token
        )


def test_positions_end_where_the_table_ends(case: Case) -> None:
    with pytest.raises(PositionError, match="position 99999 is needed"):
        lean_of(random_model("modernbert")).encode_context(
            case.context_ids_1C, torch.full_like(case.context_positions_1C, 99_999)
        )


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "modernbert"])
def test_other_families_are_left_to_transformers(family: str) -> None:
    model = random_model(family)
    assert LeanDenoiser.of(model.config.to_dict(), model.state_dict()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"layer_types": ["full_attention", "sliding_attention", "full_attention"]},
        {"mlp_bias": True},
        {"hidden_activation": "silu"},
        {"tie_word_embeddings": False},
        {"rope_parameters": {"full_attention": {"rope_type": "yarn", "rope_theta": 1e4}}},
    ],
)
def test_other_modernberts_are_left_to_transformers(change: dict[str, object]) -> None:
    config = random_model("modernbert").config.to_dict()
    assert LeanShape.of(config) is not None
    assert LeanShape.of({**config, **change}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", None), ("hidden_size", "abc"), ("vocab_size", 1.5), ("norm_eps", "abc"),
        ("num_attention_heads", 7), ("num_attention_heads", 0), ("max_position_embeddings", -1),
        ("num_hidden_layers", 0), ("num_hidden_layers", 10**400), ("layer_types", []),
        ("rope_theta", 0), ("rope_theta", None),
    ],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_named(
    name: str, value: object, tmp_path: Path, tiny_model_dir: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model_dir, tmp_path / "tiny"))
    (folder / "manifest.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    where = config["rope_parameters"]["full_attention"] if name == "rope_theta" else config
    where[name] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=rf"config\.json: {name} "):
        load_served(folder)


@pytest.mark.parametrize("name", ["rope_parameters", "layer_types"])
def test_a_config_of_another_kind_is_left_to_transformers(name: str) -> None:
    assert LeanShape.of({**random_model("modernbert").config.to_dict(), name: "abc"}) is None


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.attn.Wqkv.weight", "model.layers.1.attn.Wo.weight", "head.dense.weight",
        "model.layers.1.mlp.Wi.weight", "model.layers.1.mlp.Wo.weight",
        "model.embeddings.tok_embeddings.weight",
    ],
)  # fmt: skip
def test_a_weight_of_another_shape_is_named(name: str) -> None:
    model = random_model("modernbert")
    weights = model.state_dict()
    weights[name] = weights[name][:, :-2]
    shape = LeanShape.of(model.config.to_dict())
    assert shape is not None
    with pytest.raises(ModelError, match=rf"{name} has shape .*the config says"):
        LeanEncoder(weights, shape, "fp32")


def test_what_does_not_fit_is_named() -> None:
    model = random_model("modernbert")
    shape = LeanShape.of(model.config.to_dict())
    assert shape is not None
    weights = model.state_dict()
    missing = {n: w for n, w in weights.items() if n != "model.layers.1.mlp.Wo.weight"}
    with pytest.raises(ModelError, match=r"layers\.1\.mlp\.Wo\.weight is missing"):
        LeanEncoder(missing, shape, "fp32")
    short = {**weights, "model.final_norm.weight": torch.ones(3)}
    with pytest.raises(ModelError, match="final_norm"):
        LeanEncoder(short, shape, "fp32")
    deeper = {**weights, f"model.layers.{shape.layers}.attn.Wo.weight": torch.ones(3)}
    with pytest.raises(ModelError, match=r"more layers than the \d of config\.json"):
        LeanEncoder(deeper, shape, "fp32")
    with pytest.raises(ConfigError, match="'int4'"):
        lean_of(model, "int4")


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        read_config(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        read_weights(tmp_path)


def test_a_saved_model_is_served_the_lean_way(tmp_path: Path, case: Case) -> None:
    from diffusion.model.architecture import ModelRecipe, build_model

    torch.manual_seed(3)
    model = build_model(ModelRecipe("tiny", width=64, layers=2, inner=48), 16_384).eval()
    save_checkpoint(tmp_path / "m", model, bundled_tokenizer_path())
    served = load_served(tmp_path / "m", "fp32")
    assert isinstance(served.denoiser, LeanDenoiser)
    in_bf16 = model.to(torch.bfloat16).float()
    expected = logits(MaskedLMDenoiser(in_bf16), case)
    torch.testing.assert_close(logits(served.denoiser, case), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.model
def test_the_bundled_model_is_served_without_transformers() -> None:
    program = (
        "import sys; from diffusion.infill import Infiller, InfillRequest; "
        "found = Infiller.load(threads=1).infill(InfillRequest('x = 1\\ny = \\n', 10, 'python')); "
        "assert found.candidates; heavy = {'transformers', 'torch._dynamo', 'sympy', 'scipy'}; "
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    assert bundled_model_dir().is_dir()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
