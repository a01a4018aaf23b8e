"""Bringing a part of a page into view after an act whose answer is further down."""

import streamlit as st

from pages._parts.tab import tab


def bring_into_view(container: str) -> None:
    """Scroll to the container of this key, once, when `tab().scroll` asks for it. The key is ours, no one's text."""
    if tab().scroll:
        tab().scroll = False
        find = f"document.querySelector('.st-key-{container}')"
        st.html(f"<script>{find}?.scrollIntoView({{behavior: 'smooth'}})</script>", unsafe_allow_javascript=True)
