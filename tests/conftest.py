"""What every test shares: versions in the header, hypothesis profiles, threads, the model.

Tiers: no marker (each under half a second, run on every save), `slow`, `editor`, `gpu`, and
`model` for what needs the bundled weights. A test that cannot run says why when it skips.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from diffusion.infill import Infiller

ROOT = Path(__file__).resolve().parents[1]
_SHOWN = ("torch", "transformers", "tokenizers", "tree-sitter", "pygls", "lsprotocol")

# No network, whatever a library would like to look up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# What is compared with the processor runs there; the tests of a GPU name it.
os.environ.setdefault("DIFFILL_DEVICE", "cpu")

# A script's background job ignores Ctrl-C, and so would the processes that tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_report_header() -> list[str]:
    """The versions a failure may depend on."""
    found = []
    for name in _SHOWN:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} missing")
    return ["diffill: " + ", ".join(found)]


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> Iterator[None]:
    """Two torch threads, so that timings and machines agree; torch is not loaded for it."""
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(2)
    yield


@pytest.fixture(scope="session")
def bundled_model_dir() -> Path:
    """The folder of the bundled model; skips where its weights are absent."""
    folder = ROOT / "diffusion" / "pretrained"
    weights = sorted(folder.glob("**/model.safetensors"))
    if not weights:
        pytest.skip("no bundled weights in diffusion/pretrained")
    if weights[0].stat().st_size < 1024:
        pytest.skip(f"{weights[0].relative_to(ROOT)} is a placeholder, not weights")
    return weights[0].parent


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder like the bundled one, with two thin layers of random weights."""
    import torch

    from diffusion.model.architecture import ModelRecipe, build_model
    from diffusion.model.checkpoint import save_checkpoint
    from diffusion.pretrained import bundled_tokenizer_path
    from diffusion.text.tokenizer import VOCAB_SIZE

    recipe = ModelRecipe("tiny", width=64, layers=2, inner=96)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model = build_model(recipe, VOCAB_SIZE)
    save_checkpoint(folder, model, bundled_tokenizer_path(), recipe=recipe)
    return folder


@pytest.fixture(scope="session")
def bundled_infiller(bundled_model_dir: Path) -> Infiller:
    """The bundled model, loaded once for all tests."""
    from diffusion.infill import Infiller

    return Infiller.load(bundled_model_dir, threads=2)
