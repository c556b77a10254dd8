"""Exact and near duplicates: what counts as a copy, and that the first copy stays."""

from __future__ import annotations

import random

import numpy as np

from diffusion.data.fingerprints import exact_digest, signature, word_hashes
from diffusion.data.near_duplicates import near_duplicates
from tests.unit.data.corpus_trees import python_module


def sign(text: str) -> np.ndarray:
    return signature(word_hashes(text.encode()))


def shingles(text: str) -> set[tuple[int, ...]]:
    words = word_hashes(text.encode()).tolist()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def test_exact_digest_ignores_white_space_only() -> None:
    assert exact_digest(b"a = 1\n\tb") == exact_digest(b"a  =  1 b\n")
    assert exact_digest(b"a = 1") != exact_digest(b"a = 2")


def test_word_hashes_are_the_same_in_every_process() -> None:
    assert word_hashes(b"Alpha beta_1").tolist() == [3504355690, 1687756978]
    assert word_hashes(b"Alpha(beta)").tolist() == word_hashes(b"alpha, beta").tolist()


def test_a_signature_estimates_the_jaccard_similarity() -> None:
    rng = random.Random(5)
    base = python_module(1, functions=60).split("\n")
    for share in (0.05, 0.2):
        changed = [f"other_{rng.random()}" if rng.random() < share else line for line in base]
        a, b = "\n".join(base), "\n".join(changed)
        true = len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))
        assert abs(np.mean(sign(a) == sign(b)) - true) < 0.17


def test_the_first_of_a_family_stays() -> None:
    original = python_module(1, functions=40)
    edited = original.replace("return", "return", 1) + "\nlast_line = 1\n"
    texts = [python_module(2), original, python_module(3), edited, original.upper()]
    copied = near_duplicates(np.stack([sign(t) for t in texts]))
    assert copied.tolist() == [False, False, False, True, True]


def test_texts_without_shingles_are_not_copies_of_each_other() -> None:
    assert near_duplicates(np.stack([sign("a b"), sign("c d")])).tolist() == [False, False]
