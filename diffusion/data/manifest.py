"""The record of a finished corpus: where it came from, what was dropped, what is in the shards.

Holds package names, versions, licences, digests and counts. No host, no machine path, no date, so
the same recipe, lock, tokenizer and evaluation sets give the same bytes.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffusion.data.decontaminate import COMMON_SOURCES, EvaluationSets
from diffusion.data.fingerprints import EVALUATION_WORDS
from diffusion.data.plan import Plan
from diffusion.data.recipe import Lock, Recipe
from diffusion.data.tokenise import ShardCounts
from diffusion.errors import CorpusError

FORMAT = 1
NAME = "manifest.json"


def _languages(counts: Sequence[ShardCounts]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    whole = sum(c.tokens for c in counts) or 1
    for language in sorted({c.language for c in counts}):
        mine = [c for c in counts if c.language == language]
        entry: dict[str, Any] = {}
        for split in sorted({c.split for c in mine}):
            part = [c for c in mine if c.split == split]
            entry[split] = {
                "files": sum(c.files for c in part),
                "documents": sum(c.documents for c in part),
                "bytes": sum(c.bytes for c in part),
                "tokens": sum(c.tokens for c in part),
            }
        tokens = sum(c.tokens for c in mine)
        entry["bytes_per_token"] = round(sum(c.bytes for c in mine) / max(tokens, 1), 3)
        entry["share_of_tokens"] = round(tokens / whole, 4)
        out[language] = entry
    return out


def make_manifest(
    recipe: Recipe,
    locks: Mapping[str, Lock],
    plan: Plan,
    counts: Sequence[ShardCounts],
    evaluation: EvaluationSets,
    tokenizer_hash: str,
) -> dict[str, Any]:
    """The manifest as a JSON-ready dict."""
    by_source: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for shard in counts:
        for package, (files, size, tokens) in shard.by_package.items():
            entry = by_source[package].setdefault(shard.language, [0, 0, 0])
            entry[0] += files
            entry[1] += size
            entry[2] += tokens
    sources = []
    for source in recipe.sources:
        lock = locks.get(source.name)
        sources.append(
            {
                "name": source.name,
                "package": source.package,
                "client": source.client,
                "licence": source.licence,
                "version": lock.version if lock else source.version,
                "sha256": [a.sha256 for a in lock.archives] if lock else [],
                "languages": {
                    language: {"files": f, "bytes": b, "tokens": t}
                    for language, (f, b, t) in sorted(by_source[source.name].items())
                },
                "dropped": plan.dropped.get(source.name, {}),
            }
        )
    dropped: Counter[str] = Counter()
    for reasons in plan.dropped.values():
        dropped.update(reasons)
    return {
        "format": FORMAT,
        "tokenizer": tokenizer_hash,
        "plan": plan.digest,
        "tokens": sum(c.tokens for c in counts),
        "documents": sum(c.documents for c in counts),
        "bytes": sum(c.bytes for c in counts),
        "languages": _languages(counts),
        "dropped_files": dict(sorted(dropped.items())),
        "decontamination": {
            "words": EVALUATION_WORDS,
            "common_phrase_sources": COMMON_SOURCES,
            "cases": evaluation.cases,
            "files_sha256": dict(sorted(evaluation.files.items())),
            "dropped_files": dropped["contaminated"],
        },
        "sources": sources,
        "shards": [
            {"name": c.name, "tokens": c.tokens, "documents": c.documents, "sha256": c.sha256}
            for c in counts
        ],
    }


def save_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    """Write atomically: one key a line, and one source or shard a line."""
    lines = []
    for key, value in manifest.items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    part = path.with_name(path.name + ".part")
    part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    os.replace(part, path)


def load_manifest(path: Path) -> dict[str, Any]:
    """A manifest that `report_lines` can report. Raises CorpusError for any other file."""
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        report_lines(manifest)
    except OSError as error:
        raise CorpusError(
            f"there is no manifest at {path} ({error.strerror})", fix="build the corpus first"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{path} is not the manifest of a corpus ({type(error).__name__}: {error})",
            fix="name a folder that `diffill corpus build` wrote",
        ) from error
    return manifest


def report_lines(manifest: Mapping[str, Any]) -> list[str]:
    """The manifest's counts as a Markdown table, one line each."""
    lines = [
        "| language | files | train tokens | validation tokens | share | bytes per token |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for language, entry in manifest["languages"].items():
        train, held = entry.get("train", {}), entry.get("validation", {})
        lines.append(
            f"| {language} | {train.get('files', 0) + held.get('files', 0):,} "
            f"| {train.get('tokens', 0):,} | {held.get('tokens', 0):,} "
            f"| {entry['share_of_tokens']:.1%} | {entry['bytes_per_token']:.2f} |"
        )
    lines += ["", "| left out because | files |", "|---|---:|"]
    lines += [f"| {why} | {n:,} |" for why, n in manifest["dropped_files"].items()]
    return lines
