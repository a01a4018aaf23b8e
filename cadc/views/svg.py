"""Small pictures as SVG text, for reports: no browser, no extra package, readable in any Markdown viewer.

All words are escaped; the pictures bring their own white ground, so they are the same in light and dark viewers.
"""

import html
from collections.abc import Mapping, Sequence
from math import log10

import pandas as pd

WIDTH, LEFT, RIGHT, BOTTOM = 900, 60, 16, 46
_INK, _GRID = "#22262b", "#dfe3e8"


def bars(summary: pd.DataFrame, arms: Sequence[str], groups: Sequence[str], colours: Mapping[str, str]) -> str:
    """Accuracy of each arm in each group with its s.d. as whiskers. summary: as in `cadc.evaluation.summary`."""
    keyed = summary.set_index(["capability", "arm"])
    there = [(g, a) for g in groups for a in arms if (g, a) in keyed.index]
    high = max([_upper(keyed.loc[pair, "accuracy"], keyed.loc[pair, "accuracy_sd"]) for pair in there] or [1.0])
    canvas = _Canvas(arms, colours, high)
    step = (WIDTH - LEFT - RIGHT) / max(len(groups), 1)
    wide = 0.8 * step / max(len(arms), 1)
    for place, group in enumerate(groups):
        left = LEFT + place * step + 0.1 * step
        canvas.text(left + 0.4 * step, canvas.floor + 16, _cut(group, max(6, int(step / 7))), anchor="middle")
        for number, arm in enumerate(arms):
            if (group, arm) in there:
                row = keyed.loc[(group, arm)]
                canvas.bar(left + number * wide, 0.9 * wide, float(row["accuracy"]), row["accuracy_sd"], colours[arm],
                           f"{group}, {arm}: {100 * row['accuracy']:.1f} %")
    return canvas.done()


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
    return canvas.done()


def _upper(value: float, sd: float) -> float:
    return float(value) + (float(sd) if sd == sd else 0.0)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit - 1] + "…"


class _Canvas:
    """An accuracy axis from 0, a legend above, and marks."""

    def __init__(self, arms: Sequence[str], colours: Mapping[str, str], high: float) -> None:
        self._parts: list[str] = []
        x: float = LEFT
        y = 20
        for arm in arms:
            wide = 26 + 7.2 * len(arm)
            if x + wide > WIDTH - RIGHT:
                x, y = LEFT, y + 20
            self._parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colours[arm]}"/>')
            self.text(x + 17, y, arm)
            x += wide
        self._top, self.floor = y + 16, y + 296
        self._high = min(1.0, max(high, 1e-6) * 1.05) if high <= 1 else high * 1.05
        for tick in _ticks(self._high):
            at = f"{self.y(tick):.1f}"
            self._parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="{_GRID}"/>')
            self.text(LEFT - 8, self.y(tick) + 4, f"{100 * tick:.0f} %", anchor="end")

    def y(self, value: float) -> float:
        """Height of an accuracy."""
        return self.floor - (self.floor - self._top) * float(value) / self._high

    def text(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        """A line of text."""
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>')

    def bar(self, x: float, width: float, value: float, sd: float, colour: str, title: str) -> None:
        """A bar from 0 with its whisker."""
        self._parts.append(f'<rect x="{x:.1f}" y="{self.y(value):.1f}" width="{width:.1f}" '
                           f'height="{self.floor - self.y(value):.1f}" fill="{colour}">'
                           f"<title>{html.escape(title)}</title></rect>")
        self.whisker(x + width / 2, value, sd, _INK)

    def whisker(self, x: float, value: float, sd: float, colour: str) -> None:
        """± sd; nothing where there is none."""
        if sd == sd and sd > 0:
            self.line([(x, self.y(max(0.0, value - sd))), (x, self.y(min(self._high, value + sd)))], colour, width=1.2)

    def dot(self, x: float, y: float, colour: str) -> None:
        """A point."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')

    def line(self, points: Sequence[tuple[float, float]], colour: str, dash: bool = False, width: float = 2) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = ' stroke-dasharray="6 4"' if dash else ""
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def done(self) -> str:
        """The whole picture."""
        height = self.floor + BOTTOM - 20
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
                f'font-size="12" fill="{_INK}"><rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
                + "".join(self._parts) + "</svg>\n")


def _ticks(high: float) -> list[float]:
    """Round values from 0 up to `high`, four to eight of them."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, high) if high / s <= 8)
    return [step * n for n in range(int(high / step + 1e-9) + 1)]
