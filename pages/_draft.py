"""The curriculum that a person is shaping before it is saved, and the widgets that shape it. Widgets only.

The draft is unsaved input; Save turns it into one `curate` decision. Every widget is set from the draft before it is
drawn and writes back to it, so that presets, rules and undo move all of them.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from cadc.curation import INSIDE, PRESETS, RULES, STAGINGS, CurationSettings
from cadc.curation.settings import ORDER_KNOWN
from cadc.curation.workbench import Workbench
from cadc.errors import CadcError
from cadc.views import shares as parts
from cadc.views.adding import presets_of
from cadc.views.curating import tagged
from cadc.views.curriculum import JUDGES, CurriculumView, draft_mark, of_preset
from cadc.views.palette import colour
from cadc.views.settings import preset_help, preset_names
from pages._parts.tab import show, shown, tab

RULE_HELP = ("What decides the shares. self-influence: what the model still finds hard gets more. uniform: equal. "
             "pool-size: as many as there are. target-share: by target units. manual: the sliders; moving one switches "
             "to it.")
STAGING_HELP = ("mix: all rows shuffled, one stage. soft: the mixture shifts step by step and earlier capabilities "
                "come back. hard: one capability after the other, as in the paper.")


def current(bench: Workbench) -> CurationSettings:
    """The draft; the saved settings when there is none, or when they changed since it was begun."""
    held = tab()
    return held.draft if held.draft and held.draft_of == draft_mark(bench) else bench.settings


def put(bench: Workbench, **changed: Any) -> None:
    """Change settings of the draft; `say_refused` says on the next run why that was not possible. For callbacks."""
    _make(bench, lambda draft: dataclasses.replace(draft, **changed))


def _make(bench: Workbench, change: Callable[[CurationSettings], CurationSettings]) -> None:
    held = tab()
    try:
        held.draft = change(current(bench))
        held.draft_of = draft_mark(bench)
    except CadcError as error:
        held.refused = str(error)


def forget() -> None:
    """Back to what is saved."""
    tab().draft = None


def bound(view: CurriculumView, widget: Callable[..., Any], field: str, label: str, *,
          write: Callable[[Any], Any] = lambda v: v, read: Callable[[Any], Any] = lambda v: v, at: str = "draft",
          **options: Any) -> None:
    """A widget tied to one field of the draft; `at`: tells widgets of one field in several places apart."""
    key = f"{at}-{field}"
    show(key, write(getattr(view.draft, field)))
    widget(label, key=key, on_change=lambda: put(view.bench, **{field: read(shown(key))}), **options)


def preset(view: CurriculumView) -> None:
    """Preset switch: another preset brings its own complete choices (METHOD §3), the budget stays."""
    def take() -> None:
        chosen = of_preset(view.bench, current(view.bench), shown("draft-preset"))
        put(view.bench, **{f.name: getattr(chosen, f.name) for f in dataclasses.fields(chosen)})

    show("draft-preset", view.draft.preset)
    ready, missing = presets_of(view.bench.study)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control("Preset", ready, key="draft-preset", required=True, on_change=take,
                             help=preset_help(lambda one: one.about))
        for name in preset_names():
            if name not in ready:
                st.button(name, disabled=True, key=f"draft-preset-{name}", help="needs gradients")
    if missing:
        st.caption(missing)


def typed_into(place: Any, label: str, value: float, least: float, most: float, *, key: str,
               take: Callable[[str], None], **options: Any) -> None:
    """A field beside a slider of the same number. A browser says a moment later what a field was told to show, and that
    would undo what the slider got meanwhile: so it is another field for every value, and deaf to that value."""
    key = f"{key}-{value}"

    def changed() -> None:
        if shown(key) != value:
            take(key)

    place.number_input(label, least, most, value, key=key, on_change=changed, **options)


def moved_by_hand(draw: Callable[[str, float, Callable[[], None]], None], value: float, *, key: str,
                  take: Callable[[str], None]) -> None:
    """A slider that moves with others, drawn under a key with a value. It stays the same one while a person moves it,
    so that no key is lost; told to show something else it is another one, which is deaf to that value until somebody
    has moved it: a browser says a moment later what it was told."""
    sliders = tab().sliders
    number = sliders.setdefault(key, 0)
    if not math.isclose(shown(f"{key}-{number}", value), value, abs_tol=1e-6):
        number = sliders[key] = number + 1
    own = f"{key}-{number}"

    def changed() -> None:
        if own in tab().touched or not math.isclose(shown(own), value, abs_tol=1e-6):
            tab().touched.add(own)
            take(own)

    draw(own, value, changed)


def shares(view: CurriculumView) -> None:
    """One slider and one field to type in per capability; they always sum to 100 %."""
    bound(view, st.selectbox, "rule", "Budget of each capability", options=RULES, help=RULE_HELP)
    table = view.now.budgets
    now = parts.parts_of(dict(zip(table["capability"], table["share"], strict=True)))

    def take(capability: str, key: str) -> None:
        locked = [c for c in now if shown(f"draft-lock-{c}")]
        wanted = parts.parts_from(shown(key))
        moved = parts.rebalance(now, capability, wanted, locked)
        put(view.bench, rule="manual", shares=tuple(moved.items()))

    places = (0.12, 1.6, 3, 1.5, 0.8, 1.4)
    for column, text in zip(st.columns(places), ("", "capability", "share", "in %", "lock", "rows"), strict=True):
        column.caption(text)
    for row in table.itertuples():
        share = parts.parts_shown(now[row.capability])
        mark, name, slider, typed, lock, rows = st.columns(places, vertical_alignment="center", gap="small")
        mark.html(f'<div style="width:12px;height:32px;border-radius:3px;background:{colour(row.capability)}"></div>')
        name.text(row.name if row.name == row.capability else f"{row.capability} · {row.name}")
        moved_by_hand(partial(_share_slider, slider, row.capability), share, key=f"draft-share-{row.capability}",
                      take=partial(take, row.capability))
        typed_into(typed, f"Type the share of {row.capability} in %", share, 0.0, 100.0, format="%.1f", step=0.1,
                   label_visibility="collapsed", key=f"draft-typed-{row.capability}",
                   take=partial(take, row.capability))
        lock.checkbox(f"lock {row.capability}", key=f"draft-lock-{row.capability}", label_visibility="collapsed")
        rows.text(f"{row.rows:,}\nof {row.available:,}")  # on two lines: millions fit a narrow column
    st.caption("A locked share stays when others are moved. Rows: chosen, of those left in its pool after the filters.")


def _share_slider(place: Any, capability: str, key: str, value: float, changed: Callable[[], None]) -> None:
    place.slider(f"Share of {capability} in %", 0.0, 100.0, value, step=0.1, format="%.1f %%", key=key,
                 on_change=changed, label_visibility="collapsed")


def order(view: CurriculumView) -> None:
    """Order of stages, by hand with up and down."""
    names = dict(zip(view.bench.capabilities.ids, view.names, strict=True))
    ids = view.now.report["order"]

    def move(capability: str, by: int) -> None:
        put(view.bench, order=tuple(parts.moved(ids, capability, by)))

    st.markdown("**Order of stages**")
    if view.draft.staging == "mix":
        st.caption("None: all rows are one mixed stage. Soft and hard stages have an order.")
        return
    for place, capability in enumerate(ids, 1):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("", icon=":material/arrow_upward:", key=f"up-{capability}", on_click=move, args=(capability, -1),
                      help=f"Train {capability} earlier", disabled=place == 1)
            st.button("", icon=":material/arrow_downward:", key=f"down-{capability}", on_click=move,
                      args=(capability, 1), help=f"Train {capability} later", disabled=place == len(ids))
            st.text(f"{place}. {names[capability]}", width="content")
    if view.order_note:
        st.caption(view.order_note)
    st.button("By self-influence" if not view.order_note else "As they are numbered", icon=":material/auto_awesome:",
              disabled=not view.draft.order,
              on_click=lambda: put(view.bench, order=()),
              help="The capability whose self-influence falls earliest comes first.")


def staging(view: CurriculumView) -> None:
    """How stages follow each other, and the order inside one."""
    bound(view, st.segmented_control, "staging", "Stages", options=STAGINGS, required=True, help=STAGING_HELP)
    st.caption(ORDER_KNOWN)
    if view.draft.staging == "soft":
        bound(view, st.slider, "replay", "Replayed share of earlier capabilities", min_value=0.0, max_value=0.9,
              step=0.05)
    if view.draft.staging != "mix":
        bound(view, st.selectbox, "inside", "Inside a stage", options=INSIDE)


def filters(view: CurriculumView) -> None:
    """What is left out before anything is chosen."""
    scores = view.bench.scores
    bound(view, st.toggle, "drop_duplicates", "Leave out near-duplicates")
    if scores.has_judge:
        bound(view, st.slider, "loss_quantile", "Leave out rows that look wrong (1: keep all)", min_value=0.5,
              max_value=1.0, step=0.05, help="Lower: more rows are left out.")
        st.caption(JUDGES)
    else:
        bound(view, st.slider, "drop_loss_share", "Leave out rows that look wrong: highest loss within their unit, "
              "share", min_value=0.0, max_value=0.5, step=0.01)
    signals = PRESETS[view.draft.preset].signals
    if len(signals) > 1 and scores.has_grounded:
        bound(view, st.segmented_control, "signal", "Target gradients", options=signals, required=True)
    bound(view, st.slider, "random_share", "Share drawn at random", min_value=0.0, max_value=1.0, step=0.05)
    bound(view, st.number_input, "source_cap", "Most rows of one source (0: no cap)", min_value=0, step=1)
    bound(view, st.number_input, "floor", "Floor: rows with less influence on every capability belong to none",
          step=0.1, format="%.2f")
    st.caption(view.floor_note)
    bound(view, st.number_input, "minimum_influence", "Least influence on the own capability (empty: no minimum)",
          step=0.1, format="%.2f")
    for field, label in (("keep", "Pool rows always taken"), ("drop", "Pool rows never taken")):
        bound(view, st.multiselect, field, label, options=getattr(view.draft, field), write=list, read=tuple,
              placeholder="tag rows below the table of chosen rows")
    bound(view, st.number_input, "seed", "Seed of random draws", min_value=0, step=1)


def keep_rows(view: CurriculumView, indices: list[int]) -> None:
    """Tag pool rows as always taken. For callbacks."""
    _make(view.bench, lambda draft: tagged(view.bench, draft, always=indices))


def tag(view: CurriculumView, index: int) -> None:
    """Take a pool row always or never; Filters lists the tagged rows and lets go of them."""
    now = view.draft

    def put_tag(which: str) -> None:
        _make(view.bench, lambda draft: tagged(view.bench, draft, **{which: [index]}))

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Always take it", icon=":material/push_pin:", on_click=put_tag, args=("always",),
                  disabled=index in now.keep)
        st.button("Never take it", icon=":material/block:", on_click=put_tag, args=("never",),
                  disabled=index in now.drop)
        st.text(f"pool row {index}")
