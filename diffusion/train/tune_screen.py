"""What a person sees of a run in a terminal: one line that moves, and lines that stay."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Screen:
    """Shows the events of a run on stderr."""

    def __init__(self, minutes: float, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("training", total=1.0, figures=f"{minutes:g} min")

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Take one event."""
        if event["event"] == "train":
            self._progress.update(
                self._task,
                completed=event["progress"],
                figures=f"loss {event['loss']:.2f}, {event['tokens_per_s']:.0f} tokens/s, "
                f"{event['eta_minutes']:.1f} min left",
            )
            return
        for line in event_lines(event):
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def event_lines(event: dict[str, Any]) -> Iterator[str]:
    """An event in words."""
    kind = event["event"]
    if kind == "plan":
        yield from plan_lines(event)
    elif kind == "validation" and event["loss"] is not None:
        mark = ", the best so far" if event["best"] else ""
        yield f"step {event['step']}: held-out loss {event['loss']:.3f}{mark}"
    elif kind == "rate":
        yield rate_line(event["rate"], event["why"])
    elif kind == "done":
        yield from result_lines(event)
    elif kind == "measuring" and "of" in event:
        yield f"measuring: {event['done']} of {event['of']} holes"
    elif kind == "choosing_rate":
        yield "trying out learning rates"
    elif kind in ("paused", "resumed", "stopped", "measuring", "warning", "failed", "scanning"):
        yield f"{kind}: {event['message']}" if "message" in event else kind


_WHY_RATE = {
    "given": "as given",
    "tested": "the best of a short test",
    "too_long": "the method's own: a test would have taken too long",
    "no_gain": "the method's own: the test saw no gain at any",
    "too_little_text": "the method's own: too few files to test on",
}


def rate_line(rate: float, why: str) -> str:
    """Which learning rate a run has, in words."""
    return f"learning rate {rate:g}, {_WHY_RATE.get(why, why)}"


def plan_lines(plan: dict[str, Any]) -> Iterator[str]:
    """A plan in words."""
    yield f"{plan['files']} files, {plan['tokens']} tokens to learn from"
    yield f"{plan['held_out_files']} files, {plan['held_out_tokens']} tokens held out to measure on"
    for name, count in plan["excluded"].items():
        yield f"left out: {count} {name.replace('_', ' ')}"
    if plan.get("expected_minutes") is not None:
        yield (
            f"about {plan['expected_minutes']:g} minutes at {plan['tokens_per_s']} tokens/s, "
            f"each token {plan['epochs']:g} times"
        )
    for note in plan["notes"]:
        yield f"note: {note}"


def result_lines(event: dict[str, Any]) -> Iterator[str]:
    """How a run ended, in words."""
    if event.get("adapter") is None:
        yield str(event.get("message", "no adapter was published"))
        return
    figures = event["figures"]
    yield f"adapter {event['adapter']}: held-out loss {_change(figures, 'loss')}"
    for name, title in (("held_out", "held-out files"), ("general", "general code")):
        part = figures[name]
        if part["cases"]:
            before, after = (100 * part[f"exact_match_{when}"] for when in ("before", "after"))
            yield (
                f"exact match on {title}: {before:.1f} % -> {after:.1f} % ({part['cases']} holes, "
                f"{part['gained']} gained, {part['lost']} lost)"
            )


def _change(figures: dict[str, Any], name: str) -> str:
    return f"{figures[f'{name}_before']:.3f} -> {figures[f'{name}_after']:.3f}"


def state_line(state: dict[str, Any]) -> str:
    """`diffill train status` in one line."""
    words = {"none": "no run yet", "interrupted": "interrupted; `diffill train` goes on with it"}
    name = str(state["state"])
    parts = [words.get(name, name)]
    if "progress" in state and name in ("runs", "paused", "interrupted"):
        parts.append(f"{100 * state['progress']:.0f} % of its time")
    if state.get("eta_minutes") is not None and name == "runs":
        parts.append(f"{state['eta_minutes']:.1f} min left")
    if state.get("adapter"):
        parts.append(f"adapter {state['adapter']}")
    if state.get("message"):
        parts.append(str(state["message"]))
    return ", ".join(parts)
