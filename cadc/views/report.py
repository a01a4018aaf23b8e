"""A comparison as a Markdown report with its figures and numbers: what a person sends to somebody else."""

import io
import zipfile
from collections.abc import Mapping, Sequence

import pandas as pd

from cadc.views import svg
from cadc.views.comparison import curve_points, levels, with_intervals
from cadc.views.palette import arm_colours

_FENCE = str.maketrans({"|": "\\|", "<": "&lt;", ">": "&gt;", "\n": " ", "`": "'", "[": "\\[", "]": "\\]", "!": "\\!",
                        "*": "\\*", "_": "\\_", "#": "\\#", "$": "\\$"})


def words(text: object) -> str:
    """Text of a dataset for Markdown: nothing in it is read as markup."""
    return str(text).translate(_FENCE)


def markdown_table(frame: pd.DataFrame) -> str:
    """A Markdown table; numbers as they are, missing ones as –."""
    def cell(value: object) -> str:
        if isinstance(value, float):
            return "–" if value != value else f"{value:g}"
        return words(value)

    lines = ["| " + " | ".join(words(name) for name in frame.columns) + " |", "|" + "---|" * len(frame.columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell(v) for v in row) + " |"
                                for row in frame.itertuples(index=False, name=None))])


def report(*, title: str, about: Mapping[str, object], headline: str, verdict: str, notes: Sequence[str],
           tables: Mapping[str, pd.DataFrame], summary: pd.DataFrame, arms: Sequence[str], groups: Sequence[str],
           table: pd.DataFrame) -> dict[str, str]:
    """{file name: text}: `report.md`, its SVG figures, `runs.csv` with every number.

    about: what the numbers belong to (study, settings, versions); tables: heading → table; summary: of one budget, for
    the dots; table: the tidy result with all its budgets, for the curve and the CSV.
    """
    from cadc.views.figures.evaluation import arm_dots

    picture = arm_dots(with_intervals(summary), arms, groups)  # the page's own
    files = {"accuracy.svg": svg.dots(picture), "runs.csv": table.to_csv(index=False)}
    parts = [f"# {words(title)}", headline and f"**{words(headline)}**", words(verdict)]
    parts += ["".join(f"- {words(key)}: {words(value)}\n" for key, value in about.items()).rstrip()]
    parts += ["\n".join(f"- {words(note)}" for note in notes)] if notes else []
    parts += ["## Accuracy by capability", "![Accuracy by capability](accuracy.svg)",
              "Dots: mean over units, then over seeds; lines: its 95 % interval over seeds, none for one seed."]
    points = curve_points(table)
    if points["budget"].nunique() > 1:
        lines = levels(table)
        files["budget.svg"] = svg.curve(points, lines, arm_colours([*dict.fromkeys(points["arm"]), *lines]))
        parts += ["## Accuracy over the budget", "![Accuracy over the budget](budget.svg)",
                  markdown_table((points.assign(budget=(100 * points["budget"]).round(2),
                                                accuracy=(100 * points["accuracy"]).round(1),
                                                sd=(100 * points["sd"]).round(1)))
                                 .rename(columns={"budget": "budget, %", "accuracy": "accuracy, %", "sd": "s.d."}))]
    for heading, frame in tables.items():
        parts += [f"## {words(heading)}", markdown_table(frame)]
    files["report.md"] = "\n\n".join(part for part in parts if part) + "\n"
    return files


def zipped(files: Mapping[str, str]) -> bytes:
    """The files in one zip; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text.encode())
    return buffer.getvalue()
