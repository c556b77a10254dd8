"""Seeing what the server does: `log` (redacted), `trace` (why this answer), `doctor`."""
