"""Data page: what is in the pool and in the target. Counts and tables in, figures out."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cadc.views.palette import POOL, TARGET, plain


def formats(table: pd.DataFrame) -> go.Figure:
    """Bars: share of rows per answer format, pool beside target; counts in the hover (`views.data.format_table`)."""
    figure = go.Figure()
    for name, colour in (("pool", POOL), ("target", TARGET)):
        counts = table[name]
        figure.add_bar(name=name, x=[plain(n) for n in table["answer_format"]], y=counts / max(1, counts.sum()),
                       customdata=counts, marker_color=colour,
                       hovertemplate="%{x}: %{customdata:,} rows, %{y:.1%}<extra>" + name + "</extra>")
    figure.update_layout(barmode="group", height=300, margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         yaxis={"tickformat": ".0%", "title": "share of rows"},
                         legend={"orientation": "h", "y": 1.12, "x": 0})
    return figure


def sources(counts: Mapping[str, int], limit: int = 15) -> go.Figure:
    """Horizontal bars of the largest sources; what is not drawn is one bar that says how many sources it holds."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [(plain(name, 36) or "(no source)", rows) for name, rows in ranked[:limit]]
    rest = ranked[limit:]
    if rest:
        shown.append((f"{len(rest):,} other sources", sum(rows for _, rows in rest)))
    labels, rows = [s[0] for s in shown], [s[1] for s in shown]
    # A place on the axis each: two names that are cut to the same text must not become one bar.
    figure = go.Figure(go.Bar(y=list(range(len(shown))), x=rows, orientation="h", marker_color=POOL, customdata=labels,
                              hovertemplate="%{customdata}: %{x:,} rows<extra></extra>"))
    figure.update_layout(height=90 + 22 * len(shown), margin={"l": 10, "r": 10, "t": 10, "b": 10},
                         xaxis={"title": "rows"},
                         yaxis={"autorange": "reversed", "tickvals": list(range(len(shown))), "ticktext": labels})
    return figure


def lengths(histogram: pd.DataFrame) -> go.Figure:
    """Rows by number of words, up to the 99th percentile; histogram: columns part (question | answer), words, rows.

    One panel each: a pool of one-word answers would flatten its questions.
    """
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.28, subplot_titles=("question", "answer"))
    for row, (part, colour) in enumerate((("question", POOL), ("answer", TARGET)), start=1):
        some = histogram[histogram["part"] == part].sort_values("words")
        if len(some):
            kept = some[some["rows"].cumsum() <= 0.99 * some["rows"].sum()] if len(some) > 30 else some
            figure.add_bar(row=row, col=1, name=part, x=kept["words"], y=kept["rows"], marker_color=colour,
                           hovertemplate="%{x} words: %{y:,} rows<extra>" + part + "</extra>")
    figure.update_layout(height=320, margin={"l": 10, "r": 10, "t": 24, "b": 10}, showlegend=False)
    figure.update_xaxes(title="words", row=2, col=1)
    figure.update_yaxes(title="rows")
    return figure
