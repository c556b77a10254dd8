"""Small made-up packages for the corpus tests: source trees, a recipe, a tokenizer."""

from __future__ import annotations

import random
from pathlib import Path

from diffusion.data.fetch import MARKER
from diffusion.text.tokenizer_training import train_tokenizer

WORDS = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda_", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi",
    "psi", "omega", "reader", "writer", "socket", "buffer", "index", "cursor", "table",
)  # fmt: skip


def python_module(seed: int, functions: int = 6) -> str:
    """Readable Python text that differs from every other seed in nearly all its words."""
    rng = random.Random(seed)
    parts = [f'"""Module {seed} about {rng.choice(WORDS)} and {rng.choice(WORDS)}."""\n']
    for number in range(functions):
        a, b, c, d, e = rng.sample(WORDS, 5)
        parts.append(
            f"\ndef {a}_{b}_{rng.randrange(10_000)}({c}, {d}):\n"
            f"    {e}_{rng.randrange(1000)} = {c} + {d} * {number + rng.randrange(100)}\n"
            f"    return {rng.choice(WORDS)}({e}, {a!r}, {rng.randrange(10_000)})\n"
        )
    return "\n".join(parts)


def go_file(seed: int) -> str:
    """Like python_module, in Go."""
    rng = random.Random(f"go{seed}")
    parts = [f"package {rng.choice(WORDS)}\n"]
    for _ in range(6):
        a, b, c = rng.sample(WORDS, 3)
        parts.append(
            f"func {a}{b.title()}{rng.randrange(10_000)}({c} int) int {{\n"
            f"\treturn {c} * {rng.randrange(10_000)}\n}}\n"
        )
    return "\n".join(parts)


def write_package(work: Path, name: str, files: dict[str, str], version: str = "1.0") -> Path:
    """Lay a package out as the fetcher would."""
    root = work / "raw" / name
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (root / MARKER).write_text(version, encoding="utf-8")
    return root


def write_recipe(path: Path, names: list[str]) -> Path:
    """A recipe naming these packages, none limited to a share."""
    entries = "".join(
        f'[[source]]\nclient = "pip-wheel"\npackage = "{name}"\nlicence = "MIT"\n\n'
        for name in names
    )
    path.write_text(f"[limits]\npackage_share = 1.0\n\n{entries}", encoding="utf-8")
    return path


def write_tokenizer(path: Path) -> Path:
    """A tokenizer of 300 ids, enough to store text."""
    text = [python_module(seed).encode() for seed in range(20)]
    path.write_text(train_tokenizer(text, vocab_size=300), encoding="utf-8")
    return path
