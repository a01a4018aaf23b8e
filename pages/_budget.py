"""Curriculum page: how large the curriculum is, on a logarithmic scale or typed as share, rows or tokens. Widgets only.
"""

from collections.abc import Callable

import streamlit as st

from cadc.views import budget as scale
from cadc.views.curriculum import CurriculumView
from cadc.views.shares import share_of
from pages import _draft
from pages._parts.tab import shown

FIELDS = {"share": ("Share in %", "%.3f", 0.001), "rows": ("Rows", "%.0f", 1.0), "tokens": ("Tokens", "%.0f", 1.0)}
"""Unit → label, format and step of the field to type in."""


def budget(view: CurriculumView) -> None:
    """Total budget on a scale, and as a number to type: two views of one thing."""
    total, draft = len(view.bench.table), view.draft

    def moved(key: str) -> None:
        _draft.put(view.bench, budget=share_of(shown(key)))

    def slider(key: str, value: float, changed: Callable[[], None]) -> None:
        st.select_slider(f"Total budget, share of {total:,} scored rows", scale.scale(), value, key=key,
                         on_change=changed, format_func=scale.place_text,
                         help="Logarithmic: each step is the same factor.")

    _draft.moved_by_hand(slider, scale.on_scale(draft.budget, total), key="draft-percent", take=moved)
    _typed(view)


def _typed(view: CurriculumView) -> None:
    """The same budget in the unit that a person thinks in, and in the others beside it."""
    bench, draft, tokens = view.bench, view.draft, view.training.tokens
    units = [unit for unit in scale.UNITS if unit != "tokens" or tokens is not None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        unit = st.segmented_control("Budget in", units, default="rows", required=True, key="budget-unit",
                                    width="content")
        label, form, step = FIELDS[unit]
        read = scale.read(unit, bench, draft)
        _draft.typed_into(st, label, scale.typed(unit, draft, len(bench.table), tokens), min(step, 1.0),
                          scale.most(unit, bench), key=f"draft-budget-{unit}", format=form, step=step, width=170,
                          take=lambda key: _draft.put(bench, budget=read(shown(key))))
        st.text(view.budget_note)
