"""Shares of the shards for a batch system."""

import subprocess
import sys
from pathlib import Path

import pytest
from watching import Watching, digests, finished_shards

from cadc.cli import main
from cadc.commands.watch import LineProgress
from cadc.errors import DataError, JobError
from cadc.gradients.attribute import run_attribute
from cadc.jobs.engines.part import read_part, run_part

ROOT = Path(__file__).parents[3]


def test_parts_of_an_array_make_all_shards(study, undisturbed, monkeypatch, capsys):
    monkeypatch.setenv("CADC_CACHE", str(study.folder.parent.parent))
    assert run_part(study, "2/3", Watching(), 1) == 20
    assert len(finished_shards(study)) == 20
    for part in ("1/3", "2/3", "3/3"):  # 2/3 is submitted again: nothing is left to do
        assert main(["shards", study.name, "--part", part, "--workers", "1"]) == 0
        said = capsys.readouterr().out
        assert f"part {part}: {0 if part == '2/3' else 20} shards computed" in said and "cadc run tiny" in said
    progress = Watching()
    run_attribute(study, progress)
    assert progress.rows == 0 and progress.done == 120 and digests(study) == digests(undisturbed)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/2", "1/3/4"])
def test_part_that_is_none_is_refused(text):
    with pytest.raises(DataError, match="expected I/N"):
        read_part(text)


def test_part_before_the_targets_says_what_to_do(study):
    study.result("targets").remove()
    with pytest.raises(JobError, match="no result of the job 'targets' yet"):
        run_part(study, "1/2", Watching())


def test_log_of_a_batch_system_gets_few_lines():
    lines = []
    progress = LineProgress(lines.append, every_s=3600)
    progress.start(60, done=20)
    progress.note("loading")
    for _ in range(40):
        progress.step()
    assert lines == ["loading"]
    often = LineProgress(lines.append, every_s=0)
    often.start(60, done=20)
    often.step(8)
    often.step(0)
    assert len(lines) == 2 and lines[1].startswith("8 of 40 samples")


def test_cluster_page_names_every_option_of_the_commands():
    page = (ROOT / "docs/cluster.md").read_text()
    for command, options in {"run": ("--engine", "--address", "--workers"), "shards": ("--part", "--workers")}.items():
        shown = subprocess.run([sys.executable, "-m", "cadc", command, "--help"], cwd=ROOT, capture_output=True,
                               text=True, check=True).stdout
        assert f"cadc {command} " in page
        for option in options:
            assert option in shown and option in page
