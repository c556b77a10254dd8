"""The error tree of the `diffusion` package.

Every error raised on purpose inside `diffusion` descends from `DiffillError`, so a
caller (the command line, the language server) can tell a known failure, whose message is
fit to be shown to a person, from a bug. A message names the thing that is wrong and what
to do about it, in that order. `Cancelled` is no error and lives in `diffusion.cancel`.

This module imports nothing, so that reading an error never loads torch.
"""

from __future__ import annotations


class DiffillError(Exception):
    """Root of every error `diffusion` raises on purpose.

    Args:
        message: what is wrong, naming the file, setting or value.
        fix: what to do about it; appended to the message when given.
    """

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message if fix is None else f"{message}; {fix}")
        self.fix = fix


class ConfigError(DiffillError):
    """A setting, flag or config file holds a value that cannot be used."""


class TextError(DiffillError):
    """Text, a tokenizer, a syntax tree, a hole or a canvas cannot be built as asked."""


class TokenizerError(TextError):
    """A tokenizer file is missing, damaged, or not the one the model was trained with."""


class HoleError(TextError):
    """A hole or cursor lies outside the document, or breaks a rule of holes."""


class CanvasError(TextError):
    """A canvas is too long, or its pins and slots contradict each other."""


class ModelError(DiffillError):
    """A model cannot be loaded, bound to a context, or run as asked."""


class CheckpointError(ModelError):
    """A model folder is missing a file, truncated, or does not match its manifest."""


class AdapterError(ModelError):
    """An adapter is unreadable, or was made for another base model."""


class PositionError(ModelError):
    """A sequence needs positions beyond what the encoder has learned."""


class CorpusError(DiffillError):
    """A corpus, shard or manifest is missing, damaged, or empty."""


class ScheduleError(DiffillError):
    """A noise schedule has parameters under which it is no schedule."""


class SamplerError(DiffillError):
    """The sampler was given canvases or settings it cannot honour, or a broken denoiser."""


class TrainingError(DiffillError):
    """A training run cannot start, resume, or go on."""


class PublishError(TrainingError):
    """A finished adapter or model could not be moved into place."""


class EvaluationError(DiffillError):
    """A case file, metric or baseline cannot be used."""
