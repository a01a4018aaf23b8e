"""The command line: what parses, what is said, what a closed pipe does."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cadc.cli import COMMANDS, GROUPS, main, parser
from cadc.commands import choices
from cadc.jobs import control as jobs
from cadc.study import JOBS, Study, StudyConfig
from cadc.study.jobs import core_jobs, offered_jobs, usual_jobs

ROOT = Path(__file__).resolve().parents[2]

LINES = {
    "check --pool pool.json": {"images": None, "json": None},
    "check --pool pool.json --images photos/ --json report.json": {"images": Path("photos"), "pool": Path("pool.json")},
    "check --pool pool.json --model m --max-tokens 512": {"model": "m", "max_tokens": 512},
    "new mine --pool pool.json --target bench.json": {"set": [], "images": "", "unit_column": "", "model": "",
                                                      "preset": "studio"},
    "new mine --pool p --target t --images i --unit-column task --model m --preset paper": {"preset": "paper"},
    "new mine --pool p --target t --set a=1 b=2 --set c=3": {"set": ["a=1", "b=2", "c=3"]},
    "run mine": {"until": "", "workers": None, "engine": "local", "address": "", "detach": False, "again": ""},
    "run mine --until targets": {"until": "targets"},
    "run mine --until evaluate --workers 4": {"until": "evaluate", "workers": 4},
    "run mine --until crossfit": {"until": "judge"},
    "run mine --engine ray --address auto --detach": {"engine": "ray", "address": "auto", "detach": True},
    "run mine --again warmup": {"again": "warmup"},
    "shards mine": {"part": "1/1", "workers": None},
    "shards mine --part 3/8 --workers 2": {"part": "3/8", "workers": 2},
    "status mine": {"json": False},
    "status mine --json": {"json": True},
    "cancel mine": {"name": "mine"},
    "verify mine": {"name": "mine"},
    "remove mine": {"yes": False},
    "remove mine --yes": {"yes": True},
    "estimate mine": {"device": "", "efficiency": None, "workers": None, "json": False},
    "estimate mine --device h100 --efficiency 0.4 --workers 8 --json": {"device": "h100", "efficiency": 0.4},
    "export mine --out curriculum/": {"budget": "", "preset": None, "trainer": None, "pictures": None},
    "export mine --budget 5% --preset paper --format messages-tags --out d": {"budget": "5%", "preset": "paper"},
    "export mine --budget 500 --for axolotl --pictures link --out d": {"trainer": "axolotl", "pictures": "link"},
    "export mine --for input --out d": {"trainer": "input", "out": Path("d"), "staging": None, "floor": None},
    "export mine --staging soft --floor 0.5 --out d": {"staging": "soft", "floor": 0.5},
    "list": {},
    "tables": {},
    "tables signals": {},
    "maps mine": {"rounds": 10, "json": False},
    "maps mine --rounds 0 --json": {"rounds": 0, "json": True},
    "find mine": {"signal": None, "method": None, "tau": None, "gamma": None, "min_size": None, "json": False},
    "find mine --signal words --method leiden --tau auto --gamma 1.5": {"tau": "auto", "gamma": 1.5},
    "find mine --method hdbscan --min-size 3 --tau 0.25": {"tau": 0.25, "min_size": 3},
    "capabilities mine": {"out": None, "source": None},
    "capabilities mine --from labels.json --json": {"source": Path("labels.json"), "json": True},
    "capabilities mine --out labels.json": {"out": Path("labels.json")},
    'rename mine c2 "reading text"': {"capability": "c2", "called": "reading text"},
    "rename mine --proposed": {"capability": "", "called": None, "proposed": True},
    "move mine a b --to new": {"unit": ["a", "b"], "to": "new"},
    "move mine a --to nowhere": {"unit": ["a"], "to": "nowhere"},
    "merge mine c2 --into c1": {"capability": "c2", "into": "c1"},
    "lock mine c1 c3": {"capability": ["c1", "c3"], "off": False},
    "curate mine": {"preset": None, "budget": None, "share": [], "order": None, "always": [], "set": []},
    "curate mine --share c1=30% c2=10% --share c3=0.1": {"share": ["c1=30%", "c2=10%", "c3=0.1"]},
    "curate mine --order c2 c1 --staging soft --always 3 7 --never 9": {"order": ["c2", "c1"], "always": [3, 7],
                                                                        "never": [9]},
    "curate mine --order --free 3 --set seed=2": {"order": [], "free": [3], "set": ["seed=2"]},
    "evaluate mine": {"seeds": [3], "steps": 150, "budgets": [], "cost": False, "equal": "steps"},
    "evaluate mine --arms base cadc --seeds 0 1 --budgets 2% 5% --cost": {"arms": ["base", "cadc"], "seeds": [0, 1],
                                                                         "budgets": ["2%", "5%"], "cost": True},
    "rows mine --where status=wrong sort=judge --most 50": {"where": ["status=wrong", "sort=judge"], "most": 50},
    "tag mine odd 3,5-9 --off": {"tag": "odd", "rows": "3,5-9", "off": True},
    "checked mine 3,5-9": {"rows": "3,5-9", "off": False},
    "note mine 3 seen": {"row": 3, "text": "seen"},
    "history mine --json": {"json": True},
    "undo mine capabilities": {"scope": "capabilities"},
    "redo mine curation --json": {"scope": "curation"},
    "list --json": {"json": True},
    "check --pool pool.json --json": {"json": Path("-")},
    "demo": {"no_app": False, "workers": None, "preset": "studio"},
    "demo --preset quick": {"preset": "quick"},
    "demo --no-app --workers 2": {"no_app": True, "workers": 2},
    "app": {"port": 8501},
    "app --port 9000": {"port": 9000},
}
"""Every command line that earlier versions took or documents give, and what it stands for."""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """Text rows, nothing computed."""
    monkeypatch.setenv("CADC_CACHE", str(tmp_path / "cache"))
    rows = [{"id": str(i), "conversations": [{"from": "human", "value": f"what is {i}?"},
                                             {"from": "gpt", "value": str(i)}]} for i in range(9)]
    for name in ("pool.json", "target.json"):
        (tmp_path / name).write_text(json.dumps(rows))
    config = StudyConfig(pool=str(tmp_path / "pool.json"), target=str(tmp_path / "target.json"), model="none")
    return Study.create("mine", config, created="2026-01-01T00:00:00")


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_means_what_it_meant(line):
    found = vars(parser().parse_args(shlex.split(line)))
    assert found["run"] is COMMANDS[line.split()[0]].run
    assert {key: found[key] for key in LINES[line]} == LINES[line]


@pytest.mark.parametrize("line", ["", "nothing", "run", "new mine --pool p", "new mine --pool p --target t --preset x",
                                  "run mine --engine slurm", "export mine", "export mine --out d --for csv",
                                  "app --port many"])
def test_a_command_line_that_means_nothing_is_refused(line, capsys):
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    assert ended.value.code == 2 and "usage: python -m cadc" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_ends_with_an_example_that_parses(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    last = capsys.readouterr().out.rstrip().splitlines()[-1].strip()
    assert last == f"python -m cadc {COMMANDS[name].example}"
    assert parser().parse_args(shlex.split(COMMANDS[name].example)).command == name


def test_the_help_has_room_for_every_command_in_groups(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in said)
    assert [line[:-1] for line in said if line.endswith(":") and line[:-1] in GROUPS] == list(GROUPS)


def test_a_command_of_a_plugin_is_listed_and_runs(tmp_path):
    (tmp_path / "toy_command.py").write_text("""
from cadc.cli import COMMANDS
from cadc.commands.command import Command, as_json, print_json

def hello(chosen):
    print_json({"hello": chosen.json})
    return 0

COMMANDS.add(Command(name="hello", about="Say hello.", example="hello", arguments=as_json, run=hello))
""")
    environment = os.environ | {"CADC_PLUGINS": "toy_command", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    said = [subprocess.run([sys.executable, "-m", "cadc", *line], env=environment, capture_output=True, text=True,
                           check=True).stdout for line in (["--help"], ["hello", "--json"])]
    assert said[0].rstrip().endswith("of plugins:\n    hello         Say hello.")
    assert json.loads(said[1]) == {"hello": True}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "app"])
def test_every_command_that_prints_takes_json(name):
    """`app` becomes the server."""
    example = shlex.split(COMMANDS[name].example)
    assert parser().parse_args([*example, *(["--json"] if "--json" not in example else [])]).json


def test_every_command_is_tried_and_listed(capsys):
    assert {line.split()[0] for line in LINES} == set(COMMANDS)
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"\n    {name} " in said for name in COMMANDS)


@pytest.mark.parametrize("line, trainer, said", [
    ("export mine --out d", "trl", ""), ("export mine --for hub --out d", "hub", ""),
    ("export mine --format llava --out d", "llava", "--format llava is now --for llava"),
    ("export mine --format messages-tags --out d", "ms-swift", "--format messages-tags is now --for ms-swift"),
    ("export mine --format messages-blocks --out d", "trl", "--format messages-blocks is now --for trl")])
def test_an_earlier_name_of_a_format_still_means_something_and_says_what(line, trainer, said, capsys):
    from cadc.commands.export import trainer_of

    assert trainer_of(parser().parse_args(shlex.split(line))) == trainer
    assert capsys.readouterr().err.strip() == said


def test_both_names_at_once_or_an_unknown_one_are_refused(study, capsys):
    assert main(shlex.split("export mine --format llava --for trl --out d")) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(shlex.split("export mine --format csv --out d")) == 2
    assert "unknown export format 'csv'" in capsys.readouterr().err


def test_the_help_of_export_says_what_an_order_gains_and_what_a_floor_means(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "each stage to its end costs 2 to 12 points" in told
    assert "half as near as the unit's own samples are to each other" in told


def test_choices_are_those_of_the_tables(capsys):
    from cadc.curation import PRESETS
    from cadc.export import FORMATS
    from cadc.jobs.engines import ENGINES

    for command, wanted in (("new", PRESETS), ("export", FORMATS), ("run", JOBS), ("run", ENGINES)):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        said = capsys.readouterr().out
        assert all(name in said for name in wanted)
    assert choices.jobs() == tuple(JOBS) and choices.until() == core_jobs()[-1]


@pytest.mark.parametrize("arguments, asked", [
    ([], ("", "")), (["--until", "warmup"], ("warmup", "")), (["--again", "crossfit"], ("", "judge")),
    (["--again", "warmup", "--until", "targets"], ("targets", "warmup"))])
def test_a_run_asks_for_what_was_said(arguments, asked, study, monkeypatch):
    found = []
    monkeypatch.setattr(jobs, "start", lambda study, until, *, again, engine: found.append((until, again)))
    assert main(["run", "mine", "--detach", *arguments]) == 0
    assert found == [asked]


def test_errors_are_one_line_and_code_2(refused, study, tmp_path):
    assert "no study named 'other'" in refused("status", "other")
    assert "expected key=value" in refused("new", "x", "--pool", "p", "--target", "t", "--model", "m", "--set", "seed")
    assert "unknown setting 'sed'" in refused("new", "x", "--pool", "p", "--target", "t", "--model", "m", "--set",
                                              "sed=1")
    assert "unknown job 'nothing'. Jobs: ingest" in refused("run", "mine", "--until", "nothing")
    assert "unknown job 'nothing'" in refused("run", "mine", "--again", "nothing")
    assert "would end before attribute" in refused("run", "mine", "--again", "attribute", "--until", "warmup")
    assert "a100-80g" in refused("estimate", "mine", "--device", "abacus")
    (tmp_path / "a.json").mkdir()
    assert "a.json" in refused("check", "--pool", str(tmp_path / "a.json"))


def test_check_writes_the_report_it_prints(study, tmp_path, capsys):
    rows = json.loads((tmp_path / "pool.json").read_text())
    bad = [{"id": f"bad{i}", "image": "nowhere.png", "conversations": row["conversations"]} for i, row in
           enumerate(3 * rows)]
    (tmp_path / "some.json").write_text(json.dumps(rows + bad))
    assert main(["check", "--pool", str(tmp_path / "some.json"), "--json", str(tmp_path / "report.json")]) == 0
    said, report = capsys.readouterr().out, json.loads((tmp_path / "report.json").read_text())
    assert said.startswith("36 samples, 9 accepted, 27 set aside") and len(report["set_aside"]) == 27
    assert said.count("\n  row ") == 20 and "… 7 more" in said


def test_check_with_a_model_warns_of_rows_that_are_probably_too_long(data, tmp_path, capsys):
    rows = json.loads((data / "pool.json").read_text())
    rows[4]["conversations"][0]["value"] = "word " * 300
    (tmp_path / "long.json").write_text(json.dumps(rows))
    command = ["check", "--pool", str(tmp_path / "long.json"), "--images", str(data / "pictures"), "--json",
               str(tmp_path / "report.json"), "--model", str(data / "model"), "--max-tokens"]
    assert main([*command, "1000"]) == 0
    assert "probably left out in a run: 1 (probably too long: 1)" in capsys.readouterr().out
    warned = json.loads((tmp_path / "report.json").read_text())["warnings"]
    assert [row["id"] for row in warned if "probably too long: about 15" in row["reason"]] == ["r4"]
    assert main([*command, "2048"]) == 0
    assert "probably left out in a run: none" in capsys.readouterr().out


def test_new_list_and_status_agree(study, tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("pool.json", "target.json")]
    assert main(["new", "other", "--pool", files[0], "--target", files[1], "--model", "none", "--preset", "paper",
                 "--set", "seed=3", "checkpoints=2"]) == 0
    made = Study.open("other")
    assert (made.config.seed, made.config.checkpoints, made.config.preset) == (3, 2, "paper")
    assert f"({made.identity})" in capsys.readouterr().out
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["mine", study.identity, "studio", "ingest", "waiting"], ["other", made.identity, "paper", "ingest", "waiting"]]
    assert main(["status", "other", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identity"] == made.identity
    assert [job["job"] for job in told["jobs"]] == [*usual_jobs(made.config), *offered_jobs(made.config), "evaluate"]


# ---- remove ----------------------------------------------------------------------------------------------------------
def test_remove_asks_nobody_and_removes_nothing_without_a_terminal(study, refused, monkeypatch):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    assert "Add --yes" in refused("remove", "mine")
    assert (study.folder / "study.json").exists()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_remove_at_a_terminal_names_what_goes_and_takes_no_for_an_answer(study):
    (study.folder / "exports").mkdir()
    (study.folder / "exports" / "big.bin").write_bytes(bytes(3 << 20))
    here, there = os.openpty()
    process = subprocess.Popen([sys.executable, "-m", "cadc", "remove", "mine"], cwd=ROOT, stdin=there,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(here, b"n\n")
    said, complaint = process.communicate(timeout=60)
    os.close(here)
    os.close(there)
    assert process.returncode == 1, complaint
    first, largest, *_ = said.splitlines()
    assert "3.0 MB" in first and largest.split() == [f"studies/{study.identity}", "3.0", "MB"]
    assert "for good?" in said and "nothing was removed" in said and (study.folder / "study.json").exists()


def test_a_study_at_work_is_not_removed(study, refused):
    with jobs.worker_lock(study):
        assert "cancel mine" in refused("remove", "mine", "--yes")
    assert (study.folder / "study.json").exists()


def test_remove_takes_the_study_and_leaves_the_others(study, tmp_path, capsys):
    assert main(["new", "other", "--pool", study.config.pool, "--target", study.config.target, "--model", "none",
                 "--set", "seed=3"]) == 0
    assert main(["remove", "mine", "--yes"]) == 0
    assert "removed the name mine" in capsys.readouterr().out
    assert Study.names() == ["other"] and not study.folder.exists()


def test_verify_names_what_is_damaged(study, capsys):
    from cadc.data import run_ingest
    from cadc.study.progress import Silent

    run_ingest(study, Silent())
    assert main(["verify", "mine"]) == 0
    assert "every file is as it was written" in capsys.readouterr().out
    path = study.samples_file("pool")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main(["verify", "mine"]) == 1
    said = capsys.readouterr().out
    assert "ingest" in said and "the samples of the pool has other bytes" in said and "1 damaged" in said


@pytest.mark.parametrize("command", ["list", "status trial", "status trial --json", "--help"])
def test_commands_that_only_look_load_no_torch(trial, command):
    code = f"""import sys
from cadc.cli import main
try:
    ended = main({command.split()!r})
except SystemExit as end:
    ended = end.code
sys.exit(ended or (9 if "torch" in sys.modules else 0))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- pipes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["list", "status mine", "--help"])
def test_a_reader_that_has_seen_enough_is_no_error(study, command):
    """What `python -m cadc list | head -0` makes of it: the reader is gone before a byte is written."""
    ear, mouth = os.pipe()
    os.close(ear)
    try:
        done = subprocess.run([sys.executable, "-m", "cadc", *command.split()], cwd=ROOT, stdout=mouth,
                              stderr=subprocess.PIPE, text=True, check=False)
    finally:
        with contextlib.suppress(OSError):
            os.close(mouth)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_of_the_shell_stays_quiet(study):
    done = subprocess.run(f"{shlex.quote(sys.executable)} -m cadc list | head -0", cwd=ROOT, shell=True,
                          capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
