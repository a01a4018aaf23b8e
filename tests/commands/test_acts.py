"""Acts by commands: each is one decision, refused in one line where it does not apply."""

import json

import pytest

from cadc.curation.workbench import open_workbench
from cadc.store import Store
from cadc.study.decisions import latest, read_decisions


def groups(found: dict) -> dict[str, list[str]]:
    return {one["id"]: one["units"] for one in found["capabilities"]}


@pytest.fixture
def first(trial, told) -> dict:
    """The map before anything was decided."""
    return told("capabilities", "trial")


# ---- capabilities ----------------------------------------------------------------------------------------------------
def test_the_map_that_is_printed_is_the_one_in_force(trial, first, said):
    bench = open_workbench(trial)
    assert first["capabilities"] == bench.capabilities.describe() and len(first["capabilities"]) > 1
    assert first["found"]["signal"] == bench.discovery.signal and first["found"]["tau"] == bench.partition.tau
    text = said("capabilities", "trial")
    assert all(f"  {c}, {len(units)} units: {', '.join(units)}\n" in text for c, units in groups(first).items())
    assert read_decisions(trial) == []


def test_find_changes_what_is_named_and_nothing_else(trial, told):
    told("find", "trial", "--gamma", "1.5")
    usual = open_workbench(trial).discovery
    found = told("find", "trial", "--tau", "0.2")
    assert (found["found"]["tau"], found["found"]["gamma"], found["found"]["signal"]) == (0.2, 1.5, usual.signal)
    assert told("find", "trial", "--tau", "auto", "--signal", "words")["found"]["gamma"] == 1.5
    assert latest(read_decisions(trial), "discover") == {"method": "leiden", "tau": None, "gamma": 1.5, "min_size": 2,
                                                         "signal": "words", "seed": 0}


@pytest.mark.parametrize("arguments, words", [
    (["--signal", "smell"], "expected one of plain"), (["--tau", "many"], "expected a number"), (["--tau", "7"], "τ=7"),
    (["--gamma", "0"], "γ=0"), (["--method", "hdbscan", "--min-size", "1"], "at least 2 units"),
    (["--signal", "transfer"], "'transfer' is not ready: the job 'transfer' measures")])
def test_a_map_that_cannot_be_found_is_refused_and_not_written_down(trial, refused, arguments, words):
    assert words in refused("find", "trial", *arguments)
    assert read_decisions(trial) == []


def test_names_moves_and_merges_are_in_force_at_once(trial, first, told):
    c1, c2 = (groups(first)[c] for c in ("c1", "c2"))
    assert told("rename", "trial", "c1", "räumlich ✓")["capabilities"][0]["name"] == "räumlich ✓"
    moved = groups(told("move", "trial", c1[0], c2[0], "--to", "new"))
    new = next(units for units in moved.values() if set(units) == {c1[0], c2[0]})
    assert new and set(moved["c1"]) == set(c1[1:])
    assert told("move", "trial", c1[0], "--to", "nowhere")["unassigned"] == [c1[0], *first["unassigned"]]
    merged = told("merge", "trial", "c2", "--into", "Räumlich ✓")
    assert "c2" not in groups(merged) and set(c2[1:]) <= set(groups(merged)["c1"])
    assert [d.kind for d in read_decisions(trial)] == ["rename", "move", "move", "move", "merge"]
    assert len({d.batch for d in read_decisions(trial)}) == 4, "a move of two units is one act"


def test_a_locked_capability_stays_as_it_is_until_it_is_unlocked(trial, first, told, refused):
    unit = groups(first)["c1"][0]
    told("rename", "trial", "c1", "kept")
    assert told("lock", "trial", "Kept", "c2")["locked"] == ["c1", "c2"]
    assert len({d.batch for d in read_decisions(trial) if d.kind == "lock"}) == 1, "one act"
    assert told("lock", "trial", "c2")["decided"] is False
    assert "'c1' is locked" in refused("move", "trial", unit, "--to", "nowhere")
    found = told("find", "trial", "--gamma", "2.5")
    assert groups(first)["c1"] in groups(found).values() and len(found["locked"]) == 2
    open_again = told("lock", "trial", "kept", "--off")
    assert len(open_again["locked"]) == 1 and told("move", "trial", unit, "--to", "nowhere")["decided"]


def test_what_does_not_apply_is_refused_in_one_line(trial, first, refused):
    unit = groups(first)["c1"][0]
    for words, *arguments in (
            ("there is no capability 'c99'. There are: c1, c2", "rename", "trial", "c99", "x"),
            ("already called 'c2'", "rename", "trial", "c1", "c2"),
            ("1 to 80 characters", "rename", "trial", "c1", " "), ("one line of text", "rename", "trial", "c1", "a\nb"),
            ("expected a capability and its new name", "rename", "trial"),
            ("expected a capability and its new name", "rename", "trial", "c1"),
            ("or --proposed without them", "rename", "trial", "c1", "x", "--proposed"),
            ("'nobody'. `python -m cadc capabilities trial` shows", "move", "trial", "nobody", "--to", "new"),
            ("no target unit 'nobody'", "move", "trial", unit, "nobody", "--to", "c2"),
            ("there is no capability 'c99'", "move", "trial", unit, "--to", "c99"),
            ("merged into itself", "merge", "trial", "c1", "--into", "c1"),
            ("there is no capability 'c99'", "lock", "trial", "c99"),
            ("nothing is in force of capabilities", "undo", "trial", "capabilities"),
            ("nothing of curation was taken back", "redo", "trial", "curation")):
        assert words in refused(*arguments)
    assert read_decisions(trial) == []


def test_the_same_act_twice_is_one(trial, told):
    assert told("rename", "trial", "c1", "x")["decided"] is True
    assert told("rename", "trial", "c1", "x")["decided"] is False
    assert len(read_decisions(trial)) == 1


def test_proposed_names_are_one_act_and_leave_typed_ones(trial, told):
    told("rename", "trial", "c1", "typed")
    found = told("rename", "trial", "--proposed")
    assert found["capabilities"][0]["name"] == "typed"
    new = [one for one in found["capabilities"][1:] if one["name"] != one["id"]]
    assert new and len({d.batch for d in read_decisions(trial)}) == 2
    assert told("rename", "trial", "--proposed")["decided"] is False


def test_capabilities_go_out_and_come_in_as_one_act(trial, first, told, said, tmp_path):
    file, unit = tmp_path / "labels.json", groups(first)["c1"][0]
    said("rename", "trial", "c2", "counting")
    said("move", "trial", unit, "--to", "new")
    wanted = told("capabilities", "trial", "--out", str(file))
    for _ in range(2):
        said("undo", "trial", "capabilities")
    assert told("capabilities", "trial")["capabilities"] == first["capabilities"]
    found = told("capabilities", "trial", "--from", str(file))
    assert found["decided"] and sorted(groups(found).values()) == sorted(groups(wanted).values())
    assert {one["name"] for one in found["capabilities"] if one["name"] != one["id"]} == {"counting"}
    assert told("capabilities", "trial", "--from", str(file))["decided"] is False
    said("undo", "trial", "capabilities")
    assert told("capabilities", "trial")["capabilities"] == first["capabilities"], "one act"


def test_a_file_that_is_no_map_of_this_study_is_refused(trial, first, refused, tmp_path):
    file = tmp_path / "labels.json"
    for text, words in (("{", "cannot be read as JSON"), ("[]", "these are no capabilities"),
                        (json.dumps({"capabilities": [{"units": ["elsewhere"]}]}), "no target unit 'elsewhere'"),
                        (json.dumps({"capabilities": first["capabilities"][1:]}), "stands nowhere")):
        file.write_text(text)
        assert words in refused("capabilities", "trial", "--from", str(file))
    assert "cannot be read" in refused("capabilities", "trial", "--from", str(tmp_path / "none.json"))
    assert "one of the two" in refused("capabilities", "trial", "--from", str(file), "--out", str(file))


# ---- curriculum ------------------------------------------------------------------------------------------------------
def test_curate_changes_what_is_named_and_prints_what_the_curriculum_is(trial, told, said):
    assert "nothing was changed" in said("curate", "trial") and read_decisions(trial) == []
    found = told("curate", "trial", "--budget", "10%", "--staging", "soft")
    assert found["rows"] == 30 and {one["setting"] for one in found["changed"]} == {"budget", "staging"}
    assert sum(row["rows"] for row in found["budgets"]) == 30 and len(found["stages"]) > 1
    found = told("curate", "trial", "--always", "3", "7", "--never", "9", "--set", "seed=4", "drop_duplicates=false")
    assert (found["settings"]["budget"], found["settings"]["staging"], found["settings"]["keep"],
            found["settings"]["drop"]) == (0.1, "soft", [3, 7], [9])
    settings = open_workbench(trial).settings
    assert settings.to_dict() == found["settings"] and settings.seed == 4 and not settings.drop_duplicates
    assert {3, 7} <= set(open_workbench(trial).curriculum.rows["index"])
    found = told("curate", "trial", "--never", "3", "--free", "7")
    assert (found["settings"]["keep"], found["settings"]["drop"]) == ([], [9, 3])
    assert found["against_before"]["dropped"] >= 1 and len(read_decisions(trial)) == 3


def test_another_preset_brings_its_settings_and_keeps_the_budget(trial, told):
    told("curate", "trial", "--budget", "40")
    found = told("curate", "trial", "--preset", "paper")
    assert (found["settings"]["preset"], found["settings"]["rule"], found["settings"]["budget"]) == (
        "paper", "self-influence", 40)


def test_shares_by_hand_leave_the_proportions_of_the_others(trial, told):
    before = {row["capability"]: row["share"] for row in told("curate", "trial", "--rule", "pool-size")["budgets"]}
    told("rename", "trial", "c1", "a = b")
    after = {row["capability"]: row["share"] for row in told("curate", "trial", "--share", "a = b=50%")["budgets"]}
    assert after["c1"] == pytest.approx(0.5) and sum(after.values()) == pytest.approx(1)
    others = [after[c] / before[c] for c in before if c != "c1"]
    assert max(others) - min(others) < 0.02, "shares are whole thousandths"
    both = {row["capability"]: row["share"] for row in
            told("curate", "trial", "--share", "c1=20%", "c2=30%")["budgets"]}
    assert (both["c1"], both["c2"]) == pytest.approx((0.2, 0.3))


def test_settings_that_do_not_apply_are_refused_and_not_written_down(trial, refused):
    for words, *arguments in (
            ("budget '0%'", "--budget", "0%"), ("pool row 999999 has no scores", "--always", "999999"),
            ("no capability 'c99'", "--order", "c99"), ("no capability 'c99'", "--share", "c99=3%"),
            ("expected KEY=VALUE", "--share", "c1"), ("expected a share", "--share", "c1=300%"),
            ("sum to 120 %", "--share", "c1=60%", "c2=60%"), ("asked for in two ways", "--always", "3", "--never", "3"),
            ("cannot be had at once", "--share", "c1=3%", "--rule", "uniform"),
            ("unknown curation setting 'sed'", "--set", "sed=1"), ("a switch of its own", "--set", "budget=0.1"),
            ("source_cap=-1", "--set", "source_cap=-1"), ("cannot be read", "--set", "source_cap=many")):
        assert words in refused("curate", "trial", *arguments)
    assert read_decisions(trial) == []


def test_a_comparison_is_not_asked_for_while_a_worker_is_at_it(trial, refused):
    from cadc.jobs import control

    with control.worker_lock(trial):
        assert "is already being worked on" in refused("evaluate", "trial", "--seeds", "1")
    assert "steps=0 is not allowed" in refused("evaluate", "trial", "--steps", "0")
    assert "unknown arm 'nobody'" in refused("evaluate", "trial", "--arms", "nobody")
    assert not trial.evaluation_folder.exists()


def test_the_price_of_a_comparison_is_told_before_anything_starts(trial, told):
    found = told("evaluate", "trial", "--cost", "--arms", "base", "random", "--seeds", "5", "7", "--steps", "10")
    assert found["settings"]["seeds"] == [5, 7]
    assert (found["cost"]["runs"], found["cost"]["trained"]) == (3, 2 * 10 * 32)
    assert not trial.evaluation_folder.exists()


# ---- what was decided ------------------------------------------------------------------------------------------------
def test_history_undo_and_redo_tell_whose_turn_it_is(trial, told, said):
    told("rename", "trial", "c1", "one")
    told("curate", "trial", "--budget", "10%")
    assert told("undo", "trial", "curation")["decisions"][0]["kind"] == "curate"
    found = told("history", "trial")
    assert [(d["kind"], d["undone"]) for d in found["decisions"]] == [("rename", False), ("curate", True)]
    assert found["undo"] == {"capabilities": True, "curation": False, "rows": False}
    assert found["redo"] == {"capabilities": False, "curation": True, "rows": False}
    assert "c1 is called “one”\n" in said("history", "trial") and "(taken back)" in said("history", "trial")
    assert "put back: curriculum made with" in said("redo", "trial", "curation")
    assert open_workbench(trial).settings.budget == 0.1


def test_what_a_terminal_would_obey_is_not_printed(trial, said):
    from cadc.study.deciding import decide

    decide(trial, lambda log: [("move", {"unit": "\x1b[31mred", "to": None})])
    assert "\x1b" not in said("history", "trial") and "no longer applies" in said("capabilities", "trial")
    assert "\x1b" not in said("capabilities", "trial")


def test_commands_decide_beside_an_owner_of_the_database(trial, told, said):
    """The app's store is open all the while."""
    store = Store(trial.root)
    try:
        store.load_study(trial)
        store.decide(trial, "rename", {"capability": "c1", "name": "by the app"})
        assert told("capabilities", "trial")["capabilities"][0]["name"] == "by the app"
        told("rename", "trial", "by the app", "by a command")
        told("curate", "trial", "--budget", "10%")
        store.load_study(trial)
        assert [d.payload.get("name") for d in store.decisions(trial)] == ["by the app", "by a command", None]
        store.undo(trial, "capabilities")
        assert told("capabilities", "trial")["capabilities"][0]["name"] == "by the app"
        assert "put back" in said("redo", "trial", "capabilities")
    finally:
        store.close()


# ---- the others ------------------------------------------------------------------------------------------------------
def test_studies_tables_and_files_are_told_as_json(trial, told, tmp_path):
    assert [one["study"] for one in told("list")] == ["trial"]
    assert set(told("tables")) >= {"jobs", "signals", "presets"} and "words" in told("tables", "signals")["signals"]
    assert told("verify", "trial")["damaged"] == []
    assert told("cancel", "trial") == {"study": "trial", "asked_to_stop": False}
    found = told("check", "--pool", trial.config.pool)
    assert found["samples"] - len(found["set_aside"]) == found["accepted"] == 300
    made = told("new", "other", "--pool", trial.config.pool, "--target", trial.config.target, "--model", "none")
    assert made["study"] == "other"
    assert told("remove", "other", "--yes")["removed"] and [one["study"] for one in told("list")] == ["trial"]


def test_a_run_that_has_nothing_to_do_says_where_the_jobs_stand(trial, told):
    assert told("run", "trial", "--until", "ingest")["jobs"]["ingest"] == "done"
