"""A finished study for commands, and what one of them says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthesise import synthesise
from cadc.cli import main
from cadc.study import Study


@pytest.fixture(scope="session")
def trial_cache(tmp_path_factory) -> Path:
    """A cache root with one finished study `trial`: 300 rows, 8 units, T = 3."""
    root = tmp_path_factory.mktemp("trial")
    synthesise(root, rows=300, units=8, checkpoints=3, samples_per_unit=6, seed=1, name="trial")
    return root


@pytest.fixture
def trial(trial_cache, tmp_path, monkeypatch) -> Study:
    """A copy of one's own, with no decisions made; commands see only it."""
    root = tmp_path / "cache"
    shutil.copytree(trial_cache, root)
    monkeypatch.setenv("CADC_CACHE", str(root))
    return Study.open("trial")


@pytest.fixture
def said(capsys) -> Callable[..., str]:
    """`said("find", "trial", …)`: what a command that succeeds prints."""
    def run(*arguments: str) -> str:
        status = main(list(arguments))
        told = capsys.readouterr()
        assert status == 0, told.err
        return told.out

    return run


@pytest.fixture
def told(said) -> Callable[..., Any]:
    """The same with `--json`: one line, and nothing else on stdout."""
    def run(*arguments: str) -> Any:
        line = said(*arguments, "--json")
        assert line.count("\n") == 1 and line.isascii(), line
        return json.loads(line)

    return run


@pytest.fixture
def refused(capsys) -> Callable[..., str]:
    """A command that must fail; the one line that it says. On stdout there is nothing but what `remove` would take."""
    def refuse(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        told = capsys.readouterr()
        assert told.err.startswith("cadc: ") and told.err.count("\n") == 1
        assert told.out == "" or arguments[0] == "remove"
        return told.err

    return refuse
