"""The `diffill` console script.

Invariant: `diffill serve` goes to the server's own command line at once. The modules that draw
help and tables for people are a quarter of the processor time until `initialize` is answered.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command line; ends the process. Ctrl-C is no error, also while it is being loaded."""
    try:
        if sys.argv[1:2] == ["serve"]:
            from lsp_server.cli import main as serve

            sys.exit(serve(sys.argv[2:]))
        from lsp_server.commands import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
