"""Small pictures as SVG text, for reports: no browser, no extra package, readable in any Markdown viewer.

All words are escaped; the pictures bring their own white ground, so they are the same in light and dark viewers.
"""

import html
from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH, LEFT, RIGHT, BOTTOM = 900, 60, 16, 46
_INK, _GRID = "#22262b", "#dfe3e8"


def dots(figure: "go.Figure") -> str:
    """A figure of dots with intervals, one line of marks per group (`cadc.views.figures.evaluation.arm_dots`), as the
    page shows it: the same dots, colours, intervals, names and order."""
    marks = [(trace.name, trace.marker.color, x, y, reach) for trace in figure.data
             for x, y, reach in zip(trace.x, trace.y, trace.error_x.array, strict=True) if x == x]
    ends = [x + side * reach for _, _, x, _, reach in marks for side in (-1, 1)] or [0.0, 1.0]
    low, high = min(ends), max(ends)
    room = 0.04 * (high - low) or 0.05
    low, high = max(low - room, 0.0), high + room
    axis = figure.layout.yaxis
    last, first = axis.range
    canvas = _Paper([(trace.name, trace.marker.color) for trace in figure.data])
    left, step = 190, 15
    bottom = canvas.top + step * (last - first)

    def at(value: float) -> float:
        return left + (WIDTH - RIGHT - left) * (value - low) / (high - low)

    def line_of(place: float) -> float:
        return canvas.top + step * (place - first)

    for tick in _ticks_between(low, high):
        canvas.line([(at(tick), canvas.top), (at(tick), bottom)], _GRID, width=1)
        canvas.text(at(tick), bottom + 16, f"{100 * tick:.3g} %", anchor="middle")
    for place, name in zip(axis.tickvals, axis.ticktext, strict=True):
        canvas.text(left - 10, line_of(place) + 4, html.unescape(name), anchor="end")
    for shape in figure.layout.shapes:
        canvas.line([(left, line_of(shape.y0)), (WIDTH - RIGHT, line_of(shape.y0))], _GRID, width=1)
    for name, colour, x, y, reach in marks:
        if reach > 0:
            canvas.line([(at(x - reach), line_of(y)), (at(x + reach), line_of(y))], colour, width=1.5)
        canvas.dot(at(x), line_of(y), colour, f"{html.unescape(name)}: {100 * x:.1f} %"
                   + (f" ± {100 * reach:.1f}" if reach > 0 else ""))
    return canvas.done(bottom + BOTTOM - 20)


def curve(points: pd.DataFrame, lines: Mapping[str, float], colours: Mapping[str, str]) -> str:
    """Accuracy over the budget (logarithmic), one line per arm; `lines` are dashed levels. points: `curve_points`."""
    arms = list(dict.fromkeys(points["arm"]))
    tops = [_upper(row.accuracy, row.sd) for row in points.itertuples()]
    canvas = _Canvas([*arms, *lines], colours, max([*tops, *lines.values(), 1e-9]))
    low, high = log10(points["budget"].min()), log10(points["budget"].max())

    def across(budget: float) -> float:
        return LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * (log10(budget) - low) / max(high - low, 1e-9)

    for budget in sorted(set(points["budget"])):
        canvas.text(across(budget), canvas.floor + 16, f"{100 * budget:g} %", anchor="middle")
    for arm, level in lines.items():
        canvas.line([(LEFT, canvas.y(level)), (WIDTH - RIGHT, canvas.y(level))], colours[arm], dash=True)
    for arm in arms:
        own = points[points["arm"] == arm]
        canvas.line([(across(row.budget), canvas.y(row.accuracy)) for row in own.itertuples()], colours[arm])
        for row in own.itertuples():
            canvas.whisker(across(row.budget), row.accuracy, row.sd, colours[arm])
            canvas.dot(across(row.budget), canvas.y(row.accuracy), colours[arm])
    return canvas.done(canvas.floor + BOTTOM - 20)


def _upper(value: float, sd: float) -> float:
    return float(value) + (float(sd) if sd == sd else 0.0)


class _Paper:
    """A legend, and marks below it."""

    def __init__(self, legend: Sequence[tuple[str, str]]) -> None:
        self._parts: list[str] = []
        x: float = LEFT
        y = 20
        for name, colour in legend:
            words = html.unescape(name)
            wide = 26 + 7.2 * len(words)
            if x + wide > WIDTH - RIGHT:
                x, y = LEFT, y + 20
            self._parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
            self.text(x + 17, y, words)
            x += wide
        self.top = y + 16

    def text(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        """A line of text."""
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>')

    def dot(self, x: float, y: float, colour: str, title: str = "") -> None:
        """A point."""
        told = f"<title>{html.escape(title)}</title>" if title else ""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">{told}</circle>')

    def line(self, points: Sequence[tuple[float, float]], colour: str, dash: bool = False, width: float = 2) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = ' stroke-dasharray="6 4"' if dash else ""
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def done(self, height: float) -> str:
        """The whole picture."""
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif" '
                f'font-size="12" fill="{_INK}"><rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>'
                + "".join(self._parts) + "</svg>\n")


class _Canvas(_Paper):
    """An accuracy axis from 0 upwards."""

    def __init__(self, arms: Sequence[str], colours: Mapping[str, str], high: float) -> None:
        super().__init__([(arm, colours[arm]) for arm in arms])
        self.floor = self.top + 280
        self._high = min(1.0, max(high, 1e-6) * 1.05) if high <= 1 else high * 1.05
        for tick in _ticks(self._high):
            self.line([(LEFT, self.y(tick)), (WIDTH - RIGHT, self.y(tick))], _GRID, width=1)
            self.text(LEFT - 8, self.y(tick) + 4, f"{100 * tick:.0f} %", anchor="end")

    def y(self, value: float) -> float:
        """Height of an accuracy."""
        return self.floor - (self.floor - self.top) * float(value) / self._high

    def whisker(self, x: float, value: float, sd: float, colour: str) -> None:
        """± sd; nothing where there is none."""
        if sd == sd and sd > 0:
            self.line([(x, self.y(max(0.0, value - sd))), (x, self.y(min(self._high, value + sd)))], colour, width=1.2)


def _ticks(high: float) -> list[float]:
    """Round values from 0 up to `high`, four to eight of them."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, high) if high / s <= 8)
    return [step * n for n in range(int(high / step + 1e-9) + 1)]


def _ticks_between(low: float, high: float) -> list[float]:
    """Round values between two."""
    step = next(s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 8)
    return [step * n for n in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]
