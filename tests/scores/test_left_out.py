"""Rows that fall out: each counted once, with its reason, wherever it is told, however the run went."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from falling import BROKEN, LEFT_OUT, MAX_TOKENS, TARGET_BROKEN, TARGET_LEFT_OUT, make_study
from tiny_study import work
from watching import Counting, wait_for

from cadc.cli import main
from cadc.curation.workbench import open_workbench
from cadc.jobs import control
from cadc.scores import columns
from cadc.scores.left_out import left_out
from cadc.study import JOBS, Study
from cadc.study.jobs import usual_jobs
from cadc.study.progress import Cancelled, Silent


@pytest.fixture
def fresh(falling, tmp_path) -> Study:
    """The same question under a cache of its own; nothing is computed."""
    return make_study(Path(falling.config.pool).parent, tmp_path)


def test_each_row_is_counted_once_with_its_kind(falling):
    rows = left_out(falling)
    assert (rows.pool.rows, rows.pool.accepted) == (100, 95)
    assert rows.pool.set_aside == Counter(BROKEN.values()) and rows.target.set_aside == Counter(TARGET_BROKEN.values())
    assert {row.index: row.kind for row in rows.pool.left_out} == LEFT_OUT
    assert {row.index: row.kind for row in rows.target.left_out} == TARGET_LEFT_OUT
    assert rows.pool.kinds == Counter(LEFT_OUT.values()) and rows.pool.told and rows.target.told
    assert {row.id for row in rows.pool.left_out} == {f"r{i}" for i in LEFT_OUT}
    assert {row.jobs for row in rows.pool.left_out} == {("judge", "warmup", "attribute", "embedding")}
    assert {row.jobs for row in rows.target.left_out} == {("judge", "targets", "embedding")}


def test_accepted_rows_without_those_left_out_have_scores_and_all_of_them_are_numbers(falling):
    rows, index = left_out(falling).pool, columns.read(falling, "index")
    assert rows.accepted - len(rows.left_out) == rows.scored == len(index)
    assert not set(index.tolist()) & {*LEFT_OUT, *BROKEN} and not rows.used_in_part
    for name, column in columns.COLUMNS.items():
        values = columns.read(falling, name)
        if name == "judge_target":  # NaN says that a sample taught every judge
            values = values[~np.isnan(values)]
        assert values.dtype.kind != "f" or np.isfinite(values).all(), column.name


def test_status_and_manifest_tell_the_same_counts(falling, capsys, monkeypatch):
    monkeypatch.setenv("CADC_CACHE", str(falling.root))
    assert main(["status", "falling", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["rows"]
    summary = left_out(falling).summary()
    assert open_workbench(falling).manifest()["fell_out"] == summary
    for role, expected in (("pool", LEFT_OUT), ("target", TARGET_LEFT_OUT)):
        listed = told[role].pop("left_out_rows")
        assert [(row["index"], row["reason"].split(":")[0]) for row in listed] == sorted(expected.items())
        assert told[role] == summary[role]
    assert main(["status", "falling"]) == 0
    text = capsys.readouterr().out
    assert "100 rows, 95 accepted; set aside: 5 (" in text
    assert "left out in the run: 4 (too long: 2, not finite: 1, refused by the model's processor: 1)" in text


def test_what_is_probably_too_long_is_said_before_anything_is_computed(fresh):
    work(fresh, "lengths")
    expected = left_out(fresh).pool.expected
    assert not fresh.finished("warmup")
    assert {row.index: row.kind for row in expected.rows} == {
        17: "probably too long", 66: "probably too long", 71: "refused by the model's processor"}
    assert expected.rows[0].reason == f"probably too long: about 421 tokens, at most max_tokens={MAX_TOKENS}"
    assert left_out(fresh).target.summary()["expected"] == {"probably too long": 1}


def test_a_run_that_is_cancelled_in_every_job_and_resumed_counts_the_same(falling, fresh):
    stopped = 0
    for job in usual_jobs(fresh.config):
        try:
            JOBS[job].function()(fresh, Counting(rows=9))
        except Cancelled:
            stopped += 1
        JOBS[job].function()(fresh, Silent())
    assert stopped > 4 and fresh.complete
    assert left_out(fresh).listed() == left_out(falling).listed()


def test_a_run_that_is_killed_and_resumed_counts_the_same(falling, fresh):
    control.start(fresh, workers=1)
    wait_for(lambda: control.status(fresh, "warmup").state == "running")
    os.kill(control.status(fresh, "warmup").pid, signal.SIGKILL)
    wait_for(lambda: not control.is_running(fresh))
    control.start(fresh, workers=1)
    wait_for(lambda: not control.is_running(fresh))
    assert fresh.complete, [status.message for status in control.statuses(fresh)]
    assert left_out(fresh).listed() == left_out(falling).listed()


def test_reports_of_earlier_versions_get_their_kinds(falling, own_copy):
    study = own_copy(falling)
    old = {17: "sample r17: 420 tokens, more than max_tokens=220. Raise max_tokens, or leave the sample out.",
           66: "row 66 (r66): picture not found: a.png (image root /data). Put it back, or set the image root anew.",
           71: "sample r71: the model's processor refuses it (too flat). Check its pictures.",
           88: "its loss or gradient is not a finite number at some checkpoint",
           90: "sample r90: it has pictures, but the model reads text only. Choose a vision-language model."}
    for job, name, before in (("warmup", "warmup.json", {}), ("embedding", "left-out-pool.json", []),
                              ("judge", "left-out-pool.json", [])):
        study.result(job).reopen()
        (study.result(job).folder / name).write_text(json.dumps(before))
        study.result(job).finish()
    study.result("scores").reopen()
    (study.result("scores").folder / "failed.json").write_text(
        json.dumps([{"index": i, "id": f"r{i}", "reason": reason} for i, reason in old.items()]))
    study.result("scores").finish()
    found = left_out(study).pool
    assert {row.index: row.kind for row in found.left_out} == {
        17: "too long", 66: "picture cannot be opened", 71: "refused by the model's processor", 88: "not finite"}
    assert all(row.reason.endswith(old[row.index]) for row in found.left_out)
    assert [(row.index, row.kind) for row in found.used_in_part] == [(90, "does not fit the model")]
    assert found.summary()["scored_in_spite"] == 1


def test_a_study_of_an_earlier_version_is_complete_without_estimates(falling, own_copy):
    study = own_copy(falling)
    study.result("lengths").remove()
    assert study.complete and left_out(study).summary() == left_out(falling).summary()
