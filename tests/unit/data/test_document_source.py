"""A piece of a document is as good as the document, for the window inside it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from diffusion.data.document_source import DocumentSource
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import CorpusError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.languages import language_for_path
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
ROOT = Path(__file__).resolve().parents[3]
LONG = {
    "python": b"".join(
        path.read_bytes() for path in sorted((ROOT / "diffusion" / "text").glob("*.py"))
    )
}


def nodes(tree: SyntaxTree, start: int, end: int, shift: int = 0) -> set[tuple[int, int, str]]:
    """Named nodes inside bytes [start, end), moved by `shift`."""
    found = set()
    left = [tree.root] if tree.root is not None else []
    while left:
        node = left.pop()
        if node.end_byte <= start or node.start_byte >= end:
            continue
        if node.is_named and start <= node.start_byte and node.end_byte <= end:
            found.add((node.start_byte + shift, node.end_byte + shift, node.type))
        left.extend(node.children)
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DocumentSource:
    folder = tmp_path_factory.mktemp("long")
    for language, text in LONG.items():
        write_shard(folder / f"train-{language}-000.bin", [TOKENIZER.encode(text[:64_000])])
    for path in sorted((ROOT / "examples").iterdir()):
        language = language_for_path(path)
        if path.suffix != ".json" and language not in LONG:
            whole = path.read_bytes()
            write_shard(folder / f"train-{language}-000.bin", [TOKENIZER.encode(whole)])
    return DocumentSource(ShardSet.open(folder, "train"), TOKENIZER, {})


def test_a_piece_is_cut_from_its_document_and_knows_its_ends(source: DocumentSource) -> None:
    whole = LONG["python"][:64_000]
    cut = 0
    for seed in range(60):
        language, data, (start, end) = source.piece(random.Random(seed), 300)
        assert 0 <= start < end <= len(data)
        if language != "python":
            continue
        at = whole.index(data)
        cut += len(data) < len(whole)
        assert (start == 0) == (at + start == 0)
        assert (end == len(data)) == (at + end == len(whole))
        assert len(TOKENIZER.encode(data[start:end])) <= 310
    assert cut > 20


NOTES = b"".join(b"The %d. of these notes stands at the left edge.\n" % n for n in range(40))
MEMBERS = b"".join(b"    m%d(a) {\n        return a + %d;\n    }\n\n" % (n, n) for n in range(90))


@pytest.mark.parametrize(
    ("language", "part", "fresh"),
    [
        ("python", b'def f(a):\n    """\n' + NOTES + b'    """\n    return a\n\n\n', b"def f"),
        ("javascript", b"class A {\n" + MEMBERS + b"}\n\n", b"class A"),
    ],
    ids=["docstring", "class"],
)
def test_a_piece_begins_where_a_parser_may_begin(
    tmp_path: Path, language: str, part: bytes, fresh: bytes
) -> None:
    write_shard(tmp_path / f"train-{language}-000.bin", [TOKENIZER.encode(part * 9)])
    source = DocumentSource(ShardSet.open(tmp_path, "train"), TOKENIZER, {})
    for seed in range(40):
        _, data, _ = source.piece(random.Random(seed), 200)
        assert data.startswith(fresh)


def test_short_documents_and_the_starts_of_long_ones_have_their_share(tmp_path: Path) -> None:
    """By its tokens, a document that is shorter than a window would hardly ever be drawn."""
    short = [TOKENIZER.encode(b"a = %d\n" % number) for number in range(20)]
    line = b"value = compute(argument)\n"
    long = TOKENIZER.encode(line * 200)
    write_shard(tmp_path / "train-python-000.bin", [short[0], long, *short[1:]])
    source = DocumentSource(ShardSet.open(tmp_path, "train"), TOKENIZER, {})
    rng, tokens, draws = random.Random(0), 100, 3000
    windows = [source.piece(rng, tokens)[1:] for _ in range(draws)]
    of_long = [window for data, window in windows if data.startswith(line)]
    share = len(short) * tokens / (len(short) * tokens + len(long))
    assert 1 - len(of_long) / draws == pytest.approx(share, abs=0.03)
    assert len({data for data, _ in windows if not data.startswith(line)}) == len(short)
    first = sum(start == 0 for start, _ in of_long)
    assert first / len(of_long) == pytest.approx(tokens / (len(long) + tokens), abs=0.02)


def test_the_tree_of_a_piece_has_the_nodes_of_the_whole_tree(source: DocumentSource) -> None:
    whole = LONG["python"][:64_000]
    tree = SyntaxTree.parse(whole, "python")
    shared = every = 0
    for seed in range(200):
        language, data, (start, end) = source.piece(random.Random(seed), 300)
        if language == "python":
            at = whole.index(data)
            ours = nodes(SyntaxTree.parse(data, language), start, end, at)
            theirs = nodes(tree, at + start, at + end)
            shared += len(ours & theirs)
            every += len(ours | theirs)
    assert every > 1000
    assert shared / every > 0.95


@pytest.mark.parametrize("token", [TOKENIZER.vocab_size, 65_535])
def test_a_token_that_the_tokenizer_lacks_is_told_of(tmp_path: Path, token: int) -> None:
    write_shard(tmp_path / "train-python-000.bin", [[5, token, 5]])
    source = DocumentSource(ShardSet.open(tmp_path, "train"), TOKENIZER, {})
    for draw in (source.piece, source.window):
        with pytest.raises(CorpusError, match=f"hold token {token}, the tokenizer has only"):
            draw(random.Random(0), 10)


def test_a_short_document_is_its_own_piece(source: DocumentSource) -> None:
    rng = random.Random(0)
    pieces = [source.piece(rng, 100_000) for _ in range(30)]
    short = [(data, window) for language, data, window in pieces if language not in LONG]
    assert short
    assert all(window == (0, len(data)) for data, window in short)
