"""Which engine, and what is said when it cannot be."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cadc.cli import main
from cadc.errors import JobError
from cadc.jobs.engines import EngineSettings
from cadc.jobs.engines.passes import PASSES, kind_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("choice", [{"engine": "slurm"}, {"workers": 0}, {"address": "auto"},
                                    {"engine": "ray", "address": "ray://head:10001"},
                                    {"engine": "ray", "address": "head"}])
def test_impossible_choices_are_refused(choice):
    with pytest.raises(JobError):
        EngineSettings(**choice)


def test_choice_reaches_the_worker_as_arguments():
    assert EngineSettings(engine="ray", workers=3, address="10.0.0.1:6379").arguments() == [
        "--engine", "ray", "--workers", "3", "--address", "10.0.0.1:6379"]
    assert EngineSettings().arguments() == ["--engine", "local"]


def test_missing_ray_is_one_clear_line(study, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ray" else find(name, *a))
    monkeypatch.setenv("CADC_CACHE", str(study.folder.parent.parent))
    assert main(["run", study.name, "--engine", "ray"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "requirements-ray.txt" in said


def test_ray_is_not_imported_when_nobody_asks():
    code = ("import sys, cadc.cli, cadc.jobs.worker, cadc.gradients.attribute, cadc.jobs.engines.cluster\n"
            "import cadc.jobs.engines.local, cadc.jobs.engines.part; sys.exit('ray' in sys.modules)")
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | path).returncode == 0


def test_every_pass_can_be_found():
    for kind in PASSES.values():
        assert all(callable(kind.find(name)) for name in (kind.opens, kind.cuts, kind.inputs))
    with pytest.raises(JobError, match="unknown pass 'x'. Passes: pool"):
        kind_of("x")
