"""The figures of one comparison and its report to take away; widgets only."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from cadc.evaluation import EvaluationResult, headline, summary, verdict
from cadc.views.figures import evaluation as figures
from cadc.views.figures import report


def charts(result: EvaluationResult, table: pd.DataFrame, by_capability: pd.DataFrame, groups: Sequence[str],
           units: int) -> None:
    """Bars, outline, curve, units. table: of one budget; units: target units of the study."""
    arms = list(dict.fromkeys(table["arm"]))
    st.subheader("Accuracy by capability")
    st.plotly_chart(figures.arm_bars(by_capability, arms, groups), key="bars")
    st.caption("Bars: mean over units, then over seeds. Whiskers: standard deviation over seeds.")
    st.text(f"drawn {table['unit'].nunique()} of {units} target units, {result.done} of {result.total} runs")
    points = figures.curve_points(result.table)
    if points["budget"].nunique() > 1:
        st.subheader("Accuracy over the budget")
        st.plotly_chart(figures.budget_curve(points, figures.levels(result.table)), key="curve")
    shown = st.multiselect("Arms in the two figures below", arms, default=arms[:6])
    left, right = st.columns([2, 3], gap="large")
    left.subheader("Outline by capability")
    around = [group for group in groups if group != "overall"]
    if len(around) > 2:
        left.plotly_chart(figures.radar(by_capability, shown, around), key="radar")
    else:
        left.caption("An outline needs three capabilities; the bars above show all there is.")
    right.subheader("Accuracy by target unit")
    right.plotly_chart(figures.unit_dots(summary(table, figures.by_unit(table)), shown), key="units")


def download(result: EvaluationResult, table: pd.DataFrame, tables: Mapping[str, pd.DataFrame],
             about: Mapping[str, object], by_capability: pd.DataFrame, groups: Sequence[str]) -> None:
    """The comparison as Markdown with its figures and every number."""
    files = report.report(title=f"Comparison {result.id}", about=about | result.settings.to_json(), tables=tables,
                          headline=headline(table), verdict=verdict(table), notes=result.notes, summary=by_capability,
                          arms=list(dict.fromkeys(table["arm"])), groups=groups, table=result.table)
    st.download_button("Report with figures (zip)", report.zipped(files), f"comparison-{result.id}.zip",
                       "application/zip", icon=":material/download:")
