"""The figures of one comparison and its report to take away; widgets only."""

import streamlit as st

from cadc.views.comparison import curve_points, levels
from cadc.views.evaluation import ComparisonView
from cadc.views.figures import evaluation as figures
from cadc.views.report import zipped


def charts(view: ComparisonView) -> None:
    """Bars, curve, outline, units."""
    st.subheader("Accuracy by capability")
    st.plotly_chart(figures.arm_bars(view.by_capability, view.arms, view.groups), key="bars")
    st.caption("Bars: mean over units, then over seeds. Whiskers: standard deviation over seeds.")
    st.text(view.drawn_note)
    points = curve_points(view.result.table)
    if points["budget"].nunique() > 1:
        st.subheader("Accuracy over the budget")
        st.plotly_chart(figures.budget_curve(points, levels(view.result.table)), key="curve")
    shown = st.multiselect("Arms in the two figures below", view.arms, default=view.arms[:6])
    left, right = st.columns([2, 3], gap="large")
    left.subheader("Outline by capability")
    around = [group for group in view.groups if group != "overall"]
    if len(around) > 2:
        left.plotly_chart(figures.radar(view.by_capability, shown, around), key="radar")
    else:
        left.caption("An outline needs three capabilities; the bars above show all there is.")
    right.subheader("Accuracy by target unit")
    right.plotly_chart(figures.unit_dots(view.by_unit(), shown), key="units")


def download(view: ComparisonView) -> None:
    """The comparison as Markdown with its figures and every number."""
    name = f"comparison-{view.result.id}.zip"
    st.download_button("Report with figures (zip)", zipped(view.files()), name, "application/zip",
                       icon=":material/download:")
