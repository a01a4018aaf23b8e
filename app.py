"""CADC Studio: a table of its pages. Each page is one step of the method; `cadc.views.way` says what each is for."""

from pathlib import Path

import streamlit as st

from pages._parts.garbage import set_aside
from pages._parts.shell import guarded, way_on

# A file: Material icons as page icon are fetched from the network.
ICON = Path(__file__).parent / ".streamlit" / "icon.png"

st.set_page_config(page_title="CADC Studio", page_icon=str(ICON), layout="wide")

page = st.navigation([
    st.Page("pages/1_data.py", title="Data", icon=":material/database:", default=True),
    st.Page("pages/2_trajectories.py", title="Trajectories", icon=":material/timeline:"),
    st.Page("pages/3_capabilities.py", title="Capabilities", icon=":material/hub:"),
    st.Page("pages/4_influence.py", title="Influence", icon=":material/waterfall_chart:"),
    st.Page("pages/7_rows.py", title="Rows", icon=":material/table_rows:"),
    st.Page("pages/5_curriculum.py", title="Curriculum", icon=":material/format_list_numbered:"),
    st.Page("pages/6_evaluation.py", title="Evaluation", icon=":material/balance:"),
], position="hidden")  # the sidebar has the same pages as numbered steps, with what is done of each

with guarded():
    page.run()
    way_on(page.title)
set_aside()
