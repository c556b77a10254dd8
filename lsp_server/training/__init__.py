"""Tuning from the editor: when it may run, the process that does it, and what is served after."""
