"""The whole path learns: train a tiny model on one program, then fill that program's holes.

Data, noise, loss, cache, sampler and facade all have to agree for this to come out right; a
mistake in any of them leaves the model unable to repeat what it has seen hundreds of times.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.data.batches import BatchConfig
from diffusion.data.examples import ExampleConfig
from diffusion.data.shards import write_shard
from diffusion.infill import Infiller, InfillRequest
from diffusion.model import architecture
from diffusion.model.architecture import ModelRecipe
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.hole_length import LengthTable
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.pretrain import pretrain
from diffusion.train.sampled_match import SampledMatch

PROGRAM = b"""class Counter:
    def __init__(self, start, step):
        self.value = start
        self.step = step

    def advance(self):
        self.value = self.value + self.step
        return self.value

    def reset(self, start):
        self.value = start
        return self.value
"""


@pytest.mark.slow
def test_a_tiny_model_learns_one_program_by_heart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    monkeypatch.setitem(
        architecture.RECIPES, "tiny", ModelRecipe("tiny", width=128, layers=2, inner=128)
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for split in ("train", "validation"):
        write_shard(corpus / f"{split}-python-000.bin", [tokenizer.encode(PROGRAM)])
    config = PretrainConfig(
        recipe="tiny",
        batch=BatchConfig(rows=4, row_tokens=160, example=ExampleConfig(plain_mlm=0.1)),
        optimiser=OptimiserConfig(warmup_steps=20, decay_share=0.3),
        mixed_precision="no",
        workers=0,
        validation_rows=8,
    )
    model = pretrain(corpus, tmp_path / "run", tokenizer, config, Budget(tokens=260_000))

    assert SampledMatch(corpus, tokenizer, count=24)(model) >= 0.6

    infiller = Infiller(MaskedLMDenoiser(model), tokenizer, LengthTable())
    start = PROGRAM.index(b"self.value + self.step")
    holed = PROGRAM.replace(b"self.value + self.step", b"")
    result = infiller.infill(InfillRequest(holed, start, "python", length=8))
    # A canvas does not tell where the text ends: so small a model may add the next indentation.
    assert result.candidates[0].text.rstrip() == "self.value + self.step"
    assert result.candidates[0].parses
