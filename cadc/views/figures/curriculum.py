"""Curriculum page: shares that always sum to the total, and what the chosen rows are made of.

K capabilities. Pure: DataFrames in, DataFrames and plotly figures out. A capability is named by its label; `colours`
maps each label to its hex colour (the same on every page).
"""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cadc.views.figures.palette import UNASSIGNED, plain

PARTS = 1000
"""Shares on the page are whole thousandths, so that sliders sum to exactly 100.0 %."""
POOL_COLOUR, CHOSEN_COLOUR = "#8a9099", "#0b7a75"


def parts_of(shares: Mapping[str, float], total: int = PARTS) -> dict[str, int]:
    """Non-negative shares as whole parts of `total`, by largest remainder; equal parts when all shares are 0."""
    if not shares:
        return {}
    weight = sum(shares.values())
    exact = {name: total * (value / weight if weight > 0 else 1 / len(shares)) for name, value in shares.items()}
    parts = {name: int(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: parts[name] - exact[name])[:total - sum(parts.values())]
    return {name: part + (name in rest) for name, part in parts.items()}


def rebalance(parts: Mapping[str, int], changed: str, value: int, locked: Collection[str] = (),
              total: int = PARTS) -> dict[str, int]:
    """Parts after the slider `changed` was moved to `value`: the others keep their proportions, and all sum to `total`.

    Locked ones stay; so `changed` gets at most what they leave, and exactly that when there is nobody else to give to.
    """
    fixed = {name: part for name, part in parts.items() if name in locked and name != changed}
    free = {name: part for name, part in parts.items() if name not in fixed and name != changed}
    room = total - sum(fixed.values())
    mine = room if not free else min(max(int(value), 0), room)
    moved = fixed | {changed: mine} | parts_of(free, room - mine)
    return {name: moved[name] for name in parts}


def percent(budget: float, pool: int) -> float:
    """A budget (share up to 1, else rows) in % of the pool, to one digit, between 0.1 and 100."""
    share = budget if budget <= 1 else budget / max(pool, 1)
    return min(100.0, max(0.1, round(100 * share, 1)))


def share_of(percent: float) -> float:
    """A slider's % as a budget."""
    return round(percent / 100, 6)


def rows_budget(rows: int) -> float:
    """A typed number of rows as a budget; a budget of exactly 1 would mean the whole pool."""
    return max(float(rows), 1.0 + 1e-9)


def budget_text(budget: float) -> str:
    """A budget as the command line takes it: `5%`, or a number of rows."""
    return f"{100 * budget:g}%" if budget <= 1 else f"{budget:.0f}"


def budgets_saved(budgets: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """capability, stage (from 1; none where it has no rows), share, rows: what the database keeps of a curriculum."""
    stages = {capability: place for place, capability in enumerate(order, 1)}
    return budgets.assign(stage=budgets["capability"].map(stages).astype("Int64"))[
        ["capability", "stage", "share", "rows"]]


def parts_shown(parts: int) -> float:
    """Parts as the % of a slider."""
    return parts / PARTS * 100


def parts_from(percent: float) -> int:
    """A slider's % as parts."""
    return round(percent / 100 * PARTS)


def moved(order: Sequence[str], item: str, by: int) -> list[str]:
    """The order after moving one item up (-1) or down (+1); the ends stop it."""
    rest = [other for other in order if other != item]
    place = min(max(list(order).index(item) + by, 0), len(rest))
    return [*rest[:place], item, *rest[place:]]


def budget_table(before: Mapping[str, int], now: Mapping[str, int]) -> pd.DataFrame:
    """capability, saved, now, change: rows per capability in the last saved curriculum and in this one."""
    names = list(dict.fromkeys([*now, *before]))
    table = pd.DataFrame({"capability": names, "saved": [before.get(n, 0) for n in names],
                          "now": [now.get(n, 0) for n in names]})
    return table.assign(change=table["now"] - table["saved"])


def rows_by_capability(budgets: pd.DataFrame) -> dict[str, int]:
    """name → rows, of `Curriculum.budgets`."""
    return dict(zip(budgets["name"], budgets["rows"].astype(int), strict=True))


def overlap(before: Collection[int], now: Collection[int]) -> dict[str, int]:
    """kept, added, dropped: how many different rows two curricula share and do not share."""
    old, new = set(before), set(now)
    return {"kept": len(old & new), "added": len(new - old), "dropped": len(old - new)}


def mixture_table(rows: pd.DataFrame) -> pd.DataFrame:
    """stage, capability (by name), rows: what each stage of a curriculum (columns stage, name) is made of."""
    table = rows.groupby(["stage", "name"], sort=False, observed=True).size().rename("rows").reset_index()
    return table.rename(columns={"name": "capability"})


def stage_mixture(table: pd.DataFrame, colours: Mapping[str, str], order: Sequence[str]) -> go.Figure:
    """Stacked bars: one per stage, in training order from left to right (`mixture_table`)."""
    figure = go.Figure()
    for name in _present(table, order):
        part = table[table["capability"] == name]
        figure.add_bar(x=part["stage"].astype(str), y=part["rows"], name=plain(name),
                       marker_color=colours.get(name, UNASSIGNED),
                       hovertemplate="stage %{x}: %{y:,} rows for %{fullData.name}<extra></extra>")
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(title="stage, in training order", type="category", categoryorder="array",
                        categoryarray=[str(s) for s in dict.fromkeys(table["stage"])])
    figure.update_yaxes(title="rows")
    figure.update_layout(showlegend=False)  # the sliders beside it carry names and colours; hovering names a part too
    return _finish(figure, 240)


def composition_table(source: Sequence[str], capability: Sequence[str]) -> pd.DataFrame:
    """source, capability, rows: counted over the chosen rows (both sequences in their order), largest source first."""
    frame = pd.DataFrame({"source": list(source), "capability": list(capability)})
    counts = frame.groupby(["source", "capability"], sort=False).size().rename("rows").reset_index()
    size = counts.groupby("source")["rows"].transform("sum")
    order = counts.assign(size=size).sort_values(["size", "source", "rows"], ascending=[False, True, False])
    return order.drop(columns="size").reset_index(drop=True)


def composition(table: pd.DataFrame, colours: Mapping[str, str], order: Sequence[str]) -> go.Figure:
    """Horizontal stacked bars: one per source, coloured by the capability that its rows were chosen for."""
    figure, sources = go.Figure(), list(dict.fromkeys(table["source"]))
    for name in _present(table, order):
        part = table[table["capability"] == name]
        figure.add_bar(y=[plain(s, 32) for s in part["source"]], x=part["rows"], name=plain(name), orientation="h",
                       marker_color=colours.get(name, UNASSIGNED), hovertemplate="%{y}: %{x:,} rows")
    figure.update_layout(barmode="stack")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=[plain(s, 32) for s in reversed(sources)],
                        automargin=True)
    figure.update_xaxes(title="rows in the curriculum")
    return _finish(figure, 130 + 24 * len(sources))


def format_table(pool: pd.Series, chosen: pd.Series) -> pd.DataFrame:
    """answer_format, pool, curriculum (shares 0…1), rows: answer formats of the whole pool beside the chosen rows."""
    counts = chosen.value_counts()
    shares = pd.DataFrame({"pool": pool.value_counts(normalize=True), "curriculum": counts / max(len(chosen), 1)})
    table = shares.fillna(0.0).sort_values("pool", ascending=False).rename_axis("answer_format").reset_index()
    return table.assign(rows=table["answer_format"].map(counts).fillna(0).astype(int))


def formats(table: pd.DataFrame) -> go.Figure:
    """Share of each answer format in the pool and in the curriculum (`format_table`)."""
    figure = go.Figure()
    for column, colour in (("pool", POOL_COLOUR), ("curriculum", CHOSEN_COLOUR)):
        figure.add_bar(x=table["answer_format"], y=table[column], name=column, marker_color=colour,
                       hovertemplate="%{x}: %{y:.1%} of the " + column)
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="answer format", type="category")
    figure.update_yaxes(title="share of rows", tickformat=".0%")
    return _finish(figure, 300)


def _present(table: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Capabilities of a table, those in `order` first and in it."""
    found = list(dict.fromkeys(table["capability"]))
    return [name for name in order if name in found] + [name for name in found if name not in order]


def _finish(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 28, "b": 8},
                         legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "traceorder": "normal"})
    return figure
