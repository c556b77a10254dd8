"""`diffill demo`: cut pieces out of eight small programs and watch the model put them back.

Modules: `holes` (which pieces, and the programs without them), `cells` (one denoising step as
things to draw), `screen` (drawing: in place on a terminal, line by line into a pipe), `film` (the
same as a picture that moves).

Invariants: the programs on disk are never changed, and the model sees only the text without
the piece; what is shown as the answer is what the model said, right or wrong. Importing this
package loads no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffusion.errors import ConfigError
from diffusion.refusal import check_stdout

HELP = """Cut pieces out of eight example programs and watch the model fill them in.

Each hole starts out masked and is unmasked step by step; a committed token has the colour of
its confidence. Whether the answer equals the original is said as it is, and a table of times
ends the demo. Into a pipe, or with --plain, a few steps are printed line by line, and the
confidence of every token as a number. --record makes a picture that moves of it, for a README.
"""


def demo(
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="no colour, no cursor movement, as into a pipe")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="do not slow the steps down to be watched")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="only the first N holes")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a folder with another holes.json")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="write an animated SVG instead")
    ] = None,
) -> None:
    """Watch holes being filled."""
    if record is not None and (plain or fast):
        raise ConfigError(
            "--plain and --fast would do nothing with --record", fix="leave them out, or --record"
        )
    if record is None:
        check_stdout()
    from diffusion.demo.show import show

    show(model=model, plain=plain, fast=fast, limit=limit, examples=examples, film=record)
