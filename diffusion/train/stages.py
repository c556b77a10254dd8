"""The parts of a run, one kind of batch each, and the plans made of them.

Left to right first, since every token is then a label (docs/decisions/0009); masked language
modelling next, which is one step of diffusion; then what is served: holes, on a clean context.
The last part has the best data only, holes as people leave them, and complementary canvases, while
the rate falls to nothing. Canvases do not tell how long their text is (docs/decisions/0016).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from diffusion.data.batches import BatchConfig
from diffusion.data.examples import ExampleConfig
from diffusion.errors import ConfigError
from diffusion.text.hole_sampling import AS_TYPED


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run with one kind of batch. It lasts until `until` of the budget is spent."""

    name: str
    until: float
    causal: bool = False
    example: ExampleConfig = field(default_factory=ExampleConfig)
    selective: bool = False

    def batch(self, shape: BatchConfig) -> BatchConfig:
        """Batches of `shape` as this stage wants them."""
        return replace(
            shape,
            example=self.example,
            causal=self.causal,
            selective=self.selective or shape.selective,
        )


STAGES = (
    Stage("causal", 0.45, causal=True, example=ExampleConfig(plain_mlm=0.3)),
    Stage("diffusion", 0.53, example=ExampleConfig(plain_mlm=0.6)),
    Stage("infill", 1.0, example=ExampleConfig(plain_mlm=0.15)),
)
"""The plan "three", of which canvases tell how long their text is."""

FREE = ExampleConfig(exact_length=0.1, free_sizes=(8, 12, 16, 24, 32, 48))
"""Canvases that do not tell how long their text is."""
_AS_LEFT = replace(AS_TYPED, lines=0.1, cut=0.1, max_holes=8)

_INFILL = replace(STAGES[2], until=0.88, example=replace(FREE, plain_mlm=0.15))
_DECAY = Stage(
    "decay",
    1.0,
    example=replace(FREE, plain_mlm=0.05, mix=_AS_LEFT, complementary=True),
    selective=True,
)
_FURTHER = (
    replace(STAGES[0], until=0.22),
    replace(_INFILL, until=0.6),
    Stage("typed", 0.92, example=replace(FREE, plain_mlm=0.05, mix=_AS_LEFT)),
    _DECAY,
)
_SETTLE = Stage("settle", 1.0, example=replace(FREE, plain_mlm=0.0, mix=_AS_LEFT))

PLANS: dict[str, tuple[Stage, ...]] = {
    "full": (STAGES[0], STAGES[1], _INFILL, _DECAY),
    "three": STAGES,
    "further": _FURTHER,
    "causal": (replace(STAGES[0], until=1.0),),
    "infill": (replace(_INFILL, until=1.0),),
    "decay": (_DECAY,),
    "settle": (_SETTLE,),
}
"""What `--stages` names. "further", "infill", "decay" and "settle" go on from other weights:
"further" with all of it, for as long again or longer, "settle" with free canvases alone. "causal"
is what they can go on from: the first weights of a set of ablations."""


def plan(name: str, row_tokens: int) -> tuple[Stage, ...]:
    """The stages called `name` for rows of this length: the more room, the more holes."""
    if name not in PLANS:
        raise ConfigError(f"no plan of stages is called {name!r}; choose one of {', '.join(PLANS)}")
    if row_tokens <= 512:
        return PLANS[name]
    return tuple(
        replace(stage, example=replace(stage.example, mix=replace(stage.example.mix, max_holes=14)))
        for stage in PLANS[name]
    )
