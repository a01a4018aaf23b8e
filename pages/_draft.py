"""The curriculum that a person is shaping before it is saved, and the widgets that shape it. Widgets only.

The draft is unsaved input, so it lives in the session; Save turns it into one `curate` decision. Every widget is set
from the draft before it is drawn and writes back to it, so that presets, rules and undo move all of them.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from cadc.curation import INSIDE, RULES, STAGINGS, CurationSettings, Curriculum
from cadc.curation.workbench import Workbench, with_settings
from cadc.errors import CadcError
from cadc.study import PRESETS
from cadc.views.figures import curriculum as figures
from cadc.views.figures.palette import colour

RULE_HELP = ("What decides the shares. self-influence: what the model still finds hard gets more. uniform: equal. "
             "pool-size: as many as there are. target-share: by target units. manual: the sliders; moving one switches "
             "to it.")
STAGING_HELP = ("soft: the mixture shifts step by step and earlier capabilities come back. hard: one capability after "
                "the other, as in the paper. mix: the same rows shuffled over all stages, the control for sequencing.")


def _mark(bench: Workbench) -> str:
    """The saved settings that a draft started from."""
    return json.dumps([bench.study.identity, bench.settings.to_dict()])


def current(bench: Workbench) -> CurationSettings:
    """The draft; the saved settings when there is none, or when they changed since it was begun."""
    held = st.session_state.get("draft")
    return held["settings"] if held and held["of"] == _mark(bench) else bench.settings


def changed(bench: Workbench) -> bool:
    """Whether the draft differs from what is saved."""
    return current(bench) != bench.settings


def put(bench: Workbench, settings: CurationSettings) -> None:
    """Replace the draft."""
    st.session_state["draft"] = {"of": _mark(bench), "settings": settings}


def forget() -> None:
    """Back to what is saved."""
    st.session_state.pop("draft", None)


def _take(bench: Workbench, field: str, read: Callable[[Any], Any]) -> None:
    """A widget was moved: its value goes into the draft."""
    try:
        value = read(st.session_state[f"draft-{field}"])
        put(bench, dataclasses.replace(current(bench), **{field: value}))
    except CadcError as error:
        st.session_state["refused"] = str(error)


def bound(bench: Workbench, widget: Callable, field: str, label: str, *, show: Callable[[Any], Any] = lambda v: v,
          read: Callable[[Any], Any] = lambda v: v, **options: Any) -> None:
    """A widget tied to one field of the draft."""
    key = f"draft-{field}"
    st.session_state[key] = show(getattr(current(bench), field))
    widget(label, key=key, on_change=_take, args=(bench, field, read), **options)


def preset(bench: Workbench) -> None:
    """Preset switch: another preset brings its own complete choices (METHOD §3), the budget stays."""
    def take() -> None:
        start = dataclasses.replace(bench, settings_override=current(bench))
        put(bench, with_settings(start, preset=st.session_state["draft-preset"]).settings)

    st.session_state["draft-preset"] = current(bench).preset
    st.segmented_control("Preset", PRESETS, key="draft-preset", required=True, on_change=take, help=(
        "studio: in rounds every target question takes its best row not yet taken; duplicates and rows that look wrong "
        "are left out; soft stages. paper: highest influence first, nothing left out, hard stages."))


def budget(bench: Workbench) -> None:
    """Total budget as a share of the pool and as rows: two views of one number."""
    total, settings = len(bench.scores.index), current(bench)

    def take(key: str, read: Callable) -> None:
        put(bench, dataclasses.replace(current(bench), budget=read(st.session_state[key])))

    st.session_state["draft-percent"] = figures.percent(settings.budget, total)
    st.session_state["draft-rows"] = settings.rows(total)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.slider(f"Total budget, % of {total:,} scored rows", 0.1, 100.0, step=0.1, format="%.1f %%", on_change=take,
                key="draft-percent", args=("draft-percent", figures.share_of))
    right.number_input("Rows", 1, max(total, 1), key="draft-rows", on_change=take,
                       args=("draft-rows", figures.rows_budget))


def shares(bench: Workbench, made: Curriculum) -> None:
    """One slider per capability; they always sum to 100 %."""
    bound(bench, st.selectbox, "rule", "Budget of each capability", options=RULES, help=RULE_HELP)
    table = made.budgets
    parts = figures.parts_of(dict(zip(table["capability"], table["share"], strict=True)))

    def take(capability: str) -> None:
        locked = [c for c in parts if st.session_state.get(f"draft-lock-{c}")]
        wanted = figures.parts_from(st.session_state[f"draft-share-{capability}"])
        moved = figures.rebalance(parts, capability, wanted, locked)
        put(bench, dataclasses.replace(current(bench), rule="manual", shares=tuple(moved.items())))

    places = (0.12, 1.7, 4, 1.1, 1.5)
    for column, text in zip(st.columns(places), ("", "capability", "share", "lock", "rows"), strict=True):
        column.caption(text)
    for row in table.itertuples():
        st.session_state[f"draft-share-{row.capability}"] = figures.parts_shown(parts[row.capability])
        mark, name, slider, lock, rows = st.columns(places, vertical_alignment="center", gap="small")
        mark.html(f'<div style="width:12px;height:32px;border-radius:3px;background:{colour(row.capability)}"></div>')
        name.text(row.name if row.name == row.capability else f"{row.capability} · {row.name}")
        slider.slider(f"Share of {row.capability} in %", 0.0, 100.0, step=0.1, format="%.1f %%", on_change=take,
                      key=f"draft-share-{row.capability}", args=(row.capability,), label_visibility="collapsed")
        lock.checkbox(f"lock {row.capability}", key=f"draft-lock-{row.capability}", label_visibility="collapsed")
        rows.text(f"{row.rows:,}/{row.available:,}")
    st.caption("A locked share stays when others are moved. Rows: chosen / left in its pool after the filters.")


def order(bench: Workbench, made: Curriculum) -> None:
    """Order of stages, by hand with up and down."""
    names = dict(zip(bench.capabilities.ids, bench.capabilities.names, strict=True))
    ids = made.report["order"]

    def move(capability: str, by: int) -> None:
        put(bench, dataclasses.replace(current(bench), order=tuple(figures.moved(ids, capability, by))))

    st.markdown("**Order of stages**")
    for place, capability in enumerate(ids, 1):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("", icon=":material/arrow_upward:", key=f"up-{capability}", on_click=move, args=(capability, -1),
                      help=f"Train {capability} earlier", disabled=place == 1)
            st.button("", icon=":material/arrow_downward:", key=f"down-{capability}", on_click=move,
                      args=(capability, 1), help=f"Train {capability} later", disabled=place == len(ids))
            st.text(f"{place}. {names[capability]}", width="content")
    st.button("By self-influence", icon=":material/auto_awesome:", disabled=not current(bench).order,
              on_click=lambda: put(bench, dataclasses.replace(current(bench), order=())),
              help="The capability whose self-influence falls earliest comes first.")


def staging(bench: Workbench) -> None:
    """How stages follow each other, and the order inside one."""
    bound(bench, st.segmented_control, "staging", "Stages", options=STAGINGS, required=True, help=STAGING_HELP)
    bound(bench, st.slider, "replay", "Replayed share of earlier capabilities", min_value=0.0, max_value=0.9, step=0.05,
          disabled=current(bench).staging != "soft")
    bound(bench, st.selectbox, "inside", "Inside a stage", options=INSIDE)


def filters(bench: Workbench) -> None:
    """What is left out before anything is chosen."""
    bound(bench, st.toggle, "drop_duplicates", "Leave out near-duplicates")
    if bench.scores.has_out_of_fold:
        bound(bench, st.slider, "loss_quantile", "Leave out rows that look wrong (1: keep all)", min_value=0.5,
              max_value=1.0, step=0.05, help="Held-out loss above this quantile of the target samples' in the nearest "
              "unit, and no better than even odds for the answer: wrong answers mostly, and rows unlike anything the "
              "target asks.")
    else:
        bound(bench, st.slider, "drop_loss_share", "Leave out rows that look wrong: highest loss within their unit, "
              "share", min_value=0.0, max_value=0.5, step=0.01)
    if current(bench).preset == "paper" and bench.scores.has_grounded:
        bound(bench, st.segmented_control, "signal", "Target gradients", options=("plain", "grounded"), required=True)
    bound(bench, st.slider, "random_share", "Share drawn at random", min_value=0.0, max_value=1.0, step=0.05)
    bound(bench, st.number_input, "source_cap", "Most rows of one source (0: no cap)", min_value=0, step=1)
    bound(bench, st.number_input, "minimum_influence", "Least influence on the own capability (empty: no minimum)",
          step=0.1, format="%.2f")
    for field, label in (("keep", "Pool rows always taken"), ("drop", "Pool rows never taken")):
        bound(bench, st.multiselect, field, label, options=getattr(current(bench), field), show=list, read=tuple,
              placeholder="tag rows below the table of chosen rows")
    bound(bench, st.number_input, "seed", "Seed of random draws", min_value=0, step=1)


def tag(bench: Workbench, index: int) -> None:
    """Take a pool row always or never; Filters lists the tagged rows and lets go of them."""
    now = current(bench)

    def put_tag(keep: bool) -> None:
        others = {field: [i for i in getattr(now, field) if i != index] for field in ("keep", "drop")}
        others["keep" if keep else "drop"].append(index)
        put(bench, dataclasses.replace(now, **{field: tuple(rows) for field, rows in others.items()}))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Always take it", icon=":material/push_pin:", on_click=put_tag, args=(True,),
                  disabled=index in now.keep)
        st.button("Never take it", icon=":material/block:", on_click=put_tag, args=(False,),
                  disabled=index in now.drop)
        st.text(f"pool row {index}")
