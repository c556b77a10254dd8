"""Makes the bundled pack of general code that tuning replays, from an unpacked corpus.

    python benchmarks/replay_pack.py --raw .train/work/raw --licence Apache-2.0.txt \
        --decontaminate EVALUATION_CASES

Files of Apache-2.0 packages only, whole, with their licence headers; one package a language. Which
files are taken is decided by a hash of their paths. The same sources give the same bytes.
The last line of stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path

from diffusion.data.decontaminate import EvaluationSets, load_evaluation_sets
from diffusion.data.documents import without_licence_header
from diffusion.data.filters import language_of, reason_to_drop, skipped_path
from diffusion.data.fingerprints import word_hashes
from diffusion.data.secret_scan import secret_kind
from diffusion.evaluate.benchmark import as_script
from diffusion.train.replay import FOLDER, LICENCE_FILE, NOTICE_FILE, PACK_FILE

PACKAGES = {
    "python": ("tensorflow-cpu", "TensorFlow", "The TensorFlow Authors"),
    "javascript": ("google-closure-library", "Closure Library", "The Closure Library Authors"),
    "typescript": ("puppeteer-core", "Puppeteer", "Google Inc."),
    "go": ("kubernetes", "Kubernetes", "The Kubernetes Authors"),
    "rust": ("tokenizers", "Tokenizers", "the Hugging Face team"),
    "java": ("guava-libraries", "Guava", "The Guava Authors"),
    "c": ("openssl", "OpenSSL", "The OpenSSL Project Authors"),
    "cpp": ("grpc", "gRPC", "gRPC authors"),
}
BYTES_PER_LANGUAGE = 110_000
SMALLEST, LARGEST = 2_000, 12_000


def chosen(root: Path, language: str, evaluation: EvaluationSets) -> list[tuple[str, bytes]]:
    """Files of a package in the order of their hashes, until there is enough."""
    paths = [
        p for p in root.rglob("*")
        if language_of(p.name) == language and p.is_file() and not p.is_symlink()
        and SMALLEST < p.stat().st_size < LARGEST
        and not skipped_path(p.relative_to(root).as_posix())
    ]  # fmt: skip
    found: list[tuple[str, bytes]] = []
    total = 0
    named = {p.relative_to(root).as_posix(): p for p in paths}
    for name in sorted(named, key=lambda n: hashlib.blake2b(n.encode()).digest()):
        data = named[name].read_bytes()
        if reason_to_drop(data) or secret_kind(name, data):
            continue
        if len(evaluation.overlap(word_hashes(without_licence_header(data)))):
            continue
        found.append((name, data))
        total += len(data)
        if total >= BYTES_PER_LANGUAGE:
            break
    return found


@as_script
def main() -> None:
    """Write the pack, its notice and its licence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--licence", type=Path, required=True)
    parser.add_argument("--decontaminate", type=Path, nargs="+", required=True)
    parser.add_argument("--lock", type=Path, default=Path("diffusion/data/recipe.lock.json"))
    options = parser.parse_args()
    evaluation = load_evaluation_sets(options.decontaminate)
    versions = json.loads(options.lock.read_text("utf-8"))
    lines, rows, counts = [], [], {}
    for language, (package, title, holder) in PACKAGES.items():
        files = chosen(options.raw / package, language, evaluation)
        for name, data in files:
            entry = {"language": language, "path": f"{package}/{name}", "text": data.decode()}
            lines.append(json.dumps(entry, sort_keys=True))
        version = versions[package]["version"]
        counts[language] = {"files": len(files), "bytes": sum(len(d) for _, d in files)}
        rows.append(f"| {title} | {package} {version} | {language} | {len(files)} | {holder} |")
    packed = gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0)
    (FOLDER / PACK_FILE).write_bytes(packed)
    (FOLDER / LICENCE_FILE).write_text(options.licence.read_text("utf-8"), encoding="utf-8")
    notice = (
        "# General code for replay\n\n"
        f"`{PACK_FILE}` holds source files of the packages below, one JSON object a line.\n"
        "Each file is whole and unchanged, with the header its authors gave it; its path is in "
        "the pack.\n"
        f"All are under the Apache License, Version 2.0, a copy of which is `{LICENCE_FILE}`.\n"
        "Tuning mixes them in, so that a model does not forget what it knew "
        "(docs/tuning.md).\n"
        "`benchmarks/replay_pack.py` makes the pack.\n\n"
        "| Project | Package | Language | Files | Copyright |\n| --- | --- | --- | --- | --- |\n"
    )
    (FOLDER / NOTICE_FILE).write_text(notice + "\n".join(rows) + "\n", encoding="utf-8")
    print(json.dumps({"bytes": len(packed), "languages": counts}))


if __name__ == "__main__":
    main()
