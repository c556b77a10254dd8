"""Rows are numbered over all processes, so nothing but the number decides what is in a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median

import pytest
import torch

from diffusion.data.batches import (
    Batch,
    BatchConfig,
    BatchStream,
    Share,
    build_row,
    build_rows,
    drawn_weights,
    window_tokens,
)
from diffusion.data.document_source import DocumentSource
from diffusion.data.examples import ExampleConfig, canvas_size
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import ConfigError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import GAP
from diffusion.text.hole_sampling import HoleMix
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, EOF, MASK, Tokenizer
from diffusion.train.stages import plan
from tests.unit.train.corpora import write_corpus

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
ROOT = Path(__file__).resolve().parents[3]
CONFIG = BatchConfig(rows=4, row_tokens=128)
TWINS = ExampleConfig(plain_mlm=0.0, complementary=True)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return ShardSet.open(write_corpus(tmp_path_factory.mktemp("corpus"), TOKENIZER), "train")


@pytest.fixture(scope="module")
def source(shards: ShardSet) -> DocumentSource:
    return DocumentSource(shards, TOKENIZER, {})


def same(one: Batch, other: Batch) -> bool:
    names = ("ids_BL", "positions_BL", "segments_BL", "target_index_M", "targets_M", "weights_M")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def first(shards: ShardSet, config: BatchConfig, share: Share, step: int = 0) -> tuple[Batch, ...]:
    return next(iter(BatchStream(shards, TOKENIZER, config, first=step, share=share)))


def test_two_processes_share_the_batch_of_one(shards: ShardSet) -> None:
    (whole,) = first(shards, CONFIG, Share(), step=3)
    (low,) = first(shards, CONFIG, Share(0, 2), step=3)
    (high,) = first(shards, CONFIG, Share(1, 2), step=3)
    assert torch.equal(whole.ids_BL, torch.cat([low.ids_BL, high.ids_BL]))
    assert torch.equal(whole.targets_M, torch.cat([low.targets_M, high.targets_M]))


def test_passes_cut_the_batch_and_change_nothing(shards: ShardSet) -> None:
    (whole,) = first(shards, CONFIG, Share())
    parts = first(shards, CONFIG, Share(rows_per_pass=1))
    assert len(parts) == 4
    assert torch.equal(whole.ids_BL, torch.cat([part.ids_BL for part in parts]))


def test_a_batch_that_cannot_be_shared_says_what_would(shards: ShardSet) -> None:
    with pytest.raises(ConfigError, match="a multiple of 6"):
        BatchStream(shards, TOKENIZER, CONFIG, share=Share(0, 3, 2))


def test_a_language_is_drawn_more_often_where_asked(shards: ShardSet) -> None:
    [once, *others] = [
        drawn_weights(shards, {})[name] / int(shards[name].lengths().sum())
        for name in shards.languages
    ]
    assert once == 1.0 and set(others) <= {1.0}
    name = shards.languages[0]
    assert drawn_weights(shards, {name: 3.0})[name] == 3.0 * drawn_weights(shards, {})[name]
    plain, heavy = (
        first(shards, replace(CONFIG, rows=64, language_weights=weights), Share())[0]
        for weights in ({}, {name: 50.0})
    )
    index = BatchStream(shards, TOKENIZER, CONFIG).languages.index(name)
    assert (heavy.group_M == index).float().mean() > (plain.group_M == index).float().mean()
    with pytest.raises(ConfigError, match=r"the corpus has no cobol.*; give weights to some of"):
        BatchStream(shards, TOKENIZER, replace(CONFIG, language_weights={"cobol": 2.0}))


def test_another_seed_and_the_next_batch_are_other_rows(source: DocumentSource) -> None:
    one = build_rows(source, TOKENIZER, range(4), CONFIG)
    assert same(one, build_rows(source, TOKENIZER, range(4), CONFIG))
    assert not torch.equal(
        one.ids_BL, build_rows(source, TOKENIZER, range(4), replace(CONFIG, seed=1)).ids_BL
    )
    assert not torch.equal(one.ids_BL, build_rows(source, TOKENIZER, range(4, 8), CONFIG).ids_BL)


def test_neighbours_may_share_an_example_but_not_its_noise(source: DocumentSource) -> None:
    batch = build_rows(source, TOKENIZER, range(4), replace(CONFIG, noisings=2))
    assert torch.equal(batch.positions_BL[0], batch.positions_BL[1])
    assert torch.equal(batch.segments_BL[0], batch.segments_BL[1])
    assert not torch.equal(batch.ids_BL[0], batch.ids_BL[1])
    assert not torch.equal(batch.positions_BL[1], batch.positions_BL[2])


def test_twins_together_learn_every_slot_once(source: DocumentSource) -> None:
    config = replace(CONFIG, rows=8, row_tokens=256, example=TWINS)
    batch = build_rows(source, TOKENIZER, range(8), config)
    ids_N, positions_N = batch.ids_BL.flatten(), batch.positions_BL.flatten()
    targets = dict(zip(batch.target_index_M.tolist(), batch.targets_M.tolist(), strict=True))
    seen: dict[tuple[int, int, int], list[int]] = {}
    for r, row in enumerate(batch.segments_BL.tolist()):
        for i, segment in enumerate(row):
            if segment > 0 and segment % 32:
                place = r * 256 + i
                seen.setdefault((r, segment // 32, int(positions_N[place])), []).append(place)
    assert seen and all(len(places) == 2 for places in seen.values())
    both = [p for p in seen.values() if all(ids_N[i] == MASK for i in p)]
    once = [p for p in seen.values() if sum(bool(ids_N[i] == MASK) for i in p) == 1]
    assert len(once) > 2 * len([p for p in both if targets.get(p[0], DEL) != DEL])


def test_twins_need_segments() -> None:
    with pytest.raises(ConfigError, match="at most 15 holes"):
        ExampleConfig(complementary=True, mix=HoleMix(max_holes=16))


def test_free_sizes_do_not_tell_how_long_a_text_is() -> None:
    config = ExampleConfig(exact_length=0.0, free_sizes=(8, 16, 32))
    rng = Random(1)
    for needed in (1, 4, 7):
        drawn = Counter(canvas_size(needed, 120, rng, config) for _ in range(3000))
        assert set(drawn) == {8, 16, 32}
        assert all(900 < count < 1100 for count in drawn.values()), (needed, drawn)


def test_what_no_free_size_holds_gets_the_next_sizes_and_room_is_kept() -> None:
    config = ExampleConfig(exact_length=0.0, free_sizes=(8, 16, 32))
    rng = Random(1)
    assert {canvas_size(8, 120, rng, config) for _ in range(99)} == {16, 32}
    assert {canvas_size(40, 120, rng, config) for _ in range(99)} == {48, 64, 96}
    assert {canvas_size(7, 12, rng, config) for _ in range(99)} == {8}
    assert {canvas_size(7, 7, rng, config) for _ in range(99)} == {7}


def test_some_canvases_stay_as_long_as_their_text_beside_free_ones() -> None:
    config = ExampleConfig(exact_length=0.25, free_sizes=(8, 16, 32))
    rng = Random(1)
    drawn = Counter(canvas_size(5, 120, rng, config) for _ in range(4000))
    assert 900 < drawn[5] < 1100 and set(drawn) == {5, 8, 16, 32}


def test_long_canvases_leave_room_in_their_rows(source: DocumentSource) -> None:
    """Windows are cut shorter for them; what does not fit a row would be lost."""
    free = ExampleConfig(plain_mlm=0.0, free_sizes=(16, 32, 48))
    assert window_tokens(512, free) < window_tokens(512, replace(free, free_sizes=())) - 60
    batch = build_rows(source, TOKENIZER, range(8), replace(CONFIG, row_tokens=512, example=free))
    assert batch.tokens > 0.7 * batch.ids_BL.numel()
    assert int((batch.ids_BL == DEL).sum() + (batch.ids_BL == MASK).sum()) > batch.tokens / 8


@pytest.fixture(scope="module")
def long_source(tmp_path_factory: pytest.TempPathFactory) -> DocumentSource:
    """Of documents that are longer than any window: modules of this repository."""
    folder = tmp_path_factory.mktemp("long")
    parts = sorted((ROOT / "diffusion" / "text").glob("[a-l]*.py"))
    text = b"".join(path.read_bytes() for path in parts)
    write_shard(folder / "train-python-000.bin", [TOKENIZER.encode(text[:48_000])])
    return DocumentSource(ShardSet.open(folder, "train"), TOKENIZER, {})


def test_the_last_stage_has_contexts_as_long_as_serving_asks_for(
    long_source: DocumentSource,
) -> None:
    config = plan("full", 1024)[-1].batch(BatchConfig(row_tokens=1024))
    assert config.selective and config.example.complementary
    rows = [build_row(long_source, TOKENIZER, Random(row), config) for row in range(24)]
    contexts = [
        example.segments.count(0) for row in rows for example in row for _ in example.canvases
    ]
    assert median(contexts) > 400
    assert len(contexts) > 24 * 2 * 5  # canvases, twins included
    assert sum(len(example.ids) for row in rows for example in row) > 0.93 * 24 * 1024


def test_holes_that_do_not_fit_are_context_whichever_they_are() -> None:
    data = (ROOT / "diffusion" / "text" / "canvas.py").read_bytes()
    window = (0, data.index(b"@dataclass(frozen=True, slots=True)\nclass Context"))
    tree = SyntaxTree.parse(data, "python")
    config = replace(plan("full", 1024)[-1].example, plain_mlm=0.0)
    halves, kept, left = Counter[bool](), 0, 0
    for seed in range(60):
        whole, fitting = (
            config.build(TOKENIZER, tree, data, window, "python", Random(seed), room)
            for room in (None, 800)
        )
        assert len(fitting.ids) <= 800 < len(whole.ids)
        canvases = [
            [e.ids[c.start : c.end] for c in e.canvases if c.twin is None] for e in (whole, fitting)
        ]
        found = [canvases[0].index(canvas) for canvas in canvases[1]]
        assert found == sorted(found) and 0 < len(found) < len(canvases[0])
        half = len(canvases[0]) / 2
        halves.update(place >= half for place in found)
        kept, left = kept + len(found), left + len(canvases[0]) - len(found)
    assert kept > 120 and left > 60
    assert halves[True] / kept == pytest.approx(0.5, abs=0.1)


def test_small_rests_of_rows_are_text_without_holes(source: DocumentSource) -> None:
    """Holes in a few lines from the middle of a file are nothing that serving asks for."""
    config = replace(CONFIG, row_tokens=1024, example=ExampleConfig(plain_mlm=0.0))
    small = large = 0
    for number in range(40):
        room = 1024
        for example in build_row(source, TOKENIZER, Random(number), config):
            assert not example.canvases or room >= 256
            small, large = small + (room < 256), large + bool(example.canvases)
            room -= len(example.ids)
    assert small > 5 and large > 40


def test_good_windows_do_not_change_the_shares_of_languages(tmp_path: Path) -> None:
    tables = b"".join(b"const T%d = [%s];\n" % (n, b"1234567, " * 20) for n in range(60))
    good = (ROOT / "diffusion" / "text" / "canvas.py").read_bytes()
    for language, text in (("javascript", tables), ("python", good)):
        write_shard(tmp_path / f"train-{language}-000.bin", [TOKENIZER.encode(text)])
    shards = ShardSet.open(tmp_path, "train")
    config = replace(CONFIG, rows=1, selective=True)
    source = DocumentSource(shards, TOKENIZER, dict.fromkeys(shards.languages, 1.0))
    drawn = [
        example.language
        for number in range(60)
        for example in build_row(source, TOKENIZER, Random(number), config)[:1]
    ]
    assert Counter(drawn)["javascript"] / len(drawn) == pytest.approx(0.5, abs=0.2)


def test_some_files_end_with_a_line_end_behind_the_last_hole() -> None:
    data = b"value = compute(argument)\r\n" * 30
    tree = SyntaxTree.parse(data, "python")
    config = ExampleConfig(plain_mlm=0.0, end_of_file=1.0)
    ends = Counter[bytes]()
    for seed in range(80):
        example = config.build(
            TOKENIZER, tree, data, (0, len(data)), "python", Random(seed)
        )
        last = example.canvases[-1]
        behind = example.positions[last.start] + GAP
        after = [
            token
            for token, place, segment in zip(
                example.ids, example.positions, example.segments, strict=True
            )
            if segment == 0 and place >= behind
        ]
        assert after[-1] == EOF
        ends[TOKENIZER.decode(after[:-1])] += 1
    assert set(ends) == {b"", b"\r\n"}
    assert ends[b"\r\n"] > 20 and ends[b""] > 20
