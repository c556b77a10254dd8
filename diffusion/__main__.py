"""`python -m diffusion`: the commands without the language server's."""

from diffusion.cli import main

main()
