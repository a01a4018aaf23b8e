"""The six steps as pages. `app.py` lists them; nothing here is found by Streamlit's own search of a `pages` folder."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    # A fresh server that is first asked for /influence (a reload, a shared link) runs that file alone, without app.py:
    # until st.navigation was called once, Streamlit takes this folder for its older way of making pages.
    PagesManager.uses_pages_directory = False
    st.rerun()
