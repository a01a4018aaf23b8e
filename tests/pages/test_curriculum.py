"""The Curriculum page on a finished study: the draft, the decision it becomes, and the files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cadc.curation.workbench import open_workbench
from cadc.data.lengths import Lengths, write_lengths
from cadc.jobs.control import JobStatus, write_status
from cadc.scores import columns
from cadc.study import Study, write_array
from cadc.study.decisions import latest, read_decisions


def shares(page) -> dict[str, float]:
    """What the capability sliders show."""
    return {s.label.split()[2]: s.value for s in page.slider if s.label.startswith("Share of ")}


def labelled(widgets, label: str):
    """The widget with this label."""
    return next(w for w in widgets if w.label == label)


def press(page, label: str):
    next(b for b in page.button if b.label == label).click()
    page.run()
    assert not page.exception and not page.error
    return page


@pytest.fixture
def page(study, open_page):
    return open_page("5_curriculum", study="trial")


def test_sliders_show_the_rule_and_sum_to_all(study, page):
    table = open_workbench(study).curriculum.budgets.set_index("capability")
    assert sum(shares(page).values()) == pytest.approx(100)
    assert shares(page) == pytest.approx({c: 100 * v for c, v in table["share"].items()}, abs=0.1)


def test_a_study_that_shares_every_result_exports_itself(study, open_page):
    twin = Study.create("twin", replace(study.config, transfer_steps=7), created="2026-01-01T00:00:00")
    assert twin.complete and twin.identity != study.identity
    for name, folder in (("trial", study.folder), ("twin", twin.folder)):
        page = open_page("5_curriculum", study=name)
        page.segmented_control(key="details").set_value("Export").run()
        assert any(f"export {name} " in code.value for code in page.code)
        assert page.text_input(key="export-folder").value.startswith(str(folder))


def test_it_is_said_that_the_loss_stands_in_for_judges_that_have_not_run(study, open_page):
    Study.create("judged", replace(study.config, judges=1), created="2026-01-01T00:00:00")
    page = open_page("5_curriculum", study="judged")
    assert any(c.value.startswith("The job judge, which finds wrong answers, has not run") for c in page.caption)
    page.slider(key="draft-drop_loss_share").set_value(0.0).run()
    assert not any("job judge" in c.value for c in page.caption), "no row is left out for its loss"
    page = open_page("5_curriculum", study="trial")
    assert study.config.judges == 0 and not any("job judge" in c.value for c in page.caption), "it wants none"


def test_settings_of_stages_are_shown_where_there_are_stages(page):
    def shown() -> set[str]:
        return {s.label for s in (*page.selectbox, *page.slider)} & {"Stage", "Inside a stage",
                                                                     "Replayed share of earlier capabilities"}

    assert shown() == set()
    page.segmented_control(key="draft-staging").set_value("soft").run()
    assert len(shown()) == 3
    page.segmented_control(key="draft-staging").set_value("hard").run()
    assert shown() == {"Stage", "Inside a stage"}


def test_one_moved_share_moves_the_others_and_locked_ones_stay(page):
    before = shares(page)
    first, second, *_ = before
    page.checkbox(key=f"draft-lock-{second}").check().run()
    labelled(page.slider, f"Share of {first} in %").set_value(50.0).run()
    after = shares(page)
    assert after[first] == 50.0 and after[second] == before[second]
    assert sum(after.values()) == pytest.approx(100)
    assert page.selectbox(key="draft-rule").value == "manual"
    for again in (30.2, 50.0, 30.2):  # one that was told to show something is moved back to that, too
        labelled(page.slider, f"Share of {first} in %").set_value(again).run()
        assert shares(page)[first] == again and sum(shares(page).values()) == pytest.approx(100)


def test_a_share_can_be_typed(page):
    first = next(iter(shares(page)))
    labelled(page.number_input, f"Type the share of {first} in %").set_value(41.5).run()
    assert shares(page)[first] == 41.5 and sum(shares(page).values()) == pytest.approx(100)
    typed = {n.label.split()[4]: n.value for n in page.number_input if n.label.startswith("Type the share")}
    assert typed == shares(page)


def test_saving_is_one_decision_that_undo_takes_back(study, page):
    labelled(page.number_input, "Rows").set_value(30).run()
    assert read_decisions(study) == [], "nothing is decided before Save"
    press(page, "Save")
    saved = latest(read_decisions(study), "curate")
    assert open_workbench(study).settings.to_dict() == saved
    assert len(open_workbench(study).curriculum.rows) == 30
    press(page, "Undo")
    assert latest(read_decisions(study), "curate") is None
    assert labelled(page.number_input, "Rows").value == 15


def test_a_budget_is_moved_on_a_logarithmic_scale_or_typed_as_a_share(study, page):
    def scale():
        return labelled(page.select_slider, "Total budget, share of 300 scored rows")

    assert scale().value == 5.0
    scale().set_value(10.0).run()
    assert labelled(page.number_input, "Rows").value == 30
    page.segmented_control(key="budget-unit").set_value("share").run()
    labelled(page.number_input, "Share in %").set_value(3.5).run()
    assert scale().value == 3.5 == labelled(page.number_input, "Share in %").value
    assert any(t.value.startswith("3.67 % · 11 rows") for t in page.text)
    assert "tokens" not in page.segmented_control(key="budget-unit").options, "nobody has counted them"
    assert any("--until lengths counts them" in t.value for t in page.text)


def test_a_budget_is_typed_in_tokens(study, open_page):
    tokens = np.random.default_rng(0).integers(5, 90, 300, dtype=np.int32)
    result = study.result("lengths")
    write_lengths(result, {role: Lengths(tokens=values, refused={}, how="by hand") for role, values in (
        ("pool", tokens), ("target", np.full(48, 9, np.int32)))})
    result.finish()
    page = open_page("5_curriculum", study="trial")
    page.segmented_control(key="budget-unit").set_value("tokens").run()
    labelled(page.number_input, "Tokens").set_value(1000.0).run()
    typed = labelled(page.number_input, "Tokens").value
    assert 900 < typed <= 1000 and any(t.value.endswith(f" · {typed:,.0f} tokens") for t in page.text)
    press(page, "Save")
    rows = open_workbench(study).curriculum.rows["index"].to_numpy()
    place = np.searchsorted(open_workbench(study).table["index"].to_numpy(), rows)
    assert tokens[place].sum() == typed


def test_one_goes_back_to_an_earlier_curriculum_in_one_act_that_undo_takes_back(study, page):
    page.segmented_control(key="details").set_value("Saved").run()
    assert any("Nothing was saved yet" in t.value for t in page.text)
    for rows in (30, 40):
        labelled(page.number_input, "Rows").set_value(rows).run()
        press(page, "Save")
    page.segmented_control(key="details").set_value("Saved").run()
    assert any(t.value.startswith("30 rows in common, 75% of all") for t in page.text)
    assert labelled(page.button, "Go back to the first").disabled, "it is in force"
    press(page, "Go back to the second")
    assert len(open_workbench(study).curriculum.rows) == 30
    assert labelled(page.number_input, "Rows").value == 30
    press(page, "Undo")
    assert len(open_workbench(study).curriculum.rows) == 40


def test_the_next_step_after_saving_is_the_export(study, page):
    labelled(page.number_input, "Rows").set_value(30).run()
    assert labelled(page.button, "Next: export").disabled
    press(page, "Save")
    press(page, "Next: export")
    assert page.segmented_control(key="details").value == "Export"
    assert any(b.label == "Export" for b in page.button)


def test_the_gain_is_said_to_be_unknown_where_nothing_was_measured(page):
    assert any(t.value == "Not measured here." for t in page.text)
    assert any(b.label == "Measure it on Evaluation" for b in page.button)


def test_a_source_gets_a_cap_of_its_own(study, page):
    page.segmented_control(key="details").set_value("Composition").run()
    assert not page.exception
    table = next(f.value for f in page.dataframe if "cap" in f.value)
    assert table["chosen"].sum() == 15 and table["cap"].isna().all()


def test_a_preset_brings_its_own_choices(page):
    page.segmented_control(key="draft-preset").set_value("paper").run()
    assert page.segmented_control(key="draft-staging").value == "hard"
    assert not page.exception


def test_stages_are_ordered_by_hand_and_given_back(study, page):
    order = open_workbench(study).curriculum.report["order"]
    assert not [b for b in page.button if b.key == f"down-{order[0]}"], "mixed rows have no order of stages"
    page.segmented_control(key="draft-staging").set_value("soft").run()
    page.button(key=f"down-{order[0]}").click().run()
    press(page, "Save")
    assert open_workbench(study).curriculum.report["order"] == [order[1], order[0], *order[2:]]
    press(page, "By self-influence")
    press(page, "Save")
    assert open_workbench(study).curriculum.report["order"] == order


def test_the_floor_says_how_many_rows_fall_below_it(study, page):
    def note():
        return next(c.value for c in page.caption if "the floor of" in c.value)

    none = int((open_workbench(study).assignment < 0).sum())
    assert note().startswith(f"{none:,} of ")
    page.number_input(key="draft-floor").set_value(1.0).run()
    more = int((open_workbench(study).with_settings(floor=1.0).assignment < 0).sum())
    assert more > none and note().startswith(f"{more:,} of ")


def test_a_draft_dies_with_discard(study, page):
    labelled(page.number_input, "Rows").set_value(99).run()
    press(page, "Discard")
    assert labelled(page.number_input, "Rows").value == 15 and read_decisions(study) == []


def test_every_chosen_row_shows_its_target_question(study, page):
    table = next(f.value for f in page.dataframe if "serves" in f.value)
    assert len(table) == 15 and (table["serves"].str.len() > 0).all()
    assert set(table["index"]) == set(open_workbench(study).curriculum.rows["index"])


def test_a_row_can_be_kept_out_and_given_back(study, page):
    def shown():
        return set(next(f.value for f in page.dataframe if "serves" in f.value)["index"])

    first = next(f.value for f in page.dataframe if "serves" in f.value)["index"].iloc[0]
    press(page, "Never take it")
    assert first not in shown() and len(shown()) == 15
    page.multiselect(key="draft-drop").set_value([]).run()
    assert first in shown()


def test_composition_opens(page):
    page.segmented_control(key="details").set_value("Composition").run()
    assert not page.exception
    assert any("drawn 15 of 15 chosen rows" in t.value for t in page.text)


def test_the_page_exports_what_it_saved(study, page, tmp_path):
    labelled(page.select_slider, "Total budget, share of 300 scored rows").set_value(10.0).run()
    page.segmented_control(key="details").set_value("Export").run()
    assert next(b for b in page.button if b.label == "Export").disabled, "unsaved changes are not exported"
    press(page, "Save")
    page.segmented_control(key="details").set_value("Export").run()
    page.text_input(key="export-folder").set_value(str(tmp_path / "out")).run()
    press(page, "Export")
    written = tmp_path / "out" / "trl"
    manifest = json.loads((written / "manifest.json").read_text())
    lines = (written / "curriculum.jsonl").read_text().splitlines()
    chosen = open_workbench(study).curriculum.rows
    assert len(lines) == manifest["rows_written"] == 30
    assert [row["index"] for row in manifest["rows"]] == chosen["index"].tolist()
    shown = next(f.value for f in page.dataframe if "sha256" in f.value)
    assert set(shown["sha256"]) == {f["sha256"] for f in manifest["files"] + manifest["beside"]}
    assert any("cadc export trial --budget 10% --for trl --pictures copy" in c.value for c in page.code)
    assert any(c.value.endswith("run.sh") and c.value.startswith("MODEL=") for c in page.code)
    assert any("trl.zip, the whole folder" in b.label for b in page.get("download_button"))
    page.selectbox(key="export-trainer").set_value("axolotl").run()
    assert page.selectbox(key="export-pictures-axolotl").options == [
        "copy: copied beside the rows", "link: hard links: no second copy, same disk only",
        "absolute: left where they are; for this machine only"]
    page.selectbox(key="export-trainer").set_value("ids").run()
    assert not [box for box in page.selectbox if box.label == "Pictures"] and not page.exception


def test_an_export_that_cannot_be_written_is_one_message(study, page, tmp_path):
    (tmp_path / "file").write_text("in the way")
    page.segmented_control(key="details").set_value("Export").run()
    page.text_input(key="export-folder").set_value(str(tmp_path / "file")).run()
    next(b for b in page.button if b.label == "Export").click()
    page.run()
    assert not page.exception and len(page.error) == 1


def test_without_a_capability_it_says_what_to_do(study, open_page):
    from pages._parts.shell import open_store

    store = open_store()
    store.load_study(study)
    for unit in open_workbench(Study.open("trial")).scores.units:
        store.decide(study, "move", {"unit": unit, "to": None})
    page = open_page("5_curriculum", study="trial")
    assert any("There is no capability yet" in i.value for i in page.info)


def chosen(page) -> list[int]:
    """Pool rows on the first page of the table."""
    return next(f.value for f in page.dataframe if "serves" in f.value)["index"].tolist()


def test_scores_that_are_written_while_the_page_is_open_are_followed_without_a_restart(study, page):
    before = chosen(page)
    for job, choice in (("scores", "gradients"), ("near", "joined")):
        result = study.result(job)  # made anew while the page is open
        result.reopen()
        for name in ("near", "best_index", "best_value"):
            path = result.folder / columns.file_of(f"{name}.{choice}")
            write_array(path, np.ascontiguousarray(np.load(path)[::-1]))
        result.finish()
    page.run()
    expected = open_workbench(study).curriculum.rows["index"].tolist()
    assert not page.exception and chosen(page) == expected != before


def test_scores_of_a_job_that_has_not_ended_are_not_shown(study, open_page):
    study.result("scores").reopen()
    write_status(study, JobStatus(job="scores", state="queued"))
    page = open_page("5_curriculum", study="trial")
    assert any("they are not computed yet" in i.value for i in page.info) and not page.slider
    study.result("scores").finish()
    page.run()
    assert page.slider


def test_what_is_left_out_is_shown_by_reason_and_taken_back(study, page):
    out = open_workbench(study).curriculum.report["left_out"]
    page.segmented_control(key="details").set_value("Left out").run()
    box = page.selectbox(key="left-out-reason")
    assert [option.rpartition(" · ")[2] for option in box.options] == [f"{n:,} rows" for n in out.values() if n]
    assert labelled(page.button, "Always take the ticked rows").disabled
    table = next(f.value for f in page.dataframe if "against" in f.value)
    assert len(table) == min(20, next(n for n in out.values() if n)) and (table["against"] != "").all()
    first = int(table["index"].iloc[0])
    reason, count = next((reason, n) for reason, n in out.items() if n)
    place = int(np.flatnonzero(np.asarray(open_workbench(study).scores.index) == first)[0])
    ticks = f"left-out-{reason}-{place}-{count}-table"
    page.session_state[ticks] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    page.run()
    labelled(page.button, "Always take the ticked rows").click().run()
    assert not page.exception and not page.error
    assert first in page.multiselect(key="draft-keep").value
    assert labelled(page.button, "Always take the ticked rows").disabled, "the next row is not ticked in its place"
    press(page, "Save")
    assert first in open_workbench(study).curriculum.rows["index"].tolist()
