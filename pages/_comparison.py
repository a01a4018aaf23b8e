"""The figures of one comparison and its report to take away; widgets only."""

import streamlit as st

from cadc.views.comparison import curve_points, levels
from cadc.views.evaluation import ComparisonView
from cadc.views.figures import evaluation as figures
from cadc.views.report import zipped


def differences(view: ComparisonView) -> None:
    """Every arm minus one of them, most ahead first."""
    st.header("Differences between arms")
    if len(view.arms) < 2:
        st.text("There is one arm only, and nothing to compare it with.")
        return
    reference = st.selectbox("Every arm minus", view.references, key="reference", width=300)
    table = view.differences(reference)
    st.plotly_chart(figures.difference_dots(table, reference), key="differences")
    shown = {"p (Holm)": st.column_config.NumberColumn(format="%.3f", help="0.000: below 0.0005")}
    st.dataframe(table, hide_index=True, key="difference-table", column_config=shown)
    st.caption("Paired over units and seeds, with 95 % intervals, in points of accuracy; hollow: not distinguishable "
               "from chance, counting all comparisons (Holm), or of one seed, which does not say what another would "
               "have given.")


def charts(view: ComparisonView) -> None:
    """Dots by capability, curve, units."""
    st.header("Accuracy by capability")
    st.plotly_chart(figures.arm_dots(view.dots(), view.arms, view.groups), key="dots")
    st.caption("Mean over units, then over seeds, with its 95 % interval over seeds; none where there is one seed. "
               "Whether two arms differ is said by their paired differences above.")
    st.text(view.drawn_note)
    points = curve_points(view.result.table)
    if points["budget"].nunique() > 1:
        st.header("Accuracy over the budget")
        st.plotly_chart(figures.budget_curve(points, levels(view.result.table)), key="curve")
    st.header("Accuracy by target unit")
    shown = st.multiselect("Arms in this figure", view.arms, default=view.arms[:4])
    st.plotly_chart(figures.unit_dots(view.by_unit(), shown), key="units")


def download(view: ComparisonView) -> None:
    """The comparison as Markdown with its figures and every number."""
    name = f"comparison-{view.result.id}.zip"
    st.download_button("Report with figures (zip)", zipped(view.files()), name, "application/zip",
                       icon=":material/download:")
