"""The twin's examples: nothing of the document is lost, and its hole is the diffusion model's."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.data.batches import collate
from diffusion.data.examples import Example
from diffusion.data.fim import END, MIDDLE, ORDERS, PREFIX, SPM, SUFFIX, FimConfig, prompt
from diffusion.model.partition import partition_mask
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import place
from diffusion.text.languages import language_for_path
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import BOF, EOF, SPECIAL_NAMES, Tokenizer

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
FILES = sorted(p for p in (ROOT / "examples").iterdir() if p.suffix != ".json")
ALWAYS = FimConfig(plain_mlm=0.0, end_of_file=0.0)


def built(path: Path, config: FimConfig, seed: int) -> tuple[Example, bytes]:
    data = path.read_bytes()
    language = language_for_path(path)
    tree = SyntaxTree.parse(data, language)
    window = (0, len(data))
    return config.build(TOKENIZER, tree, data, window, language, random.Random(seed)), data


def parts(ids: tuple[int, ...]) -> tuple[bytes, bytes, bytes]:
    """Before, middle (with what is typed of the line) and after, read from either order."""
    at = {name: ids.index(name) for name in (PREFIX, SUFFIX, MIDDLE, END)}
    if at[SUFFIX] == at[PREFIX] + 1:
        after, written = ids[at[SUFFIX] : at[MIDDLE]], ids[at[MIDDLE] : at[END]]
        return b"", TOKENIZER.decode(written), TOKENIZER.decode(after)
    before = TOKENIZER.decode(ids[at[PREFIX] : at[SUFFIX]])
    return (
        before,
        TOKENIZER.decode(ids[at[MIDDLE] : at[END]]),
        TOKENIZER.decode(ids[at[SUFFIX] : at[MIDDLE]]),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_document_can_be_put_together_again(path: Path) -> None:
    orders = set()
    for seed in range(20):
        example, data = built(path, ALWAYS, seed)
        if not example.canvases:
            continue
        before, middle, after = parts(example.ids)
        assert before + middle + after == data
        orders.add(example.ids.index(SUFFIX) - example.ids.index(PREFIX) == 1)
        assert example.ids[-1] == END
        assert EOF in example.ids and example.ids[1] == BOF
    assert orders == {True, False}


def test_the_sentinels_are_reserved() -> None:
    assert all("reserved" in SPECIAL_NAMES[name] for name in (PREFIX, SUFFIX, MIDDLE, END))


@pytest.mark.parametrize("order", ORDERS)
def test_a_training_prompt_is_what_decoding_asks_with(order: str) -> None:
    config = replace(ALWAYS, spm=float(order == SPM))
    checked = 0
    for seed in range(20):
        example, data = built(FILES[0], config, seed)
        if not example.canvases:
            continue
        before, middle, after = parts(example.ids)
        (canvas,) = example.canvases
        text = TOKENIZER.decode(example.ids[canvas.slots : canvas.end])
        end = len(data) - len(after)
        # Where the hole starts is known from the constraint: what is typed of the last pretoken.
        for typed in range(len(text)):
            document = data[: end - len(text) + typed] + data[end:]
            cursor = end - len(text) + typed
            placement = place(TOKENIZER, document, cursor, cursor)
            if placement.constraint != text[:typed]:
                continue
            window = (0, len(document))
            language = language_for_path(FILES[0])
            asked = prompt(TOKENIZER, document, window, placement, language, order)
            if asked == example.ids[: canvas.slots]:
                checked += 1
                break
        else:
            pytest.fail(f"no cursor gives the prompt of seed {seed}: {before!r} {middle!r}")
    assert checked > 10


def test_every_token_is_a_target_but_the_sentinels_and_validation_takes_the_middle() -> None:
    rng = random.Random(0)
    for seed in range(10):
        example, _ = built(FILES[0], replace(ALWAYS, spm=0.0), seed)
        targets = ALWAYS.targets(example, rng, causal=True, t=None)
        assert targets.true_ids.count(END) == 1
        assert len(targets.targets) == len(example.ids) - 1 - 3
        middle = ALWAYS.targets(example, rng, causal=True, t=1.0)
        (canvas,) = example.canvases
        assert middle.true_ids == example.ids[canvas.slots : canvas.end]
        assert middle.true_ids[-1] == END
        assert middle.targets[0] == example.ids.index(MIDDLE)


def test_a_window_without_a_hole_is_plain_text() -> None:
    example, data = built(FILES[0], FimConfig(plain_mlm=1.0), 0)
    assert example.canvases == () and TOKENIZER.decode(example.ids) == data
    targets = ALWAYS.targets(example, random.Random(0), causal=True, t=None)
    assert targets.true_ids == example.ids[1:]


def test_the_end_of_the_file_may_be_missing() -> None:
    ends = set()
    for seed in range(20):
        example, data = built(FILES[0], replace(ALWAYS, end_of_file=1.0, spm=0.0), seed)
        before, middle, after = parts(example.ids)
        assert data.startswith(before + middle)
        ends.add(after)
    assert ends == {b"", b"\n"}


def test_packed_examples_see_what_was_read_before_them_and_no_other_document() -> None:
    rng = random.Random(0)
    row = [built(FILES[0], replace(ALWAYS, spm=spm), 1)[0] for spm in (0.0, 1.0)]
    first = len(row[0].ids)
    noised = [(e, ALWAYS.targets(e, rng, causal=True, t=None)) for e in row]
    length = first + len(row[1].ids) + 5
    languages = [row[0].language]
    batch = collate([noised], length, languages, causal=True)
    mask = partition_mask(batch.segments_BL, causal=batch.causal)[0, 0]
    assert mask[:first, :first].sum() == first * (first + 1) // 2
    assert not mask[first : first + len(row[1].ids), :first].any()
