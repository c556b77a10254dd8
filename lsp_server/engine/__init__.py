"""Where the model runs, seen from the server: the `Engine` Protocol and its implementations.

`engine` (types, no torch), `worker` (one inference thread around a `Filler`), `local` (the
bundled model; the only importer of `diffusion.infill`), `scripted` (fixed answers, for tests).
"""
