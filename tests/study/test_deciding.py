"""Decisions beside the database: an app-like owner and commands decide in one study, and nothing is lost."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cadc.errors import DataError, JobError
from cadc.store import Store
from cadc.study import Study, StudyConfig
from cadc.study.deciding import decide, put_back, take_back
from cadc.study.decisions import read_decisions, write_decisions

ROOT = Path(__file__).resolve().parents[2]
SCOPE = "capabilities"


def study_in(root: Path) -> Study:
    """A study of which nothing is computed."""
    root.mkdir(exist_ok=True)
    rows = [{"id": "a", "conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "that"}]}]
    for name in ("pool.json", "target.json"):
        (root / name).write_text(json.dumps(rows))
    config = StudyConfig(pool=str(root / "pool.json"), target=str(root / "target.json"), model="none")
    return Study.create("mine", config, created="2026-01-01T00:00:00", root=root)


@pytest.fixture
def study(tmp_path) -> Study:
    return study_in(tmp_path)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.close()


def named(name: str) -> list:
    return [("rename", {"capability": "c1", "name": name})]


def by_command(study, name: str) -> None:
    decide(study, lambda log: named(name))


def names(log) -> list[tuple[str, bool]]:
    return [(d.payload["name"], d.undone) for d in log]


def agree(store, study) -> list:
    """The log as a page sees it: it loads the study before it shows anything."""
    store.load_study(study)
    assert read_decisions(study) == store.decisions(study)
    return store.decisions(study)


# ---- the log alone ---------------------------------------------------------------------------------------------------
def test_an_act_is_added_undone_and_redone_as_a_whole_and_once(study):
    move = [("move", {"unit": "a", "to": "new"}), ("rename", {"capability": "c3", "name": "x"})]
    by_command(study, "first")
    assert decide(study, lambda log: move) == decide(study, lambda log: move) == read_decisions(study)
    assert [(d.seq, d.batch) for d in read_decisions(study)] == [(1, 1), (2, 2), (3, 2)]
    assert [d.kind for d in take_back(study, SCOPE)] == ["move", "rename"]
    assert take_back(study, "curation") == []
    assert [d.undone for d in put_back(study, SCOPE)] == [False, False] and put_back(study, SCOPE) == []


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(study):
    assert decide(study, lambda log: []) == []
    for act, words in (([("drop", {})], "unknown decision"),
                       ([*named("x"), ("curate", {"budget": 0.1})], "one scope"),
                       ([("curate", {"budget": float("nan")})], "cannot be kept")):
        with pytest.raises(DataError, match=words):
            decide(study, lambda log, act=act: act)
    assert not study.decisions_file.exists()


def test_whoever_decides_is_asked_again_when_somebody_decided_meanwhile(study):
    seen = []

    def make(log):
        seen.append(len(log))
        if len(seen) == 1:
            by_command(study, "meanwhile")
        return named(f"after {len(log)}")

    decide(study, make)
    assert seen == [0, 1] and names(read_decisions(study)) == [("meanwhile", False), ("after 1", False)]


def test_a_copy_that_cannot_be_read_is_not_written_over(study):
    study.decisions_file.write_text("{broken")
    for act in (lambda: by_command(study, "x"), lambda: take_back(study, SCOPE)):
        with pytest.raises(JobError, match="cannot be read"):
            act()
    assert study.decisions_file.read_text() == "{broken"


# ---- beside the database ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(6))
def test_acts_of_owner_and_commands_in_any_turn_are_those_of_one_log(tmp_path, seed):
    """Reference: the same acts, all by one store."""
    draw, places = random.Random(seed), [tmp_path / "both", tmp_path / "one"]
    both, one = (study_in(place) for place in places)
    owner, alone = (Store(place) for place in places)
    for n in range(40):
        act, scope = draw.choice(["decide", "decide", "undo", "redo"]), draw.choice([SCOPE, "curation"])
        kind, payload = ("rename", {"name": draw.choice("xyz")}) if scope == SCOPE else ("curate", {"n": n % 4})
        command = {"decide": lambda k=kind, p=payload: decide(both, lambda log: [(k, p)]),
                   "undo": lambda s=scope: take_back(both, s), "redo": lambda s=scope: put_back(both, s)}
        for store, study in ((owner, both), (alone, one)):
            if store is owner and draw.random() < 0.5:
                command[act]()
            elif act == "decide":
                store.decide(study, kind, payload)
            else:
                getattr(store, act)(study, scope)
        if draw.random() < 0.2:
            agree(owner, both)
    told = [[(d.kind, d.payload, d.undone, d.turns) for d in agree(*pair)] for pair in ((owner, both), (alone, one))]
    assert told[0] == told[1] and any(undone for _, _, undone, _ in told[0])
    owner.close()
    alone.close()


def test_a_decision_of_the_other_is_undone_and_redone(store, study):
    store.decide(study, "rename", named("app")[0][1])
    by_command(study, "command")
    assert [d.payload["name"] for d in store.undo(study, SCOPE)] == ["command"]
    assert [d.payload["name"] for d in put_back(study, SCOPE)] == ["command"]
    store.decide(study, "rename", named("app again")[0][1])
    assert [d.payload["name"] for d in take_back(study, SCOPE)] == ["app again"]
    assert names(agree(store, study)) == [("app", False), ("command", False), ("app again", True)]


def test_the_same_decision_by_both_is_one(store, study):
    store.decide(study, "rename", named("x")[0][1])
    by_command(study, "x")
    assert len(agree(store, study)) == 1
    by_command(study, "y")
    store.decide(study, "rename", named("y")[0][1])
    assert names(agree(store, study)) == [("x", False), ("y", False)]


def test_an_owner_killed_before_its_copy_loses_neither_decision_nor_undo(store, study):
    """The database has an undo and a decision that its copy lacks; a command goes on from the copy."""
    for name in ("one", "two"):
        store.decide(study, "rename", named(name)[0][1])
    stale = study.decisions_file.read_text()
    store.undo(study, SCOPE)
    store.decide(study, "rename", named("three")[0][1])
    study.decisions_file.write_text(stale)
    by_command(study, "four")
    assert sorted(names(agree(store, study))) == [("four", False), ("one", False), ("three", False), ("two", True)]


def test_a_redo_that_only_one_log_saw_counts(store, study):
    store.decide(study, "rename", named("x")[0][1])
    store.undo(study, SCOPE)
    stale = read_decisions(study)
    store.redo(study, SCOPE)
    write_decisions(study, stale, changed="2999-01-01T00:00:00")  # a copy that claims to be newer, and is not
    assert names(agree(store, study)) == [("x", False)]


def test_a_lost_database_and_a_lost_copy_are_made_anew(tmp_path, study):
    by_command(study, "command")
    store = Store(tmp_path)
    assert names(agree(store, study)) == [("command", False)]
    study.decisions_file.unlink()
    by_command(study, "later")
    assert sorted(names(agree(store, study))) == [("command", False), ("later", False)]
    store.close()


OWNER = """
import itertools, sys
from cadc.store import Store
from cadc.study import Study
study, store = Study.open("mine", root=sys.argv[1]), Store(sys.argv[1])
for n in itertools.count():
    store.decide(study, "rename", {"capability": "c1", "name": f"{sys.argv[2]}-{n}"})
    print(f"{sys.argv[2]}-{n}", flush=True)
"""
COMMAND = """
import itertools, sys
from cadc.study import Study
from cadc.study.deciding import decide
study = Study.open("mine", root=sys.argv[1])
for n in itertools.count():
    decide(study, lambda log: [("rename", {"capability": "c1", "name": f"{sys.argv[2]}-{n}"})])
    print(f"{sys.argv[2]}-{n}", flush=True)
"""


def test_nothing_that_was_said_to_be_decided_is_lost_when_owner_and_commands_are_killed(tmp_path, study):
    """Three processes decide in turns as they come; each is killed in the midst of it, the owner first."""
    told: list[str] = []
    running = {who: subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who], cwd=ROOT, text=True,
                                     stdout=subprocess.PIPE)
               for who, code in (("app", OWNER), ("one", COMMAND), ("two", COMMAND))}
    try:
        for who, at_least in (("app", 12), ("one", 12), ("two", 12)):
            told += [running[who].stdout.readline().strip() for _ in range(at_least)]
            running[who].send_signal(signal.SIGKILL)
            told += [line.strip() for line in running[who].stdout if line.endswith("\n")]
            assert running[who].wait() == -signal.SIGKILL
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    store = Store(tmp_path)
    found = [name for name, _ in names(agree(store, study))]
    assert set(told) <= set(found) and len(found) == len(set(found)) and len(told) >= 36
    for who in running:
        own = [name for name in found if name.startswith(who)]
        assert own == [f"{who}-{n}" for n in range(len(own))], "each in its own order, without a gap"
    store.close()
