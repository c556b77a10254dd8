"""The plots of a report as inline SVG, drawn by hand: no network, no plotting library.

Colours come from CSS variables of the page (`--c0` .. `--c5`, `--ink`, `--faint`), so that plots
follow a dark page. Invariant: whatever text comes in is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from diffusion.evaluate.calibration import Reliability

_WIDTH, _HEIGHT = 460, 300
_STANDALONE = (
    '<svg xmlns="http://www.w3.org/2000/svg" style="background:#fff; font-family:sans-serif; '
    '--ink:#222; --faint:#bbb; --c0:#1f6f8b; --c1:#d1793f" '
)
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 14, 44


def reliability_plot(curves: Mapping[str, Reliability], *, standalone: bool = False) -> str:
    """Confidence against the rate of exact matches; the diagonal is a perfect calibration.

    `standalone`: a file of its own, on white, rather than a part of a page.
    """
    most = max((b.confidence for r in curves.values() for b in r.bins), default=1.0)
    rate = max((b.exact_match for r in curves.values() for b in r.bins), default=1.0)
    top = min(1.0, max(most, rate, 0.05) * 1.1)
    view = _View((0.0, top), (0.0, top))
    parts = view.frame("confidence", "share exactly right")
    parts.append(view.line([(0.0, 0.0), (top, top)], "var(--faint)", dashed=True))
    for i, (name, result) in enumerate(curves.items()):
        points = [(b.confidence, b.exact_match) for b in result.bins]
        parts.append(view.line(points, _colour(i)))
        parts += [
            view.dot(b.confidence, b.exact_match, _colour(i), f"{name}: {b.count} cases")
            for b in result.bins
        ]
    drawn = view.close(parts, list(curves))
    return drawn.replace("<svg ", _STANDALONE, 1) if standalone else drawn


def curves_plot(
    curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str
) -> str:
    """Lines with dots, from zero."""
    points = [point for curve in curves.values() for point in curve]
    view = _View(
        (0.0, max((x for x, _ in points), default=1.0) or 1.0),
        (0.0, max((y for _, y in points), default=1.0) * 1.08 or 1.0),
    )
    parts = view.frame(x_label, y_label)
    for i, (name, curve) in enumerate(curves.items()):
        parts.append(view.line(curve, _colour(i)))
        if len(curve) <= 30:
            parts += [view.dot(x, y, _colour(i), f"{name}: {y:.3g}") for x, y in curve]
    return view.close(parts, list(curves))


def bars_plot(groups: Mapping[str, Mapping[str, float]], x_label: str) -> str:
    """Horizontal bars: for every group one bar per series."""
    series = list(dict.fromkeys(name for values in groups.values() for name in values))
    high = max((v for values in groups.values() for v in values.values()), default=1.0) or 1.0
    bar, gap, label = 11, 9, 150
    height = _TOP + _BOTTOM + sum(len(v) * bar + gap for v in groups.values())
    width = _WIDTH + 60
    scale = (width - label - 60) / high
    parts: list[str] = []
    y = float(_TOP)
    for group, values in groups.items():
        middle = y + len(values) * bar / 2 + 4
        parts.append(_text(label - 8, middle, group, anchor="end"))
        for name, value in values.items():
            colour = _colour(series.index(name))
            parts.append(
                f'<rect x="{label}" y="{y:.1f}" width="{max(0.5, value * scale):.1f}" '
                f'height="{bar - 2}" fill="{colour}"><title>{html.escape(name)}: '
                f"{value:.3f}</title></rect>"
            )
            parts.append(_text(label + value * scale + 4, y + bar - 3, f"{value:.3f}", size=9))
            y += bar
        y += gap
    parts.append(_text(label, y + 12, x_label))
    parts += _legend(series, y + 26, label)
    return _svg(width, height, parts)


class _View:
    """Maps data to the pixels of one plot."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        span_x = (self._x[1] - self._x[0]) or 1.0
        span_y = (self._y[1] - self._y[0]) or 1.0
        return (
            _LEFT + (x - self._x[0]) / span_x * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - (y - self._y[0]) / span_y * (_HEIGHT - _TOP - _BOTTOM),
        )

    def frame(self, x_label: str, y_label: str) -> list[str]:
        left, bottom = self.at(self._x[0], self._y[0])
        right, top = self.at(self._x[1], self._y[1])
        parts = [
            f'<path d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" '
            'stroke="var(--faint)"/>'
        ]
        for i in range(5):
            x = self._x[0] + i / 4 * (self._x[1] - self._x[0])
            y = self._y[0] + i / 4 * (self._y[1] - self._y[0])
            parts.append(_text(self.at(x, 0)[0], bottom + 14, f"{x:.3g}", anchor="middle", size=9))
            parts.append(_text(left - 5, self.at(0, y)[1] + 3, f"{y:.3g}", anchor="end", size=9))
        parts.append(_text((left + right) / 2, bottom + 28, x_label, anchor="middle"))
        parts.append(_text(left + 4, top + 2, y_label))
        return parts

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False
    ) -> str:
        if not points:
            return ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (self.at(*point) for point in points))
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'

    def dot(self, x: float, y: float, colour: str, title: str) -> str:
        at_x, at_y = self.at(x, y)
        return (
            f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3" fill="{colour}">'
            f"<title>{html.escape(title)}</title></circle>"
        )

    def close(self, parts: list[str], names: Sequence[str]) -> str:
        return _svg(_WIDTH, _HEIGHT, parts + _legend(names, _HEIGHT - 6, _LEFT))


def _legend(names: Sequence[str], y: float, x: float) -> list[str]:
    parts = []
    for i, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="{y - 8}" width="9" height="9" fill="{_colour(i)}"/>')
        parts.append(_text(x + 13, y, name, size=10))
        x += 24 + 6 * len(name)
    return parts


def _colour(i: int) -> str:
    return f"var(--c{i % 6})"


def _text(x: float, y: float, said: str, *, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="var(--ink)">{html.escape(said)}</text>'
    )


def _svg(width: int, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}" '
        f'role="img">{"".join(parts)}</svg>'
    )
