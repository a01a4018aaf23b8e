"""The database: one owner, decisions that survive, undo as a query, and rows loaded from what jobs finished."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from benchmarks.synthesise import HOSTILE, synthesise
from cadc.data import read_table
from cadc.errors import DataError, JobError
from cadc.scores.scores import Scores
from cadc.store import Store
from cadc.study import Study
from cadc.study.decisions import latest, live, read_decisions

DOCS = Path(__file__).parents[1] / "docs" / "schema.md"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Study:
    """A finished study of 200 rows; tests do not change its files."""
    return synthesise(tmp_path_factory.mktemp("cache"), rows=200, units=6, checkpoints=2, samples_per_unit=4)


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """The same study with decisions of its own: an empty folder beside the others' files."""
    for name in ("ingest", "scores"):
        (tmp_path / "studies" / finished.identity).mkdir(parents=True, exist_ok=True)
        os.symlink(finished.folder / name, tmp_path / "studies" / finished.identity / name)
    return Study(finished.name, tmp_path / "studies" / finished.identity, finished.config, finished.inputs)


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
    assert [d.payload for d in live(store.decisions(study))] == [{"capability": "c1", "name": "one"}, {"budget": 0.05}]
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
    assert [d.kind for d in live(store.decisions(study))] == ["rename"]
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
    assert Store.read_decisions(study) == store.decisions(study)
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


def test_copy_of_another_study_is_refused(study):
    study.decisions_file.write_text(json.dumps({"study": "0" * 16, "decisions": []}))
    with pytest.raises(JobError, match="another study"):
        read_decisions(study)


def test_text_that_looks_like_sql_is_only_text(store, study):
    nasty = "x'); DROP TABLE decisions; --"
    rename(store, study, nasty)
    store.load_study(study)
    assert store.samples(study, "pool", where={"search": nasty, "source": nasty, "format": nasty})[1] == 0
    store.save_capabilities(study, {"c1": nasty}, {nasty: "c1"})
    assert store.labels(study) == {nasty: "c1"} and latest(store.decisions(study), "rename")["name"] == nasty


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


def test_self_influence_is_eta_times_squared_norm(store, study, tmp_path):
    store.load_study(study)
    store.close()
    scores = Scores.load(study)
    with duckdb.connect(str(tmp_path / "cadc.duckdb")) as db:
        kept = db.execute('SELECT self_influence, loss FROM self_influence ORDER BY "index", checkpoint').fetchnumpy()
    assert np.allclose(kept["self_influence"], (scores.eta * scores.gradient_norm**2).reshape(-1), rtol=1e-6)
    assert np.array_equal(kept["loss"], scores.loss.reshape(-1))


def test_loading_again_changes_nothing(store, study):
    store.load_study(study)
    first = store.samples(study, "pool", limit=1000)[0]
    store.load_study(study)
    assert store.samples(study, "pool", limit=1000)[0].equals(first)


def test_study_without_finished_jobs_loads_nothing(store, study):
    (study.folder / "ingest").unlink()
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


def test_influence_summary_and_budgets_are_replaced_as_a_whole(store, study, tmp_path):
    flows = pd.DataFrame({"source": ["b", "a"], "capability": ["c1", "c1"], "rows": [3, 4], "influence": [0.5, np.nan]})
    store.save_influence(study, flows)
    store.save_influence(study, flows)
    assert store.influence(study)["rows"].tolist() == [4, 3]
    store.save_influence(study, flows.head(1))
    assert store.influence(study)["source"].tolist() == ["b"]
    for rows in (7, 9):
        store.save_budgets(study, pd.DataFrame({"capability": ["c1"], "stage": [1], "share": [1.0], "rows": [rows]}))
    store.close()
    with duckdb.connect(str(tmp_path / "cadc.duckdb")) as db:
        assert db.execute("SELECT rows FROM budgets").fetchall() == [(9,)]


def test_exports_are_listed_newest_first(store, study):
    for rows in (10, 20):
        store.record_export(study, folder="out", format="llava", rows=rows, manifest={"k": 3})
    assert store.exports(study)["rows"].tolist() == [20, 10]



def test_a_database_from_before_predicted_rows_gets_the_column(store, tmp_path):
    path = store.path
    store.close()
    with duckdb.connect(str(path)) as db:
        db.execute("ALTER TABLE self_influence DROP COLUMN measured")
        db.execute("INSERT INTO self_influence VALUES ('old', 3, 1, 0.5, 0.25)")
    Store(path.parent).close()
    with duckdb.connect(str(path), read_only=True) as db:
        assert db.execute('SELECT "index", self_influence, measured FROM self_influence').fetchall() == [(3, .25, True)]
