"""What a run says about itself, in lines for people: how it is doing, and each of its events."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from diffusion.train.run_log import read_status

_MUCH = 0.1
"""Share of a run's time; less waiting for batches is not worth a word."""


def status_text(out: Path) -> str:
    """How the run in `out` is doing: one line for people, then the status as JSON.

    Raises TrainingError where there is none.
    """
    status = read_status(out)
    state = status.get("state", status["event"])
    if state == "runs" and not status["alive"]:
        state = "died; the same command resumes it"
    words = [state]
    if "stage" in status:
        words.append(f"stage {status['stage']}")
    if "progress" in status:
        words.append(f"{100 * status['progress']:.1f} %")
    if "tokens_per_s" in status:
        words.append(f"{status['tokens_per_s']:,.0f} tokens/s")
    words += _waits(status)
    if "eta_minutes" in status and state == "runs":
        words.append(f"{status['eta_minutes']:.1f} min left")
    if "written_unix_s" in status:
        words.append(f"written {max(0.0, time.time() - status['written_unix_s']):.0f} s ago")
    if "message" in status:
        words.append(status["message"])
    return ", ".join(words) + "\n" + json.dumps(status)


def event_line(event: dict[str, Any]) -> str:
    """An event as rich prints it."""
    if event["event"] == "train":
        words = (
            f"step {event['step']:>6}  {event['tokens'] / 1e6:7.2f}M tokens",
            f"loss {event['loss']:.3f}  {event['tokens_per_s']:,.0f} tok/s",
            f"{100 * event['progress']:.1f} %  {event['minutes']:.1f} min",
        )
        return "  ".join((*words, *_waits(event)))
    if event["event"] == "validation":
        shares = "  ".join(f"t={k} {v:.3f}" for k, v in event["by_share"].items())
        match = event.get("sampled_exact_match")
        tail = "" if match is None else f"  exact match {100 * match:.1f} %"
        return f"[bold]validation {event['loss']:.3f}[/bold]  {shares}{tail}"
    return str(event).replace("[", "\\[")


def _waits(event: dict[str, Any]) -> list[str]:
    """Words where more processes that build batches would make a run faster."""
    share = event.get("waiting_share", 0.0)
    return [f"waits for batches {100 * share:.0f} % (more --workers)"] if share >= _MUCH else []
