"""Which tokenizer the shards of a folder were made with, and whether their build came to its end.

`manifest.json` is written last and names the tokenizer by its hash; `identity` is written first,
by `diffill corpus build` alone, so a folder that has it and no manifest is half of a corpus. A
folder with neither was written by a program (`data.shards`) and is the program's to know.
"""

from __future__ import annotations

import json
from pathlib import Path

from diffusion.errors import CorpusError, TokenizerError

MANIFEST = "manifest.json"
"""`data.manifest.NAME`, without what building a corpus needs: a bare machine trains on packs."""
IDENTITY = "identity"
_BUILD_AGAIN = "build the corpus again"


def check_made_with(corpus: Path, tokenizer_hash: str) -> None:
    """Check that the shards in the folder `corpus` are all there and of that vocabulary.

    Raises CorpusError for an unfinished build or a damaged manifest, and TokenizerError where
    the shards were made with another vocabulary.
    """
    manifest = corpus / MANIFEST
    if not manifest.exists():
        if (corpus / IDENTITY).exists():
            raise CorpusError(
                f"the corpus {corpus} is not finished",
                fix=f"run `diffill corpus build --out {corpus}` again, as it was begun; it "
                "goes on where it was stopped",
            )
        return
    try:
        made_with = json.loads(manifest.read_text(encoding="utf-8"))["tokenizer"]
    except (OSError, ValueError) as error:
        raise CorpusError(f"{manifest} cannot be read ({error})", fix=_BUILD_AGAIN) from error
    except (KeyError, TypeError) as error:
        raise CorpusError(f"{manifest} names no tokenizer", fix=_BUILD_AGAIN) from error
    if made_with != tokenizer_hash:
        raise wrong_vocabulary(corpus, made_with, tokenizer_hash)


def wrong_vocabulary(path: Path, made_with: str, wanted: str) -> TokenizerError:
    """The error for shards or a pack that another tokenizer made; hashes as in their manifest."""
    return TokenizerError(
        f"{path} was made with tokenizer {made_with}, this run uses {wanted}",
        fix="give the tokenizer.json it was made with as --tokenizer",
    )
