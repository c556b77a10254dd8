"""Model folders: written whole or not at all, and read with every way to fail named.

Our own folder holds config.json, model.safetensors (bfloat16, no optimiser), tokenizer.json,
lengths.json (if there is a length table) and manifest.json. Any Hugging Face masked-LM folder with
config.json and safetensors weights is read too, without the checks a manifest allows. Stock
`AutoModelForMaskedLM.from_pretrained` reads ours.

Invariants: a folder appears under its name only when complete; no pickle is read or written; no
network; weights that are not finite are neither saved nor loaded.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from diffusion.errors import CheckpointError
from diffusion.model.architecture import ModelRecipe
from diffusion.model.folder import FETCH_AGAIN, check_vocabulary, first_not_finite, verify
from diffusion.model.manifest import (
    CONFIG_FILE,
    DIFFUSION,
    LENGTHS_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Manifest,
    records_of,
)
from diffusion.model.quantize import is_quantized
from diffusion.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in eval mode and what came with it; paths are None where the folder has no such file.

    `manifest` is None for a foreign checkpoint.
    """

    model: PreTrainedModel
    manifest: Manifest | None
    folder: Path
    tokenizer_path: Path | None
    lengths_path: Path | None


def save_checkpoint(
    folder: Path,
    model: PreTrainedModel,
    tokenizer_path: Path,
    *,
    recipe: ModelRecipe | None = None,
    lengths_path: Path | None = None,
    tokens_seen: int = 0,
    training_data: str = "",
    metrics: dict[str, Any] | None = None,
    objective: str = DIFFUSION,
) -> Manifest:
    """Writes a model folder, replacing one of the same name only once the new one is complete.

    Args:
        folder: the folder to appear; its parent is made if needed.
        model: a masked LM in any float precision and on any device; it is not changed.
        tokenizer_path: the vocabulary it was trained with.
        recipe: the size it was built from, if from one of ours.
        lengths_path: the length table, if there is one.
        tokens_seen: training tokens so far.
        training_data: digest of the corpus manifest.
        metrics: measured quality, anything JSON can hold.
        objective: what it was trained for, DIFFUSION or FIM.

    Raises:
        CheckpointError: weights are not finite or are quantised, the vocabulary does not fit, or
            the disk refuses. An existing folder is then untouched.
    """
    if is_quantized(model):
        raise CheckpointError(
            "an int8 model cannot be saved", fix="save the model before for_cpu rounds it"
        )
    weights = _weights_in_bf16(model)
    not_finite = first_not_finite(weights)
    if not_finite is not None:
        raise CheckpointError(
            f"weight {not_finite} holds NaN or infinity, so {folder} was not written",
            fix="go back to an earlier checkpoint and lower the learning rate",
        )
    tokenizer = Tokenizer.load(tokenizer_path)
    check_vocabulary(tokenizer, model.config.vocab_size, tokenizer_path)
    manifest = Manifest(
        recipe={} if recipe is None else asdict(recipe),
        tokenizer_hash=tokenizer.hash,
        tokens_seen=tokens_seen,
        training_data=training_data,
        metrics=metrics or {},
        objective=objective,
    )
    config = copy.deepcopy(model.config)
    config.dtype = torch.bfloat16
    config.architectures = [type(model).__name__]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _appears_whole(folder) as part:
            save_file(weights, part / WEIGHTS_FILE, metadata={"format": "pt"})
            config.save_pretrained(part)
            # safetensors makes files that nobody else may read, and models are there to be shared.
            shutil.copymode(part / CONFIG_FILE, part / WEIGHTS_FILE)
            shutil.copyfile(tokenizer_path, part / TOKENIZER_FILE)
            if lengths_path is not None:
                shutil.copyfile(lengths_path, part / LENGTHS_FILE)
            manifest = replace(manifest, files=records_of(part))
            manifest.write(part)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"model folder {folder} could not be written ({error})",
            fix="free disk space or choose a writable folder",
        ) from error
    return manifest


def load_checkpoint(folder: Path) -> LoadedModel:
    """Loads a model folder, ours or any Hugging Face masked LM's, onto the CPU in eval mode.

    The weights become float32; they are stored in bfloat16.

    Raises:
        CheckpointError: a file is missing, truncated, altered or contradicts another, or weights
            are not finite. The message names the file and the fix.
    """
    folder = Path(folder)
    manifest = verify(folder)
    weights_path = folder / WEIGHTS_FILE
    try:
        with _without_progress_bars():
            model, info = AutoModelForMaskedLM.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except SafetensorError as error:
        raise CheckpointError(
            f"{weights_path} is truncated or damaged ({error})", fix=FETCH_AGAIN
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, StrictDataclassError) as error:
        raise CheckpointError(
            f"{folder} cannot be loaded as a masked LM ({_first_line(error)})",
            fix=f"check that {CONFIG_FILE} and {WEIGHTS_FILE} belong together",
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{weights_path} lacks {len(missing)} weights of the model in {CONFIG_FILE}, "
            f"the first is {missing[0]}",
            fix="use a checkpoint that was saved as a masked LM",
        )
    not_finite = first_not_finite(model.state_dict())
    if not_finite is not None:
        raise CheckpointError(
            f"{weights_path}: weight {not_finite} holds NaN or infinity",
            fix="use an earlier checkpoint",
        )
    tokenizer_path = folder / TOKENIZER_FILE
    if manifest is not None:
        check_vocabulary(Tokenizer.load(tokenizer_path), model.config.vocab_size, tokenizer_path)
    lengths_path = folder / LENGTHS_FILE
    return LoadedModel(
        model=model.eval(),
        manifest=manifest,
        folder=folder,
        tokenizer_path=tokenizer_path if tokenizer_path.is_file() else None,
        lengths_path=lengths_path if lengths_path.is_file() else None,
    )


def _weights_in_bf16(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    tied = model.all_tied_weights_keys if model.config.tie_word_embeddings else {}
    return {
        name: weight.detach().to("cpu", torch.bfloat16).contiguous()
        for name, weight in model.state_dict().items()
        if name not in tied
    }


@contextmanager
def _appears_whole(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place by rename if nothing is raised."""
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield part
        part.chmod(0o755)  # mkdtemp lets in its owner only
        if folder.exists():
            # A folder cannot be renamed over another: the old one steps aside for a moment.
            aside = part.with_name(part.name + "-old")
            folder.rename(aside)
            try:
                part.rename(folder)
            except OSError:
                aside.rename(folder)
                raise
            shutil.rmtree(aside)
        else:
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
