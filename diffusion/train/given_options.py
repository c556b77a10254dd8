"""Which options stand on the command line, so that one that would do nothing is refused."""

from __future__ import annotations

import typer

from diffusion.errors import ConfigError


def given_options(context: typer.Context) -> frozenset[str]:
    """The parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(n for n, source in sources.items() if source and source.name == "COMMANDLINE")


def check_given(context: typer.Context, of_use: frozenset[str]) -> None:
    """Raises ConfigError for an option that would do nothing; `of_use`: those that would."""
    options = {
        str(p.name): "/".join((max(p.opts, key=len), *p.secondary_opts))
        for p in context.command.params
    }
    useless = [options[name] for name in options if name in given_options(context) - of_use]
    if useless:
        raise ConfigError(f"{' and '.join(useless)} would do nothing here", fix="leave it out")
