"""How far should a suggestion go while somebody types? Whole ones against their sure starts.

Fills holes as while typing (of a corpus's validation text, or cases of a file), and asks of each
first candidate what would have been on the screen by several policies: whole suggestions from a
limit of the score on, and `lsp_server.completion.extent` as it is served. A candidate that adds a
syntax error is none, as the server drops it. Told of each policy: on how many holes it shows
something, how often that is right to its last character, and the characters a hole that were right
and wrong. `reliability`: how often starts are right whose tokens' probabilities multiply to so
much. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from operator import mul
from pathlib import Path

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import inserted, measuring_config, served_dir, weights_hash
from diffusion.evaluate.validation_holes import validation_holes
from diffusion.infill import Candidate, Infiller, InfillRequest
from diffusion.model.manifest import TOKENIZER_FILE
from diffusion.text.tokenizer import Tokenizer
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.confidence import pieces
from lsp_server.completion.extent import worth_showing
from lsp_server.settings import InlineSettings

BINS = 10


@dataclass(frozen=True, slots=True)
class Filled:
    """A hole's text and what was suggested for it, best first."""

    middle: str
    suggestions: tuple[Suggestion, ...]

    @classmethod
    def of(cls, case: Case, candidates: Sequence[Candidate], replaced: str = "") -> Filled:
        """`replaced`: what of the document the candidates take the place of."""
        found = []
        for candidate in candidates:
            text = inserted(candidate.text, replaced)
            said = pieces(text, [(token.text, token.p) for token in candidate.tokens])
            found.append(Suggestion(text, 0, 0, candidate.score, pieces=said))
        return cls(case.middle, tuple(found))

    def is_right(self, shown: Suggestion) -> bool:
        """Whether nothing of it would have to be deleted, and of a whole one nothing is missing."""
        if shown.text == self.suggestions[0].text:
            return shown.text.strip() == self.middle.strip()
        return self.middle.startswith(shown.text)


Policy = Callable[[Sequence[Suggestion]], Suggestion | None]


def whole(least: float) -> Policy:
    """All of a suggestion, from this score on."""
    return lambda suggestions: suggestions[0] if suggestions[0].score >= least else None


def sure(least: float) -> Policy:
    """What is served."""
    return lambda suggestions: worth_showing(suggestions[0], least)


def outcome(filled: Sequence[Filled], policy: Policy) -> dict[str, float]:
    """What a policy shows of these holes."""
    shown = right = partial = 0
    right_characters = wrong_characters = 0
    for one in filled:
        found = policy(one.suggestions) if one.suggestions else None
        if found is None:
            continue
        shown += 1
        partial += found.text != one.suggestions[0].text
        if one.is_right(found):
            right += 1
            right_characters += len(found.text.strip())
        else:
            wrong_characters += len(found.text.strip())
    return {
        "shown": round(shown / len(filled), 4),
        "right": round(right / max(1, shown), 4),
        "starts": round(partial / max(1, shown), 4),
        "right_characters": round(right_characters / len(filled), 3),
        "wrong_characters": round(wrong_characters / len(filled), 3),
    }


def reliability(filled: Sequence[Filled]) -> list[dict[str, float]]:
    """By tenths of the product: how many starts, their mean product, the share that was right."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for one in filled:
        said = one.suggestions[0].pieces if one.suggestions else ()
        known = [piece for piece in said if piece.p is not None]
        texts = accumulate(piece.text for piece in known)
        products = accumulate((piece.p or 0.0 for piece in known), mul)
        for text, p in zip(texts, products, strict=True):
            found[min(BINS - 1, math.floor(BINS * p))].append((p, one.middle.startswith(text)))
    return [
        {
            "starts": len(pairs),
            "p": round(sum(p for p, _ in pairs) / len(pairs), 4),
            "right": round(sum(right for _, right in pairs) / len(pairs), 4),
        }
        for pairs in found
        if pairs
    ]


def fill(infiller: Infiller, case: Case) -> Filled:
    """As somebody who types at the hole is answered."""
    document = case.text_without_middle
    result = infiller.infill(
        InfillRequest(
            document, case.cursor, case.language, at_once=True, in_haste=True,
            least_p=InlineSettings().min_confidence,
            alternatives=InlineSettings().alternatives,
        )
    )
    replaced = document[result.hole.start : result.hole.end]
    sound = [candidate for candidate in result.candidates if candidate.parses]
    return Filled.of(case, sound, replaced.decode())


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out), read=arguments.cases)
    folder = served_dir(arguments.model)
    if arguments.cases:
        cases = [case for path in arguments.cases for case in read_cases(path)]
    else:
        tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
        cases = validation_holes(
            arguments.corpus, tokenizer, arguments.count, seed=arguments.seed
        )
    infiller = Infiller.load(folder, device="cpu", config=measuring_config())
    filled = []
    for number, case in enumerate(cases):
        filled.append(fill(infiller, case))
        if number % 50 == 49:
            print(f"{number + 1} of {len(cases)}", file=sys.stderr)
    served = InlineSettings().min_confidence
    policies = {
        **{f"whole from {least}": whole(least) for least in (0.0, served, 0.1, 0.2, 0.3)},
        "sure": sure(served),
    }
    outcomes = {name: outcome(filled, policy) for name, policy in policies.items()}
    for name, found in outcomes.items():
        print(name, found)
    report = {
        "benchmark": "extent",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "of": [path.name for path in arguments.cases] or f"validation holes, seed {arguments.seed}",
        "cases": len(cases),
        "policies": outcomes,
        "reliability": reliability(filled),
    }
    finish(report, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    of = parser.add_mutually_exclusive_group(required=True)
    of.add_argument("--corpus", type=Path, metavar="DIR", help="holes of its validation text")
    of.add_argument("--cases", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--count", type=int, default=600, metavar="N", help="of the corpus")
    parser.add_argument("--seed", type=int, default=11, help="0 and 1 are fitted to")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
