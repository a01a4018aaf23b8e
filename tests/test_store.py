"""The database: one owner, decisions that survive, undo as a query, and rows loaded from what jobs finished."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks.lab.planted_rows import HOSTILE
from benchmarks.synthesise import synthesise
from cadc.data import read_table, run_ingest
from cadc.errors import DataError, JobError
from cadc.scores.scores import Scores
from cadc.store import Store
from cadc.study import Study
from cadc.study.decisions import Decision, latest, merge, read_decisions, write_decisions
from cadc.study.progress import Silent

FIRST_SCHEMA = """
CREATE SEQUENCE IF NOT EXISTS decision_seq;
CREATE TABLE IF NOT EXISTS studies (study VARCHAR PRIMARY KEY, name VARCHAR, config JSON, report JSON,
    created VARCHAR, ingested_at TIMESTAMP, scored_at TIMESTAMP);
CREATE TABLE IF NOT EXISTS samples (study VARCHAR, role VARCHAR, "index" BIGINT, id VARCHAR, source VARCHAR,
    unit VARCHAR, images VARCHAR[], question VARCHAR, answer VARCHAR, answer_format VARCHAR, duplicate_group BIGINT);
CREATE TABLE IF NOT EXISTS set_aside (study VARCHAR, role VARCHAR, kind VARCHAR, "index" BIGINT, id VARCHAR,
    reason VARCHAR);
CREATE TABLE IF NOT EXISTS units (study VARCHAR, position INTEGER, unit VARCHAR, samples INTEGER, pictures INTEGER,
    answer_format VARCHAR);
CREATE TABLE IF NOT EXISTS capabilities (study VARCHAR, capability VARCHAR, name VARCHAR, units INTEGER);
CREATE TABLE IF NOT EXISTS labels (study VARCHAR, unit VARCHAR, capability VARCHAR);
CREATE TABLE IF NOT EXISTS influence_summaries (study VARCHAR, source VARCHAR, capability VARCHAR, rows BIGINT,
    influence DOUBLE);
CREATE TABLE IF NOT EXISTS self_influence (study VARCHAR, "index" BIGINT, checkpoint INTEGER, loss FLOAT,
    self_influence FLOAT, measured BOOLEAN);
ALTER TABLE self_influence ADD COLUMN IF NOT EXISTS measured BOOLEAN DEFAULT true;
CREATE TABLE IF NOT EXISTS budgets (study VARCHAR, capability VARCHAR, stage INTEGER, share DOUBLE, rows BIGINT);
CREATE TABLE IF NOT EXISTS exports (study VARCHAR, made_at TIMESTAMP, folder VARCHAR, format VARCHAR, rows BIGINT,
    manifest JSON);
CREATE TABLE IF NOT EXISTS jobs (study VARCHAR, job VARCHAR, state VARCHAR, done BIGINT, total BIGINT, seconds DOUBLE,
    message VARCHAR, updated TIMESTAMP);
CREATE TABLE IF NOT EXISTS decisions (seq BIGINT PRIMARY KEY, batch BIGINT, study VARCHAR, made_at TIMESTAMP,
    scope VARCHAR, kind VARCHAR, payload JSON, undone_at TIMESTAMP);
CREATE TABLE IF NOT EXISTS maps (study VARCHAR, signal VARCHAR, position INTEGER, x DOUBLE, y DOUBLE);
"""
"""Tables as the first version made them."""
DOCS = Path(__file__).parents[1] / "docs" / "schema.md"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Study:
    """A finished study of 200 rows; tests do not change its files."""
    return synthesise(tmp_path_factory.mktemp("cache"), rows=200, units=6, checkpoints=2, samples_per_unit=4)


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A copy of one's own, without decisions."""
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    return Study.open(finished.name, root=tmp_path)


@pytest.fixture
def store(tmp_path):
    """A database of its own."""
    made = Store(tmp_path)
    yield made
    made.close()


def rename(store, study, name):
    return store.decide(study, "rename", {"capability": "c1", "name": name})


def test_schema_page_names_every_table_and_column_with_its_type(store, tmp_path):
    store.close()
    with duckdb.connect(str(tmp_path / "cadc.duckdb")) as db:
        real = db.execute("SELECT table_name, column_name, data_type FROM information_schema.columns "
                          "ORDER BY table_name, ordinal_position").fetchall()
    written = []
    for section in DOCS.read_text(encoding="utf-8").split("\n### ")[1:]:
        table = section.split("\n", 1)[0].strip()
        written += [(table, *row) for row in re.findall(r"^\| (\w+) \| ([\w\[\]]+) \|", section, re.M)
                    if row != ("column", "type")]
    assert sorted(written, key=lambda row: row[0]) == real


def test_decision_survives_kill_dash_nine(study, tmp_path):
    script = ("import os, signal, sys; from pathlib import Path; from cadc.store import Store; "
              "from cadc.study import Study, StudyConfig; from types import SimpleNamespace as S; "
              "s = S(identity=sys.argv[2], name='x', decisions_file=Path(sys.argv[3])); "
              "Store(sys.argv[1]).decide(s, 'rename', {'capability': 'c1', 'name': 'räumlich ✓'}); "
              "os.kill(os.getpid(), signal.SIGKILL)")
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path), study.identity, str(study.decisions_file)],
                           cwd=Path(__file__).parents[1], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert latest(Store(tmp_path).decisions(study), "rename") == {"capability": "c1", "name": "räumlich ✓"}
    assert latest(read_decisions(study), "rename")["name"] == "räumlich ✓"


def test_second_process_is_told_who_holds_the_database(store, tmp_path):
    script = ("import sys; from cadc.store import Store; from cadc.errors import BusyError\n"
              "try: Store(sys.argv[1])\nexcept BusyError as e: sys.exit(str(e))")
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[1], check=False,
                           capture_output=True, text=True)
    assert "held by another process" in ended.stderr and "Traceback" not in ended.stderr


def test_file_that_is_no_database_is_one_clear_error(tmp_path):
    (tmp_path / "cadc.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(JobError, match="cannot be opened"):
        Store(tmp_path)


def test_undo_and_redo_walk_through_one_scope(store, study):
    for name in ("one", "two"):
        rename(store, study, name)
    store.decide(study, "curate", {"budget": 0.05})
    store.undo(study, "capabilities")
    in_force = [d.payload for d in store.decisions(study) if not d.undone]
    assert in_force == [{"capability": "c1", "name": "one"}, {"budget": 0.05}]
    store.redo(study, "capabilities")
    assert latest(store.decisions(study), "rename")["name"] == "two"
    assert store.redo(study, "capabilities") == []


def test_new_decision_ends_what_can_be_redone_but_the_log_keeps_it(store, study):
    rename(store, study, "one")
    store.undo(study, "capabilities")
    rename(store, study, "two")
    assert store.redo(study, "capabilities") == []
    assert [(d.payload["name"], d.undone) for d in store.decisions(study)] == [("one", True), ("two", False)]
    store.undo(study, "capabilities")
    assert store.undo(study, "capabilities") == []


def test_act_of_several_decisions_is_undone_and_redone_as_one(store, study):
    rename(store, study, "before")
    store.decide_together(study, "move", [{"unit": "a", "to": "new"}, {"unit": "b", "to": "c3"}])
    assert [d.payload["unit"] for d in store.undo(study, "capabilities")] == ["a", "b"]
    assert [d.kind for d in store.decisions(study) if not d.undone] == ["rename"]
    assert [d.payload["unit"] for d in store.redo(study, "capabilities")] == ["a", "b"]


def test_same_decision_twice_in_a_row_is_written_once(store, study):
    assert rename(store, study, "x").seq == rename(store, study, "x").seq
    rename(store, study, "y")
    rename(store, study, "x")
    assert [d.payload["name"] for d in store.decisions(study)] == ["x", "y", "x"]


def test_unknown_kind_and_payload_that_is_no_json_are_refused(store, study):
    with pytest.raises(DataError, match="unknown decision"):
        store.decide(study, "drop", {})
    with pytest.raises(DataError, match="cannot be kept"):
        store.decide(study, "rename", {"name": {1, 2}})
    with pytest.raises(DataError, match="cannot be kept"):
        store.decide(study, "curate", {"budget": float("nan")})
    assert store.decisions(study) == []


def test_json_copy_equals_the_log_after_every_act(store, study):
    rename(store, study, "x")
    store.decide_together(study, "move", [{"unit": "a", "to": None}, {"unit": "b", "to": None}])
    store.undo(study, "capabilities")
    assert read_decisions(study) == store.decisions(study)
    assert json.loads(study.decisions_file.read_text())["study"] == study.identity


def test_lost_database_takes_decisions_back_from_the_copy(store, study, tmp_path):
    rename(store, study, "kept")
    store.decide_together(study, "move", [{"unit": "a", "to": None}, {"unit": "b", "to": None}])
    store.undo(study, "capabilities")
    store.close()
    (tmp_path / "cadc.duckdb").unlink()
    again = Store(tmp_path)
    again.load_study(study)
    assert [(d.kind, d.payload, d.undone) for d in again.decisions(study)] == [
        (d.kind, d.payload, d.undone) for d in read_decisions(study)]
    assert len(again.redo(study, "capabilities")) == 2
    again.close()


def test_copy_that_lags_behind_or_is_broken_is_written_anew(store, study):
    rename(store, study, "one")
    stale = study.decisions_file.read_text()
    store.undo(study, "capabilities")
    for text in (stale, "{broken", json.dumps({"study": "0" * 16, "decisions": []})):
        study.decisions_file.write_text(text)
        store.load_study(study)
        assert read_decisions(study) == store.decisions(study) and read_decisions(study)[0].undone


def contents(decisions) -> list[tuple]:
    """What was decided and what of it is in force, in order, without the numbers of one database."""
    return [(d.kind, d.payload, d.undone) for d in decisions]


def restored(path: Path, backup: Path) -> Store:
    """The database as it was when the backup was made."""
    shutil.copy(backup, path)
    return Store(path.parent)


def test_older_database_beside_a_newer_copy_loses_no_decision(study, tmp_path):
    store = Store(tmp_path)
    rename(store, study, "one")
    rename(store, study, "two")
    store.close()
    backup = shutil.copy(store.path, tmp_path / "backup")
    later = Store(tmp_path)
    later.undo(study, "capabilities")
    later.decide_together(study, "move", [{"unit": "a", "to": "new"}, {"unit": "b", "to": "c3"}])
    later.decide(study, "curate", {"budget": 0.1})
    expected = contents(later.decisions(study))
    later.close()
    again = restored(store.path, backup)
    again.load_study(study)
    assert contents(again.decisions(study)) == contents(read_decisions(study)) == expected
    assert expected[1] == ("rename", {"capability": "c1", "name": "two"}, True)
    assert [d.payload["unit"] for d in again.undo(study, "capabilities")] == ["a", "b"], "an act stays one act"
    again.close()


def test_older_copy_beside_a_newer_database_loses_no_decision(store, study):
    rename(store, study, "one")
    stale = study.decisions_file.read_text()
    rename(store, study, "two")
    store.undo(study, "capabilities")
    expected = store.decisions(study)
    study.decisions_file.write_text(stale)
    store.load_study(study)
    assert store.decisions(study) == read_decisions(study) == expected


@pytest.mark.parametrize(("at", "order"), [("2000-01-01T00:00:00", "one, copy, database"),
                                           ("2999-01-01T00:00:00", "one, database, copy")])
def test_logs_that_grew_apart_are_one_log_in_the_order_of_time(store, study, at, order):
    rename(store, study, "one")
    one = store.decisions(study)
    rename(store, study, "database")
    alone = replace(one[0], seq=2, batch=2, at=at, payload=one[0].payload | {"name": "copy"})
    write_decisions(study, [*one, alone], changed=at)
    store.load_study(study)
    assert ", ".join(d.payload["name"] for d in store.decisions(study)) == order
    assert read_decisions(study) == store.decisions(study)


def test_undone_or_not_is_as_the_newer_log_says(study, tmp_path):
    store = Store(tmp_path)
    rename(store, study, "x")
    store.undo(study, "capabilities")
    store.close()
    backup, stale = shutil.copy(store.path, tmp_path / "backup"), study.decisions_file.read_text()
    later = Store(tmp_path)
    later.redo(study, "capabilities")
    later.close()
    older = restored(store.path, backup)
    older.load_study(study)
    assert [d.undone for d in older.decisions(study)] == [False], "the copy is newer: redone"
    study.decisions_file.write_text(stale)
    older.load_study(study)
    assert [d.undone for d in older.decisions(study)] == [False], "the copy is older: still redone"
    older.close()


def test_logs_of_earlier_versions_that_carry_no_time_are_merged_by_their_decisions():
    def made(*names, undone=()):
        return [Decision(seq=n, batch=n, at=f"2026-01-0{n}T00:00:00", scope="capabilities", kind="rename",
                         payload={"name": name}, undone=name in undone) for n, name in enumerate(names, 1)]

    assert contents(merge(made("a", "b"), made("a", "b", "c", undone="b"))) == contents(
        made("a", "b", "c", undone="b")), "the copy knows of more, so it is newer"
    assert merge(made("a", "b", "c", undone="b"), made("a", "b")) == made("a", "b", "c", undone="b")
    assert merge(made("a", "b", undone="b"), made("a", "b")) == made("a", "b", undone="b"), "the database else"
    assert merge(made("a"), []) == made("a") and contents(merge([], made("a"))) == contents(made("a"))


def test_same_decision_made_twice_within_a_second_stays_two():
    twice = [Decision(seq=n, batch=n, at="2026-01-01T00:00:00", scope="capabilities", kind="rename",
                      payload={"name": name}) for n, name in enumerate(("x", "y", "x"), 1)]
    assert merge(twice, twice[:2]) == twice == merge(twice, twice)
    assert [d.payload["name"] for d in merge(twice[:2], twice)] == ["x", "y", "x"]


def test_copy_that_cannot_be_read_is_kept_under_another_name(store, study):
    rename(store, study, "one")
    study.decisions_file.write_text("{broken")
    store.load_study(study)
    assert [p.read_text() for p in study.folder.glob("decisions.unreadable-*.json")] == ["{broken"]
    assert read_decisions(study) == store.decisions(study)


def test_copy_of_another_study_is_refused(study):
    study.decisions_file.write_text(json.dumps({"study": "0" * 16, "decisions": []}))
    with pytest.raises(JobError, match="another study"):
        read_decisions(study)


def test_text_that_looks_like_sql_is_only_text(store, study):
    nasty = "x'); DROP TABLE decisions; --"
    rename(store, study, nasty)
    store.load_study(study)
    assert store.samples(study, "pool", where={"search": nasty, "source": nasty, "format": nasty})[1] == 0
    assert latest(store.decisions(study), "rename")["name"] == nasty


def test_samples_and_units_equal_the_files(store, study):
    store.load_study(study)
    table = read_table(study.samples_file("pool"))
    rows, total = store.samples(study, "pool", limit=10**6)
    assert total == len(table) == 200
    for column in ("index", "id", "source", "question", "answer", "answer_format"):
        assert rows[column].tolist() == table[column].tolist()
    assert [list(names) for names in rows["images"]] == table["images"].tolist()
    assert store.units(study)["unit"].tolist() == list(Scores.load(study).units)


def test_pages_of_samples_are_disjoint_and_complete(store, study):
    store.load_study(study)
    where = {"format": "letter", "search": "number"}
    pages = [store.samples(study, "pool", where=where, offset=o, limit=7) for o in range(0, 200, 7)]
    seen = [i for page, _ in pages for i in page["index"]]
    assert len(seen) == len(set(seen)) == pages[0][1] > 7
    assert store.samples(study, "pool", where={"search": "NO MARKUP"})[0]["question"].tolist() == [HOSTILE]


def test_a_copied_cache_says_where_its_files_lie_now(store, study, tmp_path):
    store.load_study(study)
    store.close()
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    copied = Study.open(study.name, root=tmp_path.with_name("copy"))
    again = Store(copied.root)
    again.load_study(copied)
    assert again.report(copied)["pool"]["file"] == copied.config.pool != study.config.pool
    assert copied.config.pool.startswith(str(copied.root))
    again.close()


def test_loading_again_changes_nothing(store, study):
    store.load_study(study)
    first = store.samples(study, "pool", limit=1000)[0]
    store.load_study(study)
    assert store.samples(study, "pool", limit=1000)[0].equals(first)


def test_another_content_is_loaded_again_and_its_map_laid_out_again(store, study):
    store.load_study(study)
    store.save_map(study, "plain", np.zeros((6, 2)))
    pool = Path(study.config.pool)
    text = pool.read_text()
    pool.write_text("\n".join(text.splitlines()[:150]))
    changed = Study.open(study.name, root=study.root)
    run_ingest(changed, Silent())
    assert changed.identity == study.identity
    store.load_study(changed)
    assert store.samples(changed, "pool")[1] == 150 and store.report(changed)["pool"]["accepted"] == 150
    assert store.map(changed, "plain") is None
    pool.write_text(text)
    back = Study.open(study.name, root=study.root)
    run_ingest(back, Silent())
    store.load_study(back)
    assert store.samples(back, "pool")[1] == 200 and np.array_equal(store.map(back, "plain"), np.zeros((6, 2)))


def test_study_without_finished_jobs_loads_nothing(store, study):
    study.result("ingest").reopen()
    store.load_study(study)
    assert store.report(study) is None and store.samples(study, "pool")[1] == 0


def test_many_threads_may_decide_and_read_at_once(store, study):
    store.load_study(study)
    failures = []

    def work(n):
        try:
            for i in range(5):
                store.decide(study, "rename", {"capability": f"c{n}", "name": f"{n}-{i}"})
                assert store.samples(study, "pool", limit=5)[1] == 200
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(store.decisions(study)) == 30 == len(read_decisions(study))


def test_exports_are_listed_newest_first(store, study):
    for rows in (10, 20):
        store.record_export(study, folder="out", format="llava", rows=rows, manifest={"k": 3})
    assert store.exports(study)["rows"].tolist() == [20, 10]
    assert store.exported(study, "out", "llava") == {"k": 3, "rows_written": 20}
    assert store.exported(study, "out", "input") is None


def test_a_database_of_the_first_version_opens_and_keeps_samples_and_decisions(study, tmp_path):
    with duckdb.connect(str(tmp_path / "cadc.duckdb")) as db:
        db.execute(FIRST_SCHEMA)
        db.execute("INSERT INTO studies VALUES (?, 'x', '{}', '{\"pool\": 1}', '', now(), now())", [study.identity])
        db.execute("INSERT INTO decisions VALUES (nextval('decision_seq'), 1, ?, TIMESTAMP '2026-01-01 10:00:00', "
                   "'capabilities', 'rename', '{\"capability\": \"c1\", \"name\": \"kept\"}', NULL)", [study.identity])
    store = Store(tmp_path)
    store.load_study(study)
    assert store.report(study)["pool"]["accepted"] == 200, "it does not say what it was loaded from: read again"
    rename(store, study, "new")
    store.close()
    again = Store(tmp_path)
    assert [d.payload["name"] for d in again.decisions(study)] == ["kept", "new"]
    again.close()
    with duckdb.connect(str(tmp_path / "cadc.duckdb"), read_only=True) as db:
        tables = {name for (name,) in db.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    assert tables == {"studies", "samples", "set_aside", "units", "exports", "decisions", "logs", "maps"}
