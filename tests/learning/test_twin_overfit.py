"""The twin learns, too: FIM examples, causal mask, decoder and filler agree with each other.

Were the layout of training another than that of decoding, a model that knows its program by heart
could not put back what was cut out of it; a comparison with such a twin would mean nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.data.batches import BatchConfig
from diffusion.data.fim import ORDERS
from diffusion.data.shards import write_shard
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.evaluate.twin_filler import TwinFiller
from diffusion.model import architecture
from diffusion.model.architecture import ModelRecipe
from diffusion.model.decoder import CausalDecoder
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.pretrain import pretrain
from diffusion.train.twin import TwinMatch, twin_config
from tests.learning.test_overfit import PROGRAM


@pytest.mark.slow
def test_a_tiny_twin_learns_one_program_by_heart(
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
        batch=BatchConfig(rows=4, row_tokens=160),
        optimiser=OptimiserConfig(matrix_lr=0.02, other_lr=3e-3, warmup_steps=20, decay_share=0.3),
        mixed_precision="no",
        workers=0,
        validation_rows=8,
    )
    model = pretrain(
        corpus, tmp_path / "run", tokenizer, twin_config(config), Budget(tokens=320_000)
    )

    assert TwinMatch(corpus, tokenizer, count=24)(model) >= 0.6

    prefix, middle, suffix = PROGRAM.decode().partition("self.value + self.step")
    cases = [
        Case("whole", "python", prefix, middle, suffix),
        Case("half a word", "python", prefix + "self.va", middle[len("self.va") :], suffix),
        Case("rest of a line", "python", *PROGRAM.decode().partition(" self.step\n")),
    ]
    for order in ORDERS:
        filler = TwinFiller(CausalDecoder(model), tokenizer, order=order)
        rows = {
            length: [evaluate_case(filler, case, length) for case in cases]
            for length in ("predicted", "oracle")
        }
        assert sum(row["exact_match"] for row in rows["oracle"]) >= 2, rows["oracle"]
        assert any(row["exact_match"] for row in rows["predicted"]), rows["predicted"]
