"""The way through a study: its steps follow from what is there."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.synthesise import synthesise
from cadc.jobs.control import JobStatus, worker_lock, write_status
from cadc.study.decisions import Decision
from cadc.views.way import PLACES, Facts, facts_of, way

ROOT = Path(__file__).resolve().parents[2]
JOBS = ("ingest", "judge", "quick", "near")
FRESH = Facts(read=True, rows=(300, 60), states=(("ingest", "done"), *((job, "waiting") for job in JOBS[1:])))
SCORED = replace(FRESH, states=tuple((job, "done") for job in JOBS), scored=True)


def states(facts: Facts | None) -> list[str]:
    return [step.state for step in way(facts).steps]


def following(facts: Facts | None) -> str:
    found = way(facts).next
    return found.place.name if found else ""


def test_every_page_of_the_way_is_a_page_of_the_app():
    table = (ROOT / "app.py").read_text(encoding="utf-8")
    for place in PLACES.values():
        assert f'"pages/{place.file}.py", title="{place.name}"' in table
        assert place.asks.endswith(".") and place.asks.count(".") == 1


def test_lengths_that_come_before_asked_jobs_are_jobs_at_work_and_alone_they_are_not():
    alone = replace(FRESH, active="lengths")
    assert states(alone)[1] == "next"
    asked = replace(alone, states=(("ingest", "done"), *((job, "queued") for job in JOBS[1:])))
    assert way(asked).steps[1].state == "running" and "at work: lengths, 1 of 4 jobs done" in way(asked).sentence


def test_without_a_study_the_first_step_is_to_make_one():
    assert states(None) == ["next", *["waiting"] * 5] and following(None) == "Data"
    assert way(None).sentence == "There is no study yet."


def test_a_study_that_is_new_is_read_first():
    assert following(Facts()) == "Data" and states(Facts())[1:] == ["waiting"] * 5
    assert states(Facts(active="ingest"))[0] == "running" and following(Facts(active="ingest")) == ""
    failed = Facts(states=(("ingest", "failed"),))
    assert states(failed)[0] == "stopped" and following(failed) == "Data"


def test_what_was_read_is_scored_next():
    assert states(FRESH) == ["done", "next", "waiting", "waiting", "waiting", "waiting"]
    assert way(FRESH).steps[0].said == "300 + 60 rows read"
    begun = replace(FRESH, states=(("ingest", "done"), ("judge", "done"), ("quick", "waiting"), ("near", "waiting")))
    assert way(begun).steps[1].said == "go on with the jobs, 2 of 4 done"
    running = replace(begun, active="quick")
    assert way(running).steps[1].line == "at work: quick, 2 of 4 jobs done" and following(running) == ""
    broken = replace(FRESH, states=(("ingest", "done"), ("judge", "failed"), ("quick", "waiting"), ("near", "waiting")))
    assert way(broken).steps[1].line == "stopped: judge failed" and following(broken) == "Trajectories"


def test_capabilities_are_accepted_by_what_rests_on_them():
    assert states(SCORED) == ["done", "done", "next", "look", "ready", "ready"]
    acted, saved = replace(SCORED, acts=3), replace(SCORED, saved=True)
    assert way(acted).steps[2].said == "3 acts in force" and following(acted) == "Curriculum"
    assert way(saved).steps[2].said == "taken as they were found" and way(saved).steps[4].said == "saved; export it"
    exported = replace(saved, exports=1)
    assert following(exported) == "Evaluation" and way(exported).steps[4].said == "1 export"
    compared = replace(exported, comparisons=2)
    assert following(compared) == "" and way(compared).steps[5].said == "2 comparisons"
    assert states(replace(compared, compared="cancelled"))[5] == "stopped"
    assert states(replace(exported, active="evaluate"))[5] == "running"


def test_a_study_without_gradients_has_its_own_words():
    found = way(replace(SCORED, gradients=False))
    assert found.steps[1].said == "4 jobs done, without gradients" and "without gradients" in found.steps[3].said
    adding = way(replace(SCORED, gradients=False, active="warmup"))
    assert adding.steps[1].state == "running" and adding.steps[2].state == "next", "the later pages stay open"


def test_from_the_end_of_a_page_the_way_goes_to_the_one_behind_it():
    found = way(SCORED)
    assert found.after("Data").place.name == "Trajectories" and found.after("Influence").place.name == "Curriculum"
    assert found.after("Evaluation").place.name == "Capabilities", "what is still to do"
    assert way(replace(SCORED, saved=True, exports=1, comparisons=1)).after("Evaluation") is None
    assert found.after("Rows").place.name == "Capabilities", "a page beside the way"


def test_the_state_of_a_study_is_one_line():
    assert way(SCORED).sentence == ("300 pool rows, 60 target rows · 4 jobs done · capabilities as they were found · "
                                    "no curriculum saved · no exports · no comparisons")
    assert way(FRESH).sentence == "300 pool rows, 60 target rows · jobs: start the jobs"


@pytest.fixture
def study(tmp_path):
    return synthesise(tmp_path, rows=40, units=4, checkpoints=2, samples_per_unit=3, name="trial")


def act(seq: int, kind: str, *, scope: str = "capabilities", batch: int = 0, undone: bool = False) -> Decision:
    return Decision(seq=seq, at=f"2026-01-01T00:00:{seq:02d}", scope=scope, kind=kind, payload={}, batch=batch or seq,
                    undone=undone)


def test_facts_are_those_of_files_and_decisions(study, tmp_path):
    found = facts_of(study, [])
    assert found.read and found.scored and found.gradients and found.rows == (40, 12) and not found.broken
    assert found.jobs_done == len(found.states) and (found.acts, found.saved, found.exports) == (0, False, 0)
    decided = [act(1, "rename"), act(2, "move", batch=2), act(3, "move", batch=2), act(4, "merge", undone=True),
               act(5, "curate", scope="curation")]
    found = facts_of(study, decided, [str(tmp_path / "elsewhere" / "trl")])
    assert (found.acts, found.saved, found.exports) == (2, True, 1)


def test_an_export_of_a_command_counts_once(study):
    folder = study.exports_folder / "trl"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert facts_of(study, []).exports == facts_of(study, [], [str(folder)]).exports == 1


def test_the_job_at_work_is_the_one_that_says_so_while_a_worker_lives(study):
    study.result("attribute").reopen()
    write_status(study, JobStatus(job="attribute", state="running", done=3, total=40, updated=time.time()))
    with worker_lock(study):
        found = facts_of(study, [])
        assert found.active == "attribute" and way(found).steps[1].state == "running"
    found = facts_of(study, [])
    assert found.active == "" and found.broken == "attribute interrupted"


def test_a_quick_study_is_complete_without_gradients(quick_study):
    found = facts_of(quick_study, [])
    assert found.scored and not found.gradients and found.jobs_done == len(found.states)
    assert way(found).steps[1].state == "done" and "without gradients" in way(found).sentence
