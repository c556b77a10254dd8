"""The Diffill language server: speaks LSP, knows no model.

Modules in reading order: `cli` (command line, protects stdout), `server` (builds the server
and wires the features), `protocol` (pygls with its defects fixed), `session` (the state of one
client), `settings`, `lines`, `document`, `convert` (LSP <-> our own types), `features/` (one
file per LSP method), `completion/` (the pipeline), `engine/` (where the model runs),
`observe/` (log, trace, doctor).

Invariants: importing this package, and answering `initialize`, never imports torch; only
`engine.local` imports `diffusion.infill`; stdout belongs to JSON-RPC.
"""

NAME = "diffill"
VERSION = "0.1.0"
