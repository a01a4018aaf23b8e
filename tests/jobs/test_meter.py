"""What jobs took: measured by their worker, kept, and read beside the estimates."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from cadc.cli import main
from cadc.errors import JobError
from cadc.estimate import ledger
from cadc.jobs import control as jobs
from cadc.jobs import meter as cost
from cadc.jobs import worker
from cadc.jobs.engines import EngineSettings
from cadc.study import Study, StudyConfig, write_json

GROW = ("import time; x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096]); print('grown', flush=True); "
        "time.sleep(60)")


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """Text rows, not ingested yet."""
    monkeypatch.setenv("CADC_CACHE", str(tmp_path / "cache"))
    rows = [{"id": str(i), "conversations": [{"from": "human", "value": f"what is {i}?"},
                                             {"from": "gpt", "value": str(i)}]} for i in range(9)]
    for name in ("pool.json", "target.json"):
        (tmp_path / name).write_text(json.dumps(rows))
    (tmp_path / "empty").mkdir()
    config = StudyConfig(pool=str(tmp_path / "pool.json"), target=str(tmp_path / "target.json"),
                         model=str(tmp_path / "empty"))
    return Study.create("a", config, created="2026-01-01T00:00:00")


def test_a_meter_sees_the_memory_of_child_processes():
    with cost.Meter(every_s=0.01) as meter:
        child = subprocess.Popen([sys.executable, "-c", GROW], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "grown\n"
        both = cost.tree_memory(os.getpid())
        until = time.monotonic() + 60
        while meter.memory_mb < both - 1 and time.monotonic() < until:
            time.sleep(0.01)
        child.kill()
        child.wait()
        alone = cost.tree_memory(os.getpid())  # now, not before: a busy machine takes pages back meanwhile
    assert 195 < both - alone < 320 and meter.memory_mb >= both - 1


MAP = ("import mmap, sys, time; file = open(sys.argv[1], 'rb'); pages = mmap.mmap(file.fileno(), 0, "
       "prot=mmap.PROT_READ); sum(pages[::4096]); print('seen', flush=True); time.sleep(60)")


def test_pages_that_processes_share_count_once(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(bytes(200 << 20))
    children, taken = [], []
    try:
        for _ in range(3):
            children.append(subprocess.Popen([sys.executable, "-c", MAP, str(path)], stdout=subprocess.PIPE, text=True))
            assert children[-1].stdout.readline() == "seen\n"
            taken.append(cost.tree_memory(children[-1].pid))
        alone = cost.tree_memory(os.getpid())
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert min(taken) > 200 and alone - cost.tree_memory(os.getpid()) < 300


def test_a_process_that_is_gone_takes_no_memory():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert cost.tree_memory(child.pid) == 0


def test_a_job_that_ends_leaves_its_cost(study):
    assert jobs.cost(study, "ingest") is None
    assert worker.run(study, "ingest", EngineSettings(workers=1))
    found = jobs.cost(study, "ingest")
    assert found.state == "done" and found.samples == 18 and found.samples_per_s > 0
    assert found.seconds == pytest.approx(jobs.status(study, "ingest").seconds, abs=0.01)
    assert found.memory_mb > 20 and found.device
    assert found.disk_mb == pytest.approx(cost.size_of((study.result("ingest").folder,)) / 2**20, abs=0.001)


def test_a_failed_job_leaves_its_cost_too(study):
    assert not worker.run(study, "warmup", EngineSettings(workers=1))  # the folder holds no model
    assert jobs.cost(study, "warmup").state == "failed"
    assert jobs.cost(study, "targets") is None


def test_the_peak_of_an_unfinished_run_is_not_forgotten(tmp_path):
    with cost.Meter() as meter:
        pass
    kind = {"seconds": 4.0, "samples": 8, "disk": (), "workers": 1}
    first = dataclasses.replace(cost.measured("warmup", meter, state="cancelled", **kind), memory_mb=1e6)
    assert cost.measured("warmup", meter, state="done", **kind, earlier=first).memory_mb == 1e6
    anew = dataclasses.replace(first, state="done")
    assert cost.measured("warmup", meter, state="done", **kind, earlier=anew).memory_mb < 1e6


def test_status_tells_the_cost(study, capsys):
    worker.run(study, "ingest", EngineSettings(workers=1))
    assert main(["status", "a", "--json"]) == 0
    told = {job["job"]: job["cost"] for job in json.loads(capsys.readouterr().out)["jobs"]}
    assert told["ingest"] == dataclasses.asdict(jobs.cost(study, "ingest")) and told["warmup"] is None


def test_predicted_and_taken_stand_side_by_side_with_their_ratio(study):
    worker.run(study, "ingest", EngineSettings(workers=1))
    took = jobs.cost(study, "ingest")
    costs = {"ingest": {"seconds": 2 * took.seconds, "memory_mb": 3 * took.memory_mb, "disk_mb": took.disk_mb}}
    here = ledger.keep(study, ledger.HERE, ledger.summed(costs))
    row = ledger.beside(study, here)[0]
    assert row["ratio"]["memory_mb"] == pytest.approx(3, rel=0.01)
    assert row["actual"]["samples_per_s"] == took.samples_per_s
    elsewhere = ledger.keep(study, "h100", ledger.summed(costs))
    assert ledger.beside(study, elsewhere)[0]["ratio"] is None  # it ran on another device
    assert set(ledger.kept(study)) == {"here", "h100"}


def test_a_torn_record_says_what_to_do(study):
    study.cost_file("ingest").parent.mkdir(parents=True)
    study.cost_file("ingest").write_text("{")
    with pytest.raises(JobError, match="Delete the file"):
        jobs.cost(study, "ingest")
    write_json(study.estimate_file, {})
    assert ledger.kept(study) == {}
