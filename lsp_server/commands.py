"""Every command of `diffill`: the model's and the server's under one name.

Invariants: this is the one module that imports both packages' command lines, since
`diffusion` may not import `lsp_server`; importing it loads neither torch nor pygls. `serve`
hands its arguments to `lsp_server.cli` as they are and prints nothing: stdout is the protocol's.
"""

from __future__ import annotations

import typer

from diffusion.cli import add_commands, new_app, run

app = new_app()


@app.command(
    "serve",
    help="Run the language server over stdio; editors start this.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(context: typer.Context) -> None:
    """Hand over to the language server's own command line."""
    from lsp_server.cli import main as serve_main

    raise typer.Exit(serve_main(list(context.args)) or 0)


@app.command(
    "doctor",
    help="Check the installation: versions, model, threads, device, a timed infill.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def doctor(context: typer.Context) -> None:
    """Hand over to `lsp_server.observe.doctor`."""
    from lsp_server.observe.doctor import main as doctor_main

    raise typer.Exit(doctor_main(list(context.args)) or 0)


add_commands(app)


def main() -> None:
    """Run the command line."""
    run(app)
