"""Capabilities page, on top: is the map stable, is it explained otherwise, does transfer agree. Widgets only."""

import streamlit as st

from cadc.curation.workbench import Workbench
from cadc.views import evidence
from cadc.views.lights import FAIR, GOOD, OPEN, POOR, lights
from cadc.views.measured import TransferView
from pages._evidence import ask_rivals, ask_stability, asked_rivals, asked_stability

LOOKS = {GOOD: ("green", ":material/check_circle:"), FAIR: ("orange", ":material/error:"),
         POOR: ("red", ":material/cancel:"), OPEN: ("gray", ":material/help:")}


def lights_row(bench: Workbench, digest: str, transfer: TransferView) -> None:
    """The three lights beside each other, each with a link to its evidence."""
    stable, rivals = asked_stability(digest, evidence.stability_key(bench)), asked_rivals(digest)
    agreement = evidence.rival_agreement(bench, rivals[0] if rivals else evidence.quick_rivals(bench))
    found = lights(stable[0] if stable else None, agreement, transfer, asked=bool(rivals))
    asks = {**({} if stable else {"stability": ask_stability}), **({} if rivals else {"rivals": ask_rivals})}
    for column, light in zip(st.columns(len(found), gap="medium"), found, strict=True):
        with column.container(gap="xxsmall", key=f"light-{light.anchor}"):
            colour, icon = LOOKS[light.level]
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", height=40, border=False):
                st.markdown(f":small[**{light.question}** :{colour}-badge[{icon} {light.word}]]", width="content")
                if light.anchor in asks:
                    asks[light.anchor](bench, digest, "Ask", f"ask-{light.anchor}-above")
            # No caption: in its pale tone a link is too faint to be read by everybody.
            st.markdown(f":small[{light.sentence} [Evidence](#{light.anchor})]")
