"""Taking a study away: its own results go, shared ones and what a person decided stay."""

import json
from dataclasses import replace

import pytest

from cadc.study import JOBS, Study, write_json
from cadc.study.jobs import usual_jobs
from cadc.study.removal import goes, remove


@pytest.fixture
def study(finished, own_copy) -> Study:
    return own_copy(finished)


def there(study: Study) -> set[str]:
    """Jobs whose result is there."""
    return {job for job in usual_jobs(study.config) if study.finished(job)}


def test_the_last_study_takes_everything_with_it(study):
    told = goes(study)
    assert {path.parent.name for path in told} == {*usual_jobs(study.config), "studies"}
    assert remove(study) == told and not any(path.exists() for path in told)
    assert Study.names(study.root) == []
    left = [path for path in (study.root / "results").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []


def test_results_that_another_study_shares_stay(study):
    config = replace(study.config, near_q=2, preset="paper")
    other = Study.create("other", config, created="", root=study.root)
    shared = there(other)
    assert shared == {"ingest", "lengths", "warmup", "targets", "embedding"}
    told = goes(study)
    assert {path.parent.name for path in told} == {"attribute", "scores", "quick", "near", "studies"}
    remove(study)
    assert there(other) == shared and not any(damage for job in shared for damage in other.result(job).damaged())
    assert Study.names(study.root) == ["other"]
    again = Study.create("small", study.config, created="", root=study.root)
    assert there(again) == shared, "what it shared is found again"


def test_of_two_names_of_a_study_only_one_goes(study):
    twin = Study.create("twin", study.config, created="", root=study.root)
    assert twin.identity == study.identity and goes(twin) == [] == remove(twin)
    assert Study.names(study.root) == ["small"] and study.complete


def test_decisions_are_kept_as_they_were(study):
    write_json(study.decisions_file, [{"kind": "rename", "payload": {"name": "قراءة"}}])
    remove(study)
    kept = list((study.root / "removed").iterdir())
    assert len(kept) == 1 and kept[0].name.startswith(f"small-{study.identity}-")
    assert json.loads(kept[0].read_text()) == [{"kind": "rename", "payload": {"name": "قراءة"}}]


def test_a_study_that_never_read_its_files_can_go(study):
    fresh = Study.create("fresh", replace(study.config, unit_column=""), created="", root=study.root)
    assert goes(fresh) == [fresh.folder] == remove(fresh)
    assert Study.names(study.root) == ["small"] and study.complete


def test_what_is_unfinished_goes_too(study):
    other = Study.create("other", replace(study.config, seed=5), created="", root=study.root)
    half = other.result("warmup").folder / "checkpoint-1.safetensors"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    remove(other)
    assert not half.parent.exists() and study.complete


def test_a_study_that_cannot_be_read_is_in_nobodys_way_and_loses_nothing(study):
    broken = Study.create("broken", replace(study.config, seed=6), created="", root=study.root)
    for path in broken.folder.glob("study*.json"):
        path.write_text("{")
    assert goes(study) == [study.folder] == remove(study)
    assert not study.folder.exists() and broken.folder.exists() and "small" not in Study.names(study.root)
    assert study.result("warmup").finished, "it may be the other one's"


def test_job_folders_and_exports_lie_in_the_study(study):
    assert study.exports_folder.parent == study.evaluation_folder.parent == study.folder
    assert all(study.job_folder(job).is_relative_to(study.folder) for job in JOBS)
