"""How likely a candidate is to be exactly what belongs into the hole: evidence in, a number out.

Job: `Evidence` is what is known of one finished canvas beside the others of its request; a
`Ranking` is a fitted linear score over it. Fitted by `diffill calibrate` for one model on
holes of validation text (`diffusion.evaluate.calibrate`) and kept in the model's folder, its
logistic is the probability of an exact match, so the same number orders the candidates of a
request and tells a user how far to trust the first.

Without a fit (`Ranking()`), candidates that parse come first, then those with the highest mean
log-probability plus a share of the log-prior of their length; scores are then the geometric mean
of the tokens' probabilities, which is no calibrated probability. Quotes are then not offered:
nothing says how far to trust one.

Invariants: no torch; a file names every feature it weighs, and one that names an unknown feature
or has another version is refused; a fit for other weights is not used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from diffusion.errors import TextError
from diffusion.text.hole import KINDS
from diffusion.text.hole_length import QUANTILES
from diffusion.text.json_file import read_object

RANKING_FILE: Final = "ranking.json"
VERSION: Final = 1
_LEAST_LOG_P: Final = -30.0


@dataclass(frozen=True, slots=True)
class QuoteEvidence:
    """What is known of a quote: see `text.quotes.Quote`.

    `place`: its place in the order of likeness, from 0. `said_log_p`: of its tokens, its end
    included, as far as a row of the model had written what stands before them; 0 where no pass
    looked (`process.overheard`).
    """

    place: int
    likeness: float
    share: float
    matched: int
    said_log_p: float = 0.0

    def features(self) -> dict[str, float]:
        """The evidence as named numbers of moderate size."""
        by_lines = not self.matched
        return {
            "quoted": 1.0,
            "quote_place": math.log(self.place + 1.0),
            "quote_share": self.share,
            "quote_matched": math.log(self.matched + 1.0),
            "quote_likeness": 0.0 if by_lines else self.likeness,
            "quote_by_lines": float(by_lines),
            "quote_likeness_by_lines": self.likeness if by_lines else 0.0,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one candidate. Log-probabilities are in nats.

    `finished`: the row ran to its end; others stand behind it in any case.
    `tokens`: slots with text. `mean_log_p`, `sum_log_p`, `min_log_p`: over the committed slots, a
    DEL included. `end_log_p`: of that DEL; 0 where the text fills its canvas.
    `length_prior`: log-probability of this length for the kind of hole.
    `echo`: whether the text ends with the line after it.
    `errors_more`: syntax errors that it leaves and another text for the hole does not, see
    `site.errors_more`. `trimmed`: whether it is the start of a canvas, which as a whole did not
    parse.
    `sampled`: whether a canvas was filled with it; else it is a quote only, and what is said of
    committed slots is 0. `quote`: what is known of the quote with the same text, if there is one.
    `repeats`: how much likelier it is for what it repeats, see `text.repeats`.
    """

    kind: str
    finished: bool
    tokens: int
    mean_log_p: float
    sum_log_p: float
    min_log_p: float
    end_log_p: float
    ended: bool
    length_prior: float
    parses: bool
    echo: bool
    lines: int
    trimmed: bool = False
    sampled: bool = True
    quote: QuoteEvidence | None = None
    errors_more: int = 0
    repeats: float = 0.0

    def features(self) -> dict[str, float]:
        """The evidence as named numbers of moderate size."""
        quoted = {} if self.quote is None else self.quote.features()
        if self.quote is not None and not self.sampled:  # else its own log-probabilities say more
            quoted["quote_said"] = max(self.quote.said_log_p, _LEAST_LOG_P)
        return {
            "mean_log_p": max(self.mean_log_p, _LEAST_LOG_P),
            "sum_log_p": max(self.sum_log_p, _LEAST_LOG_P),
            "min_log_p": max(self.min_log_p, _LEAST_LOG_P),
            "end_log_p": max(self.end_log_p, _LEAST_LOG_P),
            "ended": float(self.ended),
            "log_tokens": math.log(self.tokens + 1.0),
            "length_prior": max(self.length_prior, _LEAST_LOG_P),
            "parses": float(self.parses),
            "errors_more": float(self.errors_more),
            "echo": float(self.echo),
            "repeats": self.repeats,
            "more_lines": math.log(max(1, self.lines)),
            "trimmed": float(self.trimmed),
            "only_quoted": float(not self.sampled),
            f"kind:{self.kind}": 1.0,
            **quoted,
        }


FEATURES: Final[tuple[str, ...]] = (
    "mean_log_p", "sum_log_p", "min_log_p", "end_log_p", "ended", "log_tokens", "length_prior",
    "parses", "errors_more", "echo", "repeats", "more_lines", "trimmed",
    "only_quoted", "quoted", "quote_place", "quote_share", "quote_matched", "quote_likeness",
    "quote_by_lines", "quote_likeness_by_lines", "quote_said",
    *(f"kind:{kind}" for kind in KINDS),
)  # fmt: skip
_BY_HAND: Final = {
    "mean_log_p": 1.0, "length_prior": 0.1, "parses": 1000.0, "trimmed": -500.0,
    "only_quoted": -5000.0,
}  # fmt: skip
QUOTE_FEATURES: Final = (
    *(name for name in FEATURES if name.startswith(("quote_", "kind:")) and name != "quote_said"),
    "log_tokens", "length_prior", "parses", "echo", "repeats", "more_lines",
)  # fmt: skip
"""What is known of a quote without the model."""
MOST_QUOTES: Final = 4
"""Quotes that are offered, where a ranking knows how to weigh them."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Weights of features, and what there is to order: lengths, forks, quotes.

    `calibrated`: whether the weights were fitted to exact matches. `quantiles`: the share of
    lengths that each canvas size is to cover, see `LengthTable.sizes`. `forks`: how many rows may
    be split off each canvas, see `CanvasState.forks`. `quotes`: how many quotes to weigh beside
    the canvases. `error_cost`: how far a text is put back for each of its `errors_more`, beyond its
    being less likely right; it orders and is in no score. `first_look`: weighs quotes without the
    model; from its `least_score` on such an answer is taken. `votes`: whether the document's votes
    are mixed in where a completion is written (docs/decisions/0018); judging, rewriting and joint
    fills have them in any case.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(_BY_HAND))
    bias: float = 0.0
    calibrated: bool = False
    quantiles: tuple[float, ...] = QUANTILES
    forks: int = 0
    quotes: int = 0
    votes: bool = True
    error_cost: float = 0.0
    first_look: Ranking | None = None
    least_score: float = 1.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was fitted, for people."""

    def value(self, evidence: Evidence) -> float:
        """The higher, the better; comparable between candidates of one hole."""
        return self.log_odds(evidence) - self.error_cost * evidence.errors_more

    def log_odds(self, evidence: Evidence) -> float:
        """What is weighed, in nats; of an exact match, if calibrated."""
        found = evidence.features()
        return self.bias + sum(
            weight * found[name] for name, weight in self.weights.items() if name in found
        )

    def score(self, evidence: Evidence) -> float:
        """0 to 1: the probability of an exact match, if calibrated."""
        if not self.calibrated:
            return math.exp(evidence.mean_log_p)
        return logistic(self.log_odds(evidence))

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        document = {
            "version": VERSION,
            **self._weighed(),
            "quantiles": list(self.quantiles),
            "forks": self.forks,
            "quotes": self.quotes,
            "votes": self.votes,
            "error_cost": round(self.error_cost, 6),
        }
        if (look := self.first_look) is not None:
            document["first_look"] = {**look._weighed(), "least_score": look.least_score}
        document["facts"] = dict(self.facts)
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    def _weighed(self) -> dict[str, Any]:
        weights = {name: round(weight, 6) for name, weight in self.weights.items()}
        return {"bias": round(self.bias, 6), "weights": weights}

    @classmethod
    def for_model(cls, path: Path, weights_sha256: str | None) -> Ranking:
        """The ranking at `path`, or the one by hand where there is none for these weights."""
        if not path.is_file():
            return cls()
        ranking = cls.load(path)
        fitted_for = ranking.facts.get("weights_sha256")
        return ranking if fitted_for in (None, weights_sha256) else cls()

    @classmethod
    def load(cls, path: Path) -> Ranking:
        """Read a fitted ranking.

        Raises:
            TextError: the file is unreadable, of another version, or weighs what is unknown.
        """
        fix = "run `diffill calibrate` for this model, or delete the file"
        try:
            document = read_object(path)
            if document["version"] != VERSION:
                raise TextError(
                    f"{path} has version {document['version']!r}, this diffill reads {VERSION}",
                    fix=fix,
                )
            weights, bias = _weights_in(document)
            look = None
            if (looked := document.get("first_look")) is not None:
                known, level = _weights_in(looked)
                least = float(looked["least_score"])
                look = cls(known, level, calibrated=True, least_score=least)
            quantiles = tuple(map(float, document.get("quantiles", QUANTILES)))
            forks = int(document.get("forks", 0))
            quotes = int(document.get("quotes", 0))
            votes = bool(document.get("votes", True))
            error_cost = float(document.get("error_cost", 0.0))
            facts = dict(document.get("facts", {}))
        except OSError as error:
            raise TextError(f"{path} cannot be read ({error.strerror})", fix=fix) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TextError(
                f"{path} is no ranking ({type(error).__name__}: {error})", fix=fix
            ) from error
        unknown = sorted((weights.keys() | (look.weights.keys() if look else ())) - set(FEATURES))
        if unknown:
            raise TextError(f"{path} weighs the unknown feature {unknown[0]!r}", fix=fix)
        numbers = [bias, error_cost, *weights.values()]
        if look is not None:
            numbers += [look.bias, look.least_score, *look.weights.values()]
        if not all(map(math.isfinite, numbers)):
            raise TextError(f"{path} holds a weight that is no number", fix=fix)
        if not quantiles or not all(0.0 < share <= 1.0 for share in quantiles):
            raise TextError(f"{path} has quantiles that are no shares", fix=fix)
        for name, wanted in (("forks", forks), ("quotes", quotes)):
            if wanted < 0:
                raise TextError(f"{path} asks for {wanted} {name}", fix=fix)
        return cls(
            weights, bias, calibrated=True, quantiles=quantiles, forks=forks, quotes=quotes,
            votes=votes, error_cost=error_cost, first_look=look, facts=facts,
        )  # fmt: skip


def _weights_in(document: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    weights = {str(name): float(weight) for name, weight in document["weights"].items()}
    return weights, float(document["bias"])


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
