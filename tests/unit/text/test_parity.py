"""The most important test of the project: training and serving lay out a hole alike.

For a hole drawn by the training sampler, the training example and a request at the same place in
the document without the hole's text must give the same context, the same pins, and slots that the
request's canvas can hold.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from diffusion.data.examples import ExampleConfig, build_example
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import lay_out, place
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.languages import language_for_path
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, Tokenizer

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
FILES = sorted(p for p in (ROOT / "examples").iterdir() if p.suffix != ".json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_training_hole_is_what_serving_would_ask_for(path: Path, line_end: bytes) -> None:
    data = path.read_bytes().replace(b"\n", line_end)
    language = language_for_path(path)
    tree = SyntaxTree.parse(data, language)
    one_hole = ExampleConfig(mix=HoleMix(max_holes=1), plain_mlm=0.0, end_of_file=0.0)
    checked = 0
    for seed in range(40):
        window = (0, len(data))
        holes = sample_holes(
            tree, data, window, _after_the_first_draws(seed), one_hole.mix, _target(seed, data)
        )
        example = build_example(
            TOKENIZER, tree, data, window, language, random.Random(seed), one_hole
        )
        if not example.canvases:
            continue
        (hole,) = holes
        (canvas,) = example.canvases

        document = data[: hole.start] + data[hole.end :]
        placement = place(TOKENIZER, document, hole.start, hole.start)
        context = lay_out(TOKENIZER, document, (0, len(document)), [placement], language)

        trained = slice(0, canvas.start)
        assert example.ids[trained] == context.ids
        assert example.positions[trained] == context.positions
        assert example.positions[canvas.start] == context.hole_positions[0]
        assert example.ids[canvas.start : canvas.slots] == placement.pins
        slots = [i for i in example.ids[canvas.slots : canvas.end] if i != DEL]
        spelled = TOKENIZER.decode(slots)
        assert spelled == placement.constraint + data[hole.start : hole.end]
        assert set(example.segments[canvas.start :]) == {1}
        checked += 1
    assert checked >= 20


def _after_the_first_draws(seed: int) -> random.Random:
    """The state in which `build_example` calls `sample_holes`: after two draws of its own."""
    rng = random.Random(seed)
    rng.random()
    rng.random()
    return rng


def _target(seed: int, data: bytes) -> int:
    rng = random.Random(seed)
    rng.random()
    config = ExampleConfig()
    return int(len(data) * rng.uniform(config.hole_share_low, config.hole_share_high))
