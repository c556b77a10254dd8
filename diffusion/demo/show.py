"""The demo from the first hole to the table: fill, record, then show.

Invariant: a hole is filled at full speed first and shown afterwards, so the times in the table
are those of the model and not of the drawing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from diffusion.demo.cells import Recorder, frames, quote_row, row_of
from diffusion.demo.film import Film
from diffusion.demo.holes import ExampleHole, bundled_examples, load_holes
from diffusion.demo.screen import LiveScreen, Outcome, PlainScreen, Screen
from diffusion.errors import ConfigError
from diffusion.threads import follow

if TYPE_CHECKING:
    from diffusion.infill import Infiller


def show(
    *,
    model: Path | None,
    plain: bool,
    fast: bool,
    limit: int | None,
    examples: Path | None,
    film: Path | None = None,
) -> None:
    """Run the demo on stdout, or into a file called `film`."""
    holes = load_holes(examples or bundled_examples())[:limit]
    if not holes:
        raise ConfigError("there is no hole to fill", fix="name a holes.json with holes in it")
    screen = screen_for(plain=plain, fast=fast) if film is None else Film(film)
    threads = follow()
    from diffusion.infill import Infiller

    infiller = Infiller.load(model, threads)
    screen.opening("bundled" if model is None else model.name, len(holes))
    _warm_up(infiller)
    outcomes = []
    for number, hole in enumerate(holes, 1):
        outcomes.append(fill(infiller, hole))
        screen.hole(number, len(holes), outcomes[-1])
    screen.closing(outcomes)


def _warm_up(infiller: Infiller) -> None:
    """One request that is not shown: the first call of a process pays for set-up."""
    from diffusion.infill import InfillRequest

    infiller.infill(InfillRequest(text=b"total = 0\n", cursor=8, language="python"))


def screen_for(*, plain: bool, fast: bool) -> Screen:
    """The live screen on a terminal that can draw it, else the plain one."""
    console = Console(highlight=False)
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainScreen(Console(color_system=None, force_terminal=False, highlight=False))
    return LiveScreen(console, fast=fast)


def fill(infiller: Infiller, hole: ExampleHole) -> Outcome:
    """Fill one hole, then once more after one typed character, and compare with the original."""
    from diffusion.infill import InfillRequest

    recorder = Recorder()
    document = hole.without
    result = infiller.infill(
        InfillRequest(text=document, cursor=hole.start, language=hole.language), on_step=recorder
    )
    drawn = frames(recorder, infiller.tokenizer.token_bytes)
    best = result.candidates[0] if result.candidates else None
    exact = best is not None and hole.original == (
        document[: result.hole.start] + best.text.encode("utf-8") + document[result.hole.end :]
    )
    written = next((c.text for c in result.candidates if not c.quoted), None)
    return Outcome(
        hole=hole,
        frames=drawn,
        row=row_of(drawn[-1], written) if drawn and written is not None else 0,
        quote=quote_row(best.tokens) if best is not None and best.quoted else (),
        answer=None if best is None else best.text,
        reason=result.reason or "unknown",
        exact=exact,
        score=0.0 if best is None else best.score,
        parses=best is not None and best.parses,
        context_ms=recorder.before_steps_ms,
        steps=result.steps,
        total_ms=result.ms,
        typed_ms=_typed_on(infiller, hole),
    )


def _typed_on(infiller: Infiller, hole: ExampleHole) -> float | None:
    """Milliseconds for the next answer after one typed character; None if nothing was cached."""
    from diffusion.infill import InfillRequest

    first = hole.removed.decode("utf-8")[:1].encode("utf-8")
    text = hole.without[: hole.start] + first + hole.without[hole.start :]
    result = infiller.infill(
        InfillRequest(text=text, cursor=hole.start + len(first), language=hole.language)
    )
    return result.ms if result.context_cached else None
