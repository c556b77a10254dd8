"""Packs: each a fair, whole and checked part of the corpus, and what is refused."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from diffusion.data.corpus_cli import app
from diffusion.data.manifest import NAME
from diffusion.data.open_corpus import MANIFEST, UNPACKED, open_corpus, pack_paths
from diffusion.data.packs import read_documents, read_header, write_packs
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import CorpusError, TokenizerError
from tests.support.disk import smallest_files

HASH = "a" * 16
LANGUAGES = {"python": 90, "go": 30}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(5)
    for language, count in LANGUAGES.items():
        documents = [
            [rng.randrange(400, 16_000) for _ in range(rng.randint(20, 200))] for _ in range(count)
        ]
        write_shard(folder / f"train-{language}-000.bin", documents[: count // 2])
        write_shard(folder / f"train-{language}-001.bin", documents[count // 2 :])
        write_shard(folder / f"validation-{language}-000.bin", documents[:2])
    return folder


@pytest.fixture
def packs(corpus: Path, tmp_path: Path) -> Path:
    write_packs(corpus, tmp_path / "packs", tokenizer_hash=HASH, max_bytes=12_000)
    return tmp_path / "packs"


def documents(shards: ShardSet) -> Counter[bytes]:
    return Counter(
        np.asarray(shards.document(name, i)).tobytes()
        for name in shards.languages
        for i in range(len(shards[name]))
    )


def test_all_packs_together_are_the_corpus(corpus: Path, packs: Path) -> None:
    opened = open_corpus(packs, HASH)
    assert opened.packs == opened.packs_in_set == len(pack_paths(packs)) >= 3
    assert documents(opened.train) == documents(ShardSet.open(corpus, "train"))
    assert documents(opened.validation) <= documents(ShardSet.open(corpus, "validation"))


def test_a_pack_is_small_and_a_fair_sample(packs: Path) -> None:
    for path in pack_paths(packs):
        assert path.stat().st_size <= 12_000
        shards = open_corpus(path, HASH).train
        counts = {name: len(shards[name]) for name in shards.languages}
        assert counts["python"] > counts["go"] > 0


def test_every_pack_validates_alike(packs: Path) -> None:
    held_out = [documents(open_corpus(path, HASH).validation) for path in pack_paths(packs)]
    assert held_out[0] and all(found == held_out[0] for found in held_out)


def test_packs_are_made_the_same_again(corpus: Path, packs: Path, tmp_path: Path) -> None:
    again = write_packs(corpus, tmp_path / "again", tokenizer_hash=HASH, max_bytes=12_000)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in pack_paths(packs)]


def test_packs_that_arrive_later_are_added(packs: Path) -> None:
    last = pack_paths(packs)[-1]
    body = last.read_bytes()
    last.unlink()
    before = open_corpus(packs, HASH)
    last.write_bytes(body)
    after = open_corpus(packs, HASH)
    assert after.packs == before.packs + 1
    assert documents(before.train) < documents(after.train)


def test_a_missing_pack_is_named(packs: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.pack does not exist; copy it there"):
        open_corpus(packs / "nowhere.pack", HASH)
    with pytest.raises(CorpusError, match="or name a folder of packs"):
        open_corpus(packs / "nowhere", HASH)


def test_a_truncated_pack_is_named(packs: Path) -> None:
    path = pack_paths(packs)[1]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CorpusError, match=f"{path.name} is truncated: .* copy the file again"):
        open_corpus(packs, HASH)


@pytest.mark.parametrize("at", [3, 40, -100], ids=["magic", "header", "payload"])
def test_a_damaged_pack_is_refused(packs: Path, at: int) -> None:
    path = pack_paths(packs)[0]
    body = bytearray(path.read_bytes())
    body[at] ^= 0xFF
    path.write_bytes(body)
    with pytest.raises(CorpusError, match=path.name):
        open_corpus(packs, HASH)
    assert not [p for p in packs.glob(f"{UNPACKED}/*") if p.name.startswith("000")]


def test_another_vocabulary_is_refused(packs: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=f"made with tokenizer {HASH}, this run uses other"):
        open_corpus(packs, "other")
    shards = tmp_path / "shards"
    shards.mkdir()
    for path in corpus.iterdir():
        (shards / path.name).write_bytes(path.read_bytes())
    (shards / "manifest.json").write_text(json.dumps({"tokenizer": HASH}))
    assert open_corpus(shards, HASH).packs == 0
    with pytest.raises(TokenizerError, match=f"made with tokenizer {HASH}"):
        open_corpus(shards, "other")


def test_a_corpus_of_another_vocabulary_is_not_packed(corpus: Path, tmp_path: Path) -> None:
    shards = shutil.copytree(corpus, tmp_path / "shards")
    (shards / "manifest.json").write_text(json.dumps({"tokenizer": HASH}))
    out = tmp_path / "packs"
    with pytest.raises(TokenizerError, match=f"made with tokenizer {HASH}"):
        write_packs(shards, out, tokenizer_hash="other", max_bytes=12_000)
    told = CliRunner().invoke(app, ["pack", "--corpus", str(shards), "--out", str(out)])
    assert told.exit_code == 2 and "give the tokenizer.json it was made with" in told.stderr
    assert not out.exists()
    assert write_packs(shards, out, tokenizer_hash=HASH, max_bytes=12_000)


def test_an_unfinished_corpus_is_neither_packed_nor_opened(corpus: Path, tmp_path: Path) -> None:
    shards = shutil.copytree(corpus, tmp_path / "shards")
    (shards / "identity").write_text(f"plan {HASH}")
    with pytest.raises(CorpusError, match="is not finished; run `diffill corpus build --out"):
        open_corpus(shards, HASH)
    with pytest.raises(CorpusError, match="is not finished"):
        write_packs(shards, tmp_path / "packs", tokenizer_hash=HASH, max_bytes=12_000)
    (shards / "manifest.json").write_text(json.dumps({"tokenizer": HASH}))
    assert open_corpus(shards, HASH).packs == 0


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_a_manifest_that_names_no_tokenizer_is_refused(
    corpus: Path, tmp_path: Path, content: str
) -> None:
    shards = shutil.copytree(corpus, tmp_path / "shards")
    (shards / "manifest.json").write_text(content)
    with pytest.raises(CorpusError, match=r"manifest\.json .*; build the corpus again"):
        open_corpus(shards, HASH)


def test_packs_of_two_corpora_do_not_mix(corpus: Path, packs: Path) -> None:
    write_packs(corpus, packs, tokenizer_hash=HASH, max_bytes=9_000)
    with pytest.raises(CorpusError, match="come from different corpora"):
        open_corpus(packs, HASH)


def test_too_small_a_limit_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="larger --max-mb"):
        write_packs(corpus, tmp_path, tokenizer_hash=HASH, max_bytes=100)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_whole_packs_only(corpus: Path, tmp_path: Path) -> None:
    with smallest_files(2_000), pytest.raises(CorpusError, match="free some disk space"):
        write_packs(corpus, tmp_path, tokenizer_hash=HASH, max_bytes=12_000)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_while_unpacking_leaves_no_half_pack(packs: Path) -> None:
    with smallest_files(500), pytest.raises(CorpusError, match="cannot be unpacked"):
        open_corpus(packs, HASH)
    assert not list((packs / UNPACKED).iterdir())
    assert open_corpus(packs, HASH).packs


def test_a_header_counts_what_is_in_it(packs: Path) -> None:
    path = pack_paths(packs)[0]
    header = read_header(path)
    counted = {
        (entry.split, entry.language): (len(found), sum(map(len, found)))
        for entry, found in read_documents(path)
    }
    assert counted == {(e.split, e.language): (e.documents, e.tokens) for e in header.entries}


@pytest.mark.slow
def test_training_needs_nothing_that_only_building_a_corpus_needs() -> None:
    program = (
        "import sys, diffusion.train.pretrain, diffusion.train.export\n"
        "import diffusion.train.sampled_match, diffusion.data.packs\n"
        "print(*{'datasketch', 'pathspec', 'detect_secrets'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert MANIFEST == NAME
