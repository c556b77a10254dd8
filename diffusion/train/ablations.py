"""The questions that short training runs answer: one setting changed, everything else equal.

Each `Ablation` is a name and a change of the run's config. All are measured alike, on validation
batches of the *unchanged* setting's infilling, and on the same holes (`train.ablation_run`). To
ask something new, add a row: the others are known by a digest of their config and are not run
again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from diffusion.data.examples import ExampleConfig
from diffusion.data.gap import GapConfig
from diffusion.errors import ConfigError
from diffusion.process.schedule import Mixture
from diffusion.text.canvas import GAP
from diffusion.text.hole_sampling import HoleMix
from diffusion.train.config import PretrainConfig
from diffusion.train.stages import FREE

Change = Callable[[PretrainConfig], PretrainConfig]
BASE = "base"


@dataclass(frozen=True, slots=True)
class Ablation:
    """One row: `change` of the base config. `gap`: positions that a hole takes, also served."""

    name: str
    question: str
    change: Change
    gap: int = GAP


def _examples(change: Callable[[ExampleConfig], ExampleConfig]) -> Change:
    """A change of the examples in every stage."""

    def apply(config: PretrainConfig) -> PretrainConfig:
        stages = tuple(replace(s, example=change(s.example)) for s in config.stages)
        return replace(config, stages=stages)

    return apply


def _cuts(share: float) -> Change:
    def change(example: ExampleConfig) -> ExampleConfig:
        mix = example.mix
        rest = (1.0 - share) / (mix.node + mix.rest_of_line + mix.lines + mix.one_line)
        return replace(
            example,
            mix=replace(
                mix,
                node=mix.node * rest,
                rest_of_line=mix.rest_of_line * rest,
                lines=mix.lines * rest,
                one_line=mix.one_line * rest,
                cut=share,
            ),
        )

    return _examples(change)


def _random_spans(example: ExampleConfig) -> ExampleConfig:
    holes = example.mix.max_holes
    return replace(
        example, mix=HoleMix(node=0.0, rest_of_line=0.0, lines=0.0, cut=1.0, max_holes=holes)
    )


def _uniform_t(example: ExampleConfig) -> ExampleConfig:
    uniform = Mixture(full=0.0, bell=0.0)
    return replace(example, noise=replace(example.noise, mask_share=uniform))


def _inverse_t(example: ExampleConfig) -> ExampleConfig:
    return replace(example, noise=replace(example.noise, inverse_t_weight=True))


def _near(example: ExampleConfig) -> ExampleConfig:
    return replace(example, noise=replace(example.noise, nearness=0.7))


def _exact_length(example: ExampleConfig) -> ExampleConfig:
    return replace(example, exact_length=1.0)


def _other_canvases(example: ExampleConfig) -> ExampleConfig:
    """Canvases that tell the length of their text become free, and free ones tell it."""
    if example.free_sizes:
        return replace(example, exact_length=0.3, free_sizes=())
    return replace(example, exact_length=FREE.exact_length, free_sizes=FREE.free_sizes)


def _without_causal(config: PretrainConfig) -> PretrainConfig:
    """The other stages, stretched over the whole run in their proportions."""
    kept, start, spent = [], 0.0, 0.0
    for stage in config.stages:
        if not stage.causal:
            spent += stage.until - start
            kept.append(replace(stage, until=spent))
        start = stage.until
    if not kept:
        raise ConfigError("every stage of the base run is causal; there is nothing to compare")
    return replace(config, stages=tuple(replace(s, until=s.until / spent) for s in kept))


def _optimiser(**changed: Any) -> Change:
    return lambda config: replace(config, optimiser=replace(config.optimiser, **changed))


def _gap(gap: int) -> Change:
    return _examples(lambda example: GapConfig.of(example, gap))


ABLATIONS = (
    Ablation(BASE, "the run as it is", lambda config: config),
    Ablation(
        "full-attention", "context that sees the canvas", lambda c: replace(c, blind_context=False)
    ),
    Ablation("uniform-t", "uniform mask shares, not the bell", _examples(_uniform_t)),
    Ablation("inverse-t", "loss weighted by 1/t", _examples(_inverse_t)),
    Ablation("near", "slots count less behind other masks", _examples(_near)),
    Ablation("cuts-0", "no arbitrary character cuts", _cuts(0.0)),
    Ablation("cuts-30", "30 % arbitrary character cuts", _cuts(0.3)),
    Ablation("random-spans", "random spans, no syntax nodes", _examples(_random_spans)),
    Ablation("exact-length", "no DEL: canvases as long as their text", _examples(_exact_length)),
    Ablation(
        "other-canvases",
        "canvases that tell the length, or no longer tell it",
        _examples(_other_canvases),
    ),
    Ablation("adamw", "AdamW alone, no Muon", _optimiser(name="adamw")),
    Ablation(
        "adamw-3e-3", "AdamW alone, twice the rate", _optimiser(name="adamw", adamw_only_lr=3e-3)
    ),
    Ablation("muon-0.02", "twice the rate of Muon", _optimiser(matrix_lr=0.02)),
    Ablation("muon-0.005", "half the rate of Muon", _optimiser(matrix_lr=0.005)),
    Ablation("tables-3e-3", "twice the rate of what Muon leaves", _optimiser(other_lr=3e-3)),
    Ablation("rates-twice", "both twice the rate", _optimiser(matrix_lr=0.02, other_lr=3e-3)),
    Ablation("rates-half", "both half the rate", _optimiser(matrix_lr=0.005, other_lr=7.5e-4)),
    Ablation("gap-64", "a hole takes 64 positions", _gap(64), gap=64),
    Ablation("gap-256", "a hole takes 256 positions", _gap(256), gap=256),
    Ablation("gap-512", "a hole takes 512 positions", _gap(512), gap=512),
    Ablation("no-warm-start", "no left-to-right stage first", _without_causal),
)


def chosen(names: list[str]) -> tuple[Ablation, ...]:
    """The rows of these names, base always among them; all of them for no names.

    Raises ConfigError for an unknown name.
    """
    known = {row.name: row for row in ABLATIONS}
    for name in names:
        if name not in known:
            raise ConfigError(f"no ablation is called {name!r}; choose among {', '.join(known)}")
    return tuple(row for row in ABLATIONS if not names or row.name in names or row.name == BASE)
