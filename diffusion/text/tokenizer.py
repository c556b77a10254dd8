"""Bytes to token ids and back, without loss.

Job: byte-level BPE (Gage 1994; Sennrich et al. 2016) over 16,384 ids, run by the `tokenizers`
library. Each byte is handed to it as the character of the same number (Latin-1), so every
offset it reports is a byte offset and any byte string, valid UTF-8 or not, survives a round trip.

Invariants:
- `decode(encode(data)) == data` for every `bytes`.
- Ids below `SPECIAL_COUNT` never come out of `encode`: no text can spell a special token.
- Pretokens are found left to right without look-ahead. So text appended to a document can only
  change the last pretoken before it; `healing` stands on this.
- A newline starts a pretoken and takes the indentation after it along; no token crosses one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import tokenizers

from diffusion.errors import TokenizerError

PAD, MASK, DEL, BOF, EOF = range(5)
SPECIAL_COUNT = 32
VOCAB_SIZE = 16_384
LANGUAGE_TAGS = ("text", "python", "javascript", "typescript", "go", "rust", "java", "c", "cpp")
_FIRST_LANGUAGE_ID = 7

# Names of the special ids use characters outside Latin-1, which no byte maps to.
SPECIAL_NAMES = tuple(
    f"\u27e8{name}\u27e9"
    for name in (
        "pad",
        "mask",
        "del",
        "bof",
        "eof",
        "reserved5",
        "reserved6",
        *LANGUAGE_TAGS,
        *(f"reserved{i}" for i in range(_FIRST_LANGUAGE_ID + len(LANGUAGE_TAGS), SPECIAL_COUNT)),
    )
)

_WORD = r"A-Za-z_\u0080-\u00ff"
PRETOKEN_PATTERN = (
    r"\r?\n[ \t]*"  # a newline and the next line's indentation
    rf"| ?[{_WORD}]+"
    r"| ?[0-9]"  # single digits
    rf"| ?[^ \t\r\n\x0b\x0c0-9{_WORD}]+"  # a run of punctuation or control bytes
    r"|[ \t]+"
    r"|[\r\x0b\x0c]"
)
_PRETOKEN = re.compile(PRETOKEN_PATTERN)


class Tokenizer:
    """A trained vocabulary. Cheap to share between threads; it holds no mutable state."""

    def __init__(self, core: tokenizers.Tokenizer, digest: str) -> None:
        self._core = core
        self.hash = digest
        self.vocab_size = core.get_vocab_size()

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read `tokenizer.json`. Raises TokenizerError if it is missing or not ours."""
        path = Path(path)
        try:
            raw = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.reason if isinstance(error, UnicodeDecodeError) else error.strerror
            raise TokenizerError(
                f"tokenizer file {path} cannot be read ({why}); "
                "reinstall diffill, or point --model at a complete model folder"
            ) from error
        return cls.from_json(raw, name=str(path))

    @classmethod
    def from_json(cls, raw: str, *, name: str = "tokenizer.json") -> Tokenizer:
        """Build from the text of a `tokenizer.json`; `name` is used in errors only."""
        try:
            core = tokenizers.Tokenizer.from_str(raw)
        except Exception as error:  # the library raises bare Exception for every fault
            raise TokenizerError(
                f"{name} is not a readable tokenizer file ({error}); restore it from the package"
            ) from error
        if core.id_to_token(MASK) != SPECIAL_NAMES[MASK]:
            raise TokenizerError(
                f"{name} was not made by diffill: id {MASK} is {core.id_to_token(MASK)!r}, not the "
                "mask; train one with `diffill corpus train-tokenizer`"
            )
        found = cls(core, _digest(raw))
        try:
            found.decode(())
        except UnicodeEncodeError as error:
            raise TokenizerError(
                f"{name} was not made by diffill: its token {error.object!r} stands for no bytes; "
                "restore it from the package"
            ) from error
        return found

    def encode(self, data: bytes) -> list[int]:
        """Token ids of `data`."""
        return self._core.encode(data.decode("latin-1"), add_special_tokens=False).ids

    def encode_with_ends(self, data: bytes) -> tuple[list[int], list[int]]:
        """Token ids and, for each, the byte offset at which it ends."""
        encoding = self._core.encode(data.decode("latin-1"), add_special_tokens=False)
        return encoding.ids, [end for _, end in encoding.offsets]

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of `ids`; special ids have none. Raises TokenizerError for an unknown id."""
        table = self._bytes_by_id
        try:
            return b"".join([table[i] for i in ids])
        except IndexError as error:
            raise TokenizerError(
                f"a token id is outside the vocabulary of {self.vocab_size}; "
                "the model and the tokenizer do not belong together"
            ) from error

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token, empty for special ids."""
        return self._bytes_by_id[token_id]

    @cached_property
    def _bytes_by_id(self) -> tuple[bytes, ...]:
        tokens = (self._core.id_to_token(i) for i in range(self.vocab_size))
        return tuple(
            b"" if i < SPECIAL_COUNT else (token or "").encode("latin-1")
            for i, token in enumerate(tokens)
        )

    @staticmethod
    def language_id(language: str) -> int:
        """Id of a language's tag; languages that we do not know share the tag of plain text."""
        if language not in LANGUAGE_TAGS:
            language = "text"
        return _FIRST_LANGUAGE_ID + LANGUAGE_TAGS.index(language)


def pretoken_ends(data: bytes) -> list[int]:
    """Byte offsets at which the pretokens of `data` end, in order. The last is `len(data)`."""
    return [match.end() for match in _PRETOKEN.finditer(data.decode("latin-1"))]


def hash_of_tokenizer(path: Path) -> str:
    """`Tokenizer.hash` of a file, without reading it as a vocabulary. Raises OSError."""
    return _digest(path.read_text(encoding="utf-8", errors="replace"))


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8")).hexdigest()[:16]
