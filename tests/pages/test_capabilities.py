"""The Capabilities page: every gesture is one decision, follows at once, survives, and can be taken back."""

import json

import numpy as np

from cadc.curation.workbench import open_workbench
from cadc.discovery.labelling import to_json
from cadc.discovery.similarities import SIMILARITIES
from cadc.study import Study, write_array, write_json
from cadc.study.decisions import latest, read_decisions


def pressed(page, label):
    next(b for b in page.button if b.label == label).click()
    page.run()
    assert not page.exception, page.exception
    return page


def fields(page) -> dict[str, str]:
    return {t.label.split(" · ")[0]: t.value for t in page.text_input}


def unit_rows(page):
    return page.dataframe[1].value.set_index("unit")


def test_empty_cache_points_to_the_data_page(empty_cache, open_page):
    assert "Data" in open_page("3_capabilities").info[0].value


def test_study_without_scores_says_what_is_missing(study, open_page):
    study.result("scores").reopen()
    assert "Trajectories" in open_page("3_capabilities").info[0].value


def test_typed_name_is_kept_and_shown_in_the_table(study, open_page):
    page = open_page("3_capabilities", study="trial")
    field = next(t for t in page.text_input if t.label.startswith("Name of c1 "))
    field.set_value("perceptual recognition").run()
    assert fields(page)["Name of c1"] == "perceptual recognition"
    assert "perceptual recognition" in set(unit_rows(page)["name"])
    assert latest(read_decisions(study), "rename") == {"capability": "c1", "name": "perceptual recognition"}


def test_name_of_another_capability_is_refused_with_a_reason(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("c2").run()
    assert any("already called" in c.value for c in page.code) and read_decisions(study) == []


def test_units_moved_together_form_a_new_capability_and_one_undo_takes_them_back(study, open_page):
    page = open_page("3_capabilities", study="trial")
    before = unit_rows(page)["name"].to_dict()
    chosen = list(before)[:2]
    page.multiselect(key=f"selected-{study.identity}").set_value(chosen)
    next(s for s in page.selectbox if s.label == "Move them to").set_value("new")
    page.run()
    pressed(page, "Move")
    after = unit_rows(page)["name"].to_dict()
    assert after[chosen[0]] == after[chosen[1]] not in before.values()
    assert {u: n for u, n in after.items() if u not in chosen} == {u: n for u, n in before.items() if u not in chosen}
    pressed(page, "Undo")
    assert unit_rows(page)["name"].to_dict() == before
    pressed(page, "Redo")
    assert unit_rows(page)["name"].to_dict() == after


def test_number_of_selected_units_is_said(study, open_page):
    page = open_page("3_capabilities", study="trial")
    units = list(unit_rows(page).index)
    page.multiselect(key=f"selected-{study.identity}").set_value(units[2:4]).run()
    assert any(t.value.startswith("2 of 8 units selected") for t in page.text)


def select(page, study, units) -> None:
    page.multiselect(key=f"selected-{study.identity}").set_value(list(units))
    page.run()


def test_capabilities_of_the_selected_units_are_merged_into_the_largest(study, open_page):
    page = open_page("3_capabilities", study="trial")
    found = open_workbench(study).capabilities
    assert next(b for b in page.button if b.label == "Merge").disabled
    select(page, study, [found.members("c1")[0], found.members("c2")[0]])
    pressed(page, "Merge")
    assert {label for label in fields(page)} == {f"Name of {i}" for i in found.ids if i != "c2"}
    assert set(open_workbench(study).capabilities.members("c1")) == {*found.members("c1"), *found.members("c2")}


def test_a_whole_capability_is_split_in_two_and_a_part_of_one_split_off(study, open_page):
    page = open_page("3_capabilities", study="trial")
    found = open_workbench(study).capabilities
    pressed(page, f"{len(found.members('c1'))}")  # the button that selects its units
    pressed(page, "Split")
    after = open_workbench(study).capabilities
    new = f"c{found.issued + 1}"
    assert set(after.members(new)) | set(after.members("c1")) == set(found.members("c1"))
    assert 0 < len(after.members(new)) <= len(after.members("c1"))
    pressed(page, "Undo")
    select(page, study, found.members("c1")[:1])
    pressed(page, "Split")
    assert open_workbench(study).capabilities.members(new) == found.members("c1")[:1]


def test_a_locked_capability_stays_as_it_is_when_capabilities_are_found_anew(study, open_page):
    page = open_page("3_capabilities", study="trial")
    units = open_workbench(study).capabilities.members("c2")
    select(page, study, units)
    pressed(page, "Lock")
    select(page, study, units[:1])
    next(s for s in page.selectbox if s.label == "Move them to").set_value("c1")
    page.run()
    pressed(page, "Move")
    assert any("locked" in c.value for c in page.code)
    next(s for s in page.selectbox if s.label == "Similarity").set_value("grounded")
    pressed(page, "Find capabilities")
    now = open_workbench(study).capabilities
    assert now.members(now.locked[0]) == units
    select(page, study, units)
    pressed(page, "Unlock")
    assert open_workbench(study).capabilities.locked == ()


def test_capabilities_go_out_as_a_file_and_come_back_in_one_act(study, open_page):
    found = open_workbench(study).capabilities
    other = {"format": "cadc-capabilities-1", "unassigned": [],
             "capabilities": [{"id": "c1", "name": "everything", "units": list(found.units)}]}
    page = open_page("3_capabilities", study="trial")
    next(u for u in page.file_uploader if u.label == "Capabilities from JSON").set_value(
        ("capabilities.json", json.dumps(other).encode(), "application/json"))
    page.run()
    pressed(page, "Use these capabilities")
    assert fields(page) == {"Name of c1": "everything"}
    assert json.loads(to_json(open_workbench(study).capabilities)) == other
    pressed(page, "Undo")
    assert open_workbench(study).capabilities == found


def test_a_file_that_does_not_fit_is_refused_with_its_reason(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(u for u in page.file_uploader if u.label == "Capabilities from JSON").set_value(
        ("capabilities.json", b"[]", "application/json"))
    page.run()
    assert any("cadc-capabilities-1" in c.value for c in page.code) and not page.exception


def test_lights_say_what_was_asked_with_its_number(study, open_page):
    page = open_page("3_capabilities", study="trial")
    words = [m.value for m in page.markdown if "badge" in m.value]
    assert len(words) == 3 and "not asked" in words[0] and "not measured" in words[2]
    next(b for b in page.button if b.key == "ask-stability-above").click()
    page.run()
    next(b for b in page.button if b.key == "ask-rivals-above").click()
    page.run()
    assert not page.exception
    said = [m.value for m in page.markdown if "[Evidence](#" in m.value]
    assert "adjusted Rand index" in said[0] and "agreement" in said[1]
    assert not any("not asked" in m.value for m in page.markdown)
    assert {"stability", "rivals", "transfer"} <= {s.anchor for s in page.header}


def test_stability_of_every_cell_is_one_more_measure_of_the_grid(study, open_page):
    page = open_page("3_capabilities", study="trial")
    page.session_state["evidence"] = "Choice of K"
    page.run()
    assert "stability" not in next(s for s in page.selectbox if s.key == "grid-measure").options
    pressed(page, "Test the stability of every cell")
    table = next(d.value for d in page.dataframe if "tau" in d.value)
    assert table["stability"].between(-1, 1).all() and table["agreement"].max() == 1


def test_a_selected_unit_shows_what_it_asks_beside_the_map(study, open_page):
    page = open_page("3_capabilities", study="trial")
    unit = open_workbench(study).capabilities.members("c1")[0]
    select(page, study, [unit])
    assert next(s for s in page.selectbox if s.label == "Unit shown").value == unit
    page.number_input(key="beside-no").set_value(2).run()
    asked = open_workbench(study).targets.query("unit == @unit")["question"].tolist()
    assert asked[1].strip() in [t.value.strip() for t in page.text]


def test_units_that_are_selected_are_in_the_address_and_come_from_it(study, open_page):
    page = open_page("3_capabilities", study="trial")
    units = list(open_workbench(study).scores.units)
    select(page, study, [units[3], units[1]])
    assert page.query_params["units"] == [units[3], units[1]]
    again = open_page("3_capabilities", study="trial", units=[units[3], units[1], "nobody *x*"])
    assert again.multiselect(key=f"selected-{study.identity}").value == [units[3], units[1]]
    assert any(c.value == "No unit is called 'nobody *x*' here." for c in again.code)
    assert any(t.value.startswith("2 of 8 units selected") for t in again.text)
    select(again, study, [])
    assert "units" not in again.query_params and not any("nobody" in c.value for c in again.code)


def test_a_link_to_a_capability_selects_its_units(study, open_page):
    found = open_workbench(study).capabilities
    page = open_page("3_capabilities", study="trial", capability="c2")
    assert page.multiselect(key=f"selected-{study.identity}").value == list(found.members("c2"))
    size = len(found.members("c2"))
    pressed(page, f"{size} of {size}")  # the button that selects its units says how many of them are
    assert page.query_params["units"] == list(found.members("c2")) and "capability" not in page.query_params


def test_selected_units_stay_with_their_study(study, open_page):
    from dataclasses import replace

    Study.create("second", replace(study.config, preset="paper"), created="2026-01-02T00:00:00")
    units = open_workbench(study).scores.units
    page = open_page("3_capabilities", study="trial", units=units[0])
    next(s for s in page.sidebar.selectbox if s.label == "Study").set_value("second").run()
    assert "units" not in page.query_params and not page.exception
    next(s for s in page.sidebar.selectbox if s.label == "Study").set_value("trial").run()
    assert any(t.value.startswith("0 of 8 units selected") for t in page.text)


def test_found_with_other_settings_is_one_decision(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(s for s in page.selectbox if s.label == "Similarity").set_value("grounded")
    next(c for c in page.checkbox).uncheck()
    next(s for s in page.slider if "τ" in s.label).set_value(0.3)
    pressed(page, "Find capabilities")
    made = read_decisions(study)
    assert [d.kind for d in made] == ["discover"]
    assert made[0].payload["signal"] == "grounded" and made[0].payload["tau"] == 0.3
    assert any("τ 0.300" in t.value for t in page.text)


def test_every_kind_of_evidence_opens(study, open_page):
    page = open_page("3_capabilities", study="trial")
    for name in ("Choice of K", "Checkpoints", "Proportions", "Two labellings"):
        page.session_state["evidence"] = name
        page.run()
        assert not page.exception and not page.error, (page.exception, page.error)
    assert any(t.value.startswith("Adjusted Rand index") for t in page.text)
    page.session_state["evidence"] = "Checkpoints"
    page.run()
    page.slider(key="checkpoint").set_value(1).run()
    assert any(t.value.startswith("Checkpoint 1 of 3") for t in page.text)
    pressed(page, "Compare with words and pictures")
    assert set(page.dataframe[-1].value["rival"]) == {"answer format", "question words", "pictures"}


def test_unit_that_is_moved_nowhere_is_unassigned(study, open_page):
    page = open_page("3_capabilities", study="trial")
    unit = unit_rows(page).index[0]
    page.multiselect(key=f"selected-{study.identity}").set_value([unit])
    next(s for s in page.selectbox if s.label == "Move them to").set_value("nowhere")
    page.run()
    pressed(page, "Move")
    assert unit_rows(page)["name"][unit] == "unassigned"
    assert open_workbench(study).capabilities.unassigned == (unit,)


def test_name_that_only_blanks_tell_apart_is_typed_twice_without_harm(study, open_page):
    page = open_page("3_capabilities", study="trial")
    for _ in range(2):
        next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value(" c1 ").run()
        assert not page.exception and fields(page)["Name of c1"].strip() == "c1"


def test_stability_is_computed_when_asked_for_and_then_shown(study, open_page):
    page = open_page("3_capabilities", study="trial")
    assert not page.metric
    pressed(page, "Test the stability")
    assert [m.label for m in page.metric][0] == "mean adjusted Rand index"
    page.run()
    assert page.metric, "what was computed stays"


def test_hdbscan_is_an_alternative_of_equal_rank(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(r for r in page.radio if r.label == "Method").set_value("hdbscan")
    pressed(page, "Find capabilities")
    assert any(t.value.startswith("in force: hdbscan, smallest group 2") for t in page.text)
    assert read_decisions(study)[0].payload["method"] == "hdbscan"


def test_page_opened_again_shows_what_was_decided_before(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("reading").run()
    assert fields(open_page("3_capabilities", study="trial"))["Name of c1"] == "reading"


def keep_transfer(study: Study, *, silent: int = 2) -> None:
    """What the job `transfer` leaves, of eight units in two groups, one of which learns nothing from itself."""
    units = json.loads(study.result("scores").intact("scores.json").read_text())["units"]
    group = np.arange(len(units)) % 2
    rng = np.random.default_rng(0)
    drop = (group[:, None] == group) + 0.1 * rng.normal(size=(len(units), len(units)))
    drop[silent, silent] = -0.5
    unit = np.repeat(np.arange(len(units)), 3)
    folder = study.result("transfer").folder
    before = np.full(len(unit), 3, np.float32)
    for name, values in (("before", before), ("after", (before - drop[:, unit]).astype(np.float32)), ("unit", unit),
                         ("held", np.ones(len(unit), bool))):
        write_array(folder / f"{name}.npy", values)
    write_json(folder / "transfer.json", {"units": units})
    study.result("transfer").finish()


def test_transfer_is_offered_with_its_price_and_everything_not_ready_says_why(study, open_page):
    page = open_page("3_capabilities", study="trial")
    similarity = next(s for s in page.selectbox if s.label == "Similarity")
    ready = similarity.options
    assert all(f"**{name}**: {SIMILARITIES[name].about}" in similarity.help for name in ready)
    assert any(option.startswith("plain") for option in ready) and not any(o.startswith("transfer") for o in ready)
    assert any(c.value == "transfer, not ready" for c in page.caption)
    assert any(b.label == "Measure transfer" for b in page.button)
    assert any("Not measured yet" in t.value and "16 short trainings" in t.value for t in page.text)


def test_measured_transfer_speaks_of_the_map_marks_units_and_draws_one(study, open_page):
    keep_transfer(study)
    page = open_page("3_capabilities", study="trial")
    assert not page.exception and not page.error
    units = open_workbench(study).scores.units
    assert any(t.value == units[2] for t in page.text), "the unit that learns nothing is marked"
    assert "Spearman of the similarity with transfer" in set(page.dataframe[-1].value["question"])
    pressed(page, "Draw the map from it")
    assert latest(read_decisions(study), "discover")["signal"] == "transfer"
    found = open_workbench(study).capabilities.of_unit
    assert found == tuple(m % 2 for m in range(len(units))), "the planted groups, the silent unit in its own"
    pressed(page, "Test the stability")
    assert any("trainings are not" in t.value for t in page.text)


def test_a_map_whose_measurement_is_gone_says_what_it_is_drawn_from_instead(study, open_page):
    keep_transfer(study)
    page = open_page("3_capabilities", study="trial")
    pressed(page, "Draw the map from it")
    study.result("transfer").reopen()
    page = open_page("3_capabilities", study="trial")
    assert any("drawn from 'plain' instead" in t.value for t in page.text)
    assert open_workbench(study).similarity.shape == (8, 8)


def test_proposed_names_are_one_act_and_leave_typed_ones(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("my own").run()
    offered = next(t.value for t in page.text if t.value.startswith("c2 → "))
    assert "c1 → " not in offered
    pressed(page, "Use proposed names")
    now = fields(page)
    assert now["Name of c1"] == "my own"
    for line in offered.splitlines():
        capability, _, name = line.partition(" → ")
        assert now[f"Name of {capability}"] == name
    pressed(page, "Undo")
    assert fields(page)["Name of c2"] == "c2" and fields(page)["Name of c1"] == "my own"


def test_every_unit_shows_what_it_asks(study, open_page):
    page = open_page("3_capabilities", study="trial")
    members = open_workbench(study).capabilities.members("c1")
    shown = [t.value for t in page.text]
    assert all(any(text.startswith(f"{unit} · 1 of ") for text in shown) for unit in members[:9])
    page.number_input(key="examples-no").set_value(999).run()
    assert not page.exception and not page.error
    assert f"{members[0]} · 6 of 6" in [t.value for t in page.text], "a unit of fewer samples shows its last"
