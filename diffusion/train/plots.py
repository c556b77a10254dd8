"""Pictures of a run: loss and validation loss against tokens seen, from `log.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusion.errors import TrainingError
from diffusion.train.run_log import read_events


def read_log(path: Path) -> list[dict[str, Any]]:
    """Events of a run. After a resume from an older checkpoint, only the newer branch is kept."""
    try:
        events = read_events(path)
    except OSError as error:
        raise TrainingError(f"training log {path} cannot be read ({error.strerror})") from error
    kept: list[dict[str, Any]] = []
    for event in events:
        while kept and "step" in event and kept[-1].get("step", 0) > event["step"]:
            kept.pop()
        kept.append(event)
    return kept


def plot_run(log: Path, out: Path) -> None:
    """Draw the run's curves into a PNG: validation by mask share, and by language."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    events = read_log(log)
    train = [e for e in events if e["event"] == "train"]
    checks = [e for e in events if e["event"] == "validation"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.plot([e["tokens"] / 1e6 for e in train], [e["loss"] for e in train], lw=0.8, alpha=0.6,
              label="training")  # fmt: skip
    for share in checks[0]["by_share"] if checks else ():
        left.plot([e["tokens"] / 1e6 for e in checks], [e["by_share"][share] for e in checks],
                  marker="o", ms=3, label=f"validation, t = {share}")  # fmt: skip
    left.set(
        xlabel="million tokens seen", ylabel="nats per masked token", title="Loss by mask share"
    )
    seen = [e["tokens"] / 1e6 for e in checks]
    for language in checks[-1]["by_language"] if checks else ():
        losses = [e["by_language"][language] for e in checks]
        right.plot(seen, losses, marker="o", ms=3, label=language)
    right.set(xlabel="million tokens seen", title="Validation loss by language")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:  # a run that was stopped has no validation yet
            axes.legend(fontsize=8)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
