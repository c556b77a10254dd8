"""The unmasking as a picture that moves: one SVG file, for a README or a bug report.

Every step of every hole is a group of lines, shown for a moment by SMIL's discrete animation and
then hidden, for ever. No script, no font and no address is in the file, so it plays where SVG is
allowed only as an image.

Invariants: text of programs is escaped and never read as markup; what is drawn is what the live
screen draws, colours included.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from rich.console import Console, Group
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from diffusion.demo.screen import Outcome, facts, picture
from diffusion.errors import ConfigError
from diffusion.evaluate.results import check_file

STEP_S = 0.35
REST_S = 2.5
_COLUMNS = 92
_CHARACTER_W, _LINE_H, _MARGIN = 7.8, 18, 14
_PAPER, _INK = "#1b1e24", "#d7dae0"


class Film:
    """A `Screen` that draws nothing until the end, and then one file."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError or EvaluationError where the file could not be written later."""
        if path.suffix != ".svg" or not path.parent.is_dir():
            raise ConfigError(
                f"{path} cannot become a film", fix="name a file.svg in a folder that is there"
            )
        check_file(path, "--record")
        self._path = path
        self._scenes: list[tuple[float, list[Text]]] = []

    def opening(self, model: str, count: int) -> None: ...

    def hole(self, number: int, count: int, outcome: Outcome) -> None:
        """One scene for each step; the last one rests, with the outcome below."""
        frames = outcome.frames or [()]
        title = Text(f"{outcome.hole.title} ", "bold").append(outcome.hole.note, "not bold dim")
        for step, frame in enumerate(frames):
            last = step == len(frames) - 1
            lines = [title, Text(), *_lines(picture(outcome, step, frame, last))]
            if last:
                lines.append(Text(f"  {facts(outcome)}", "green" if outcome.exact else "yellow"))
            self._scenes.append((REST_S if last else STEP_S, lines))

    def closing(self, outcomes: list[Outcome]) -> None:
        """Write the file. Raises ConfigError where the disk refuses it."""
        try:
            self._path.write_text(drawn(self._scenes), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{self._path} cannot be written ({error.strerror})",
                fix="name a file in a folder of yours, on a disk with room",
            ) from error
        print(f"written to {self._path}")


def drawn(scenes: list[tuple[float, list[Text]]]) -> str:
    """The scenes, each with the seconds that it stays, as one SVG."""
    whole_s = sum(seconds for seconds, _ in scenes)
    height = max((len(lines) for _, lines in scenes), default=0) * _LINE_H + 2 * _MARGIN
    width = _COLUMNS * _CHARACTER_W + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">',
        "<title>Holes in programs being unmasked, step by step</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>',
    ]
    console = Console(width=_COLUMNS, color_system="truecolor", force_terminal=True)
    at_s = 0.0
    for seconds, lines in scenes:
        begin, end = at_s / whole_s, (at_s + seconds) / whole_s
        at_s += seconds
        parts.append(f'<g visibility="hidden">{_when(begin, end, whole_s)}')
        parts += [
            _line(console, number, line)
            for number, line in enumerate(lines)
            if line.plain.strip()
        ]
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _when(begin: float, end: float, whole_s: float) -> str:
    """Visible from `begin` to `end`, shares of the whole, again and again."""
    turns = [(0.0, "hidden"), (begin, "visible"), (end, "hidden")]
    if begin == 0.0:
        turns = turns[1:]
    times = [(t, v) for t, v in turns if t < 1.0]
    return (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{whole_s:.2f}s" '
        f'repeatCount="indefinite" values="{";".join(v for _, v in times)}" '
        f'keyTimes="{";".join(f"{t:.5f}" for t, _ in times)}"/>'
    )


def _lines(group: Group) -> list[Text]:
    return [part for part in group.renderables if isinstance(part, Text)]


def _line(console: Console, number: int, line: Text) -> str:
    """One line of text; its pieces keep their places, whatever font the reader has."""
    shown = line.copy()
    shown.truncate(_COLUMNS, overflow="ellipsis")
    column, pieces = 0, []
    base = console.get_style(shown.style)  # rich leaves it out where a text is all of one style
    for segment in shown.render(console):
        text = segment.text.rstrip("\n")
        if text.strip():
            indent = len(text) - len(text.lstrip(" "))
            x = _MARGIN + (column + indent) * _CHARACTER_W
            body = text.strip(" ")
            pieces.append(
                f'<tspan x="{x:.1f}" textLength="{len(body) * _CHARACTER_W:.1f}" '
                f"{_paint(base + (segment.style or Style()))}>{escape(body)}</tspan>"
            )
        column += len(text)
    y = _MARGIN + (number + 1) * _LINE_H - 5
    return f'<text y="{y}" xml:space="preserve">{"".join(pieces)}</text>'


def _paint(style: Style) -> str:
    color = style.color
    ink = _INK if color is None or color.is_default else color.get_truecolor(MONOKAI).hex
    paint = f'fill="{ink}"' + (' opacity="0.6"' if style.dim else "")
    return paint + (' font-weight="bold"' if style.bold else "")
