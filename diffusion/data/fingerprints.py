"""Numbers that stand for a file's text: word hashes, an exact digest, a MinHash signature, n-grams.

All hashes are the same in every process and on every machine. Words are runs of letters, digits
and underscores, lower-cased, so neither layout nor punctuation changes a fingerprint.
Shapes: W words -> W-n+1 n-gram hashes (uint64); a signature is uint32 [64].
Source of the signature: Broder, "On the resemblance and containment of documents" (1997).
"""

from __future__ import annotations

import hashlib
import re
from zlib import crc32

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Signature = npt.NDArray[np.uint32]

PERMUTATIONS = 64
SHINGLE_WORDS = 5
EVALUATION_WORDS = 13
_WORD = re.compile(rb"[a-z0-9_\x80-\xff]+")

_generator = np.random.Generator(np.random.PCG64(20240607))
_MULTIPLY = (_generator.integers(0, 2**32, PERMUTATIONS, dtype=np.uint64) | 1).astype(np.uint32)
_ADD = _generator.integers(0, 2**32, PERMUTATIONS, dtype=np.uint64).astype(np.uint32)
_POWERS = np.array(
    [pow(0x9E3779B97F4A7C15, i + 1, 2**64) for i in range(EVALUATION_WORDS)], dtype=np.uint64
)


def exact_digest(data: bytes) -> bytes:
    """16 bytes that agree for texts differing in white space only."""
    return hashlib.blake2b(b" ".join(data.split()), digest_size=16).digest()


def word_hashes(data: bytes) -> Hashes:
    """CRC-32 of every word, uint64 [W]."""
    return np.fromiter(map(crc32, _WORD.findall(data.lower())), dtype=np.uint64)


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """A 64-bit hash of every run of `n` words; empty if there are fewer."""
    count = len(words) - n + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    total = np.zeros(count, np.uint64)
    for i in range(n):
        total += words[i : i + count] * _POWERS[i]
    total ^= total >> np.uint64(29)
    total *= np.uint64(0xBF58476D1CE4E5B9)
    total ^= total >> np.uint64(32)
    return total


def signature(words: Hashes) -> Signature:
    """MinHash over the 5-word shingles; all ones for a text too short to have any."""
    shingles = ngram_hashes(words, SHINGLE_WORDS).astype(np.uint32)
    out = np.full(PERMUTATIONS, 0xFFFFFFFF, np.uint32)
    if len(shingles):
        for i in range(PERMUTATIONS):
            out[i] = (shingles * _MULTIPLY[i] + _ADD[i]).min()
    return out
