"""Ways from one page to rows on another."""

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from cadc.study import Study
from cadc.views.row_filter import RowFilter


def rows_link(study: Study, wanted: RowFilter, label: str = "Look through these rows") -> None:
    """To the Rows page, showing these; plain text where a page runs alone, without `app.py`. The label is ours: links
    read Markdown."""
    try:
        st.page_link("pages/7_rows.py", label=label, icon=":material/table_rows:",
                     query_params={"study": study.name} | wanted.to_query())
    except StreamlitPageNotFoundError:
        st.text(label)
