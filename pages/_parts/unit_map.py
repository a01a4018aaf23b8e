"""The map of target units as a component: click, lasso and keys choose units, whatever was done before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from pages._parts.tab import shown

SCRIPT = Path(__file__).with_suffix(".js")

_HTML = """<div class="unit-map"><svg role="group" aria-label="Map of units: arrows go from unit to unit, Enter chooses,
Shift and Enter adds, Escape clears"></svg><div class="tip" hidden></div><div class="bar">
<button data-act="closer" aria-label="Zoom in" title="Zoom in (or Ctrl and wheel); Alt and drag moves the map">+
</button><button data-act="further" aria-label="Zoom out">−</button>
<button data-act="whole" aria-label="Show the whole map">⤢</button><button data-act="svg">SVG</button>
<button data-act="png">PNG</button></div><div class="note"></div></div>
"""
_CSS = """
.unit-map { position: relative; color: var(--st-text-color); font-family: var(--st-font);
  --ground: var(--st-background-color); }
.unit-map svg { display: block; touch-action: none; user-select: none; -webkit-user-select: none; }
.unit-map text { pointer-events: none; }
.unit-map text.group { pointer-events: auto; }
.point { outline: none; }
.point:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; border-radius: 50%; }
.tip { position: absolute; max-width: 300px; padding: 6px 9px; font-size: 13px; line-height: 1.35; z-index: 2;
  pointer-events: none; color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color, #8888); border-radius: 4px; overflow-wrap: anywhere; }
.tip div:first-child { font-weight: 700; }
.bar { position: absolute; top: 0; right: 0; display: flex; gap: 2px; }
.bar button { min-width: 26px; height: 26px; padding: 0 5px; font: 12px var(--st-font); cursor: pointer;
  color: var(--st-text-color); background: var(--st-background-color); border: 1px solid var(--st-border-color, #8888);
  border-radius: 4px; }
.note { font-size: 12px; line-height: 1.3; opacity: .8; }
"""


def unit_map(data: dict[str, Any], key: str, picked: Callable[[list[int]], None]) -> None:
    """Draw `views.unit_map.map_data`; `picked` gets the positions of the units that a gesture leaves chosen."""
    # Registered on every run: a name that a restarted runtime has forgotten cannot be mounted.
    component = st.components.v2.component("cadc_unit_map", html=_HTML, css=_CSS, js=SCRIPT.read_text("utf-8"))
    component(key=key, data=data, on_picked_change=lambda: picked([int(p) for p in shown(key)["picked"] or ()]))
