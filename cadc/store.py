"""The one owner of DuckDB: what the app loaded from finished jobs, and everything a person decided (docs/schema.md).

Every decision is one committed transaction in an append-only log, then an atomic JSON copy beside the study. Where the
two differ (a command decided in the copy, a database from a backup, a copy that is behind) they are merged and nothing
is dropped. Values reach SQL as parameters only; no name or text is ever put into a statement.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from cadc.data.job import is_ingested
from cadc.errors import BusyError, JobError
from cadc.study import Study, cache_root
from cadc.study.deciding import Part, act_of, checked, newest, one_writer, standing, waiting
from cadc.study.decisions import Decision, changed_at, merge, read_decisions, write_decisions

log = logging.getLogger(__name__)

ROLES = ("pool", "target")

SCHEMA = """
CREATE SEQUENCE IF NOT EXISTS decision_seq;
CREATE TABLE IF NOT EXISTS studies (study VARCHAR PRIMARY KEY, name VARCHAR, report JSON, ingested_at TIMESTAMP,
    content VARCHAR);
CREATE TABLE IF NOT EXISTS samples (study VARCHAR, role VARCHAR, "index" BIGINT, id VARCHAR, source VARCHAR,
    unit VARCHAR, images VARCHAR[], question VARCHAR, answer VARCHAR, answer_format VARCHAR, duplicate_group BIGINT);
CREATE TABLE IF NOT EXISTS set_aside (study VARCHAR, role VARCHAR, kind VARCHAR, "index" BIGINT, id VARCHAR,
    reason VARCHAR);
CREATE TABLE IF NOT EXISTS units (study VARCHAR, position INTEGER, unit VARCHAR, samples INTEGER, pictures INTEGER,
    answer_format VARCHAR);
CREATE TABLE IF NOT EXISTS exports (study VARCHAR, made_at TIMESTAMP, folder VARCHAR, format VARCHAR, rows BIGINT,
    manifest JSON);
CREATE TABLE IF NOT EXISTS decisions (seq BIGINT PRIMARY KEY, batch BIGINT, study VARCHAR, made_at TIMESTAMP,
    scope VARCHAR, kind VARCHAR, payload JSON, undone_at TIMESTAMP, turns INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS logs (study VARCHAR PRIMARY KEY, changed_at VARCHAR);
CREATE TABLE IF NOT EXISTS maps (study VARCHAR, signal VARCHAR, position INTEGER, x DOUBLE, y DOUBLE,
    content VARCHAR);
ALTER TABLE studies ADD COLUMN IF NOT EXISTS content VARCHAR;
ALTER TABLE maps ADD COLUMN IF NOT EXISTS content VARCHAR;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS turns INTEGER DEFAULT 0;
"""
"""`content`: key of the job that a row was read from; empty in rows of earlier versions, which count as others."""

RETIRED = """
DROP TABLE IF EXISTS capabilities; DROP TABLE IF EXISTS labels; DROP TABLE IF EXISTS influence_summaries;
DROP TABLE IF EXISTS self_influence; DROP TABLE IF EXISTS budgets; DROP TABLE IF EXISTS jobs;
ALTER TABLE studies DROP COLUMN IF EXISTS config; ALTER TABLE studies DROP COLUMN IF EXISTS created;
ALTER TABLE studies DROP COLUMN IF EXISTS scored_at;
"""
"""Databases of earlier versions hold these. Nothing ever read them, and all of it follows from the study's files and
the decisions: it goes when the database is opened."""

_WHERE = """study = $study AND role = $role AND ($source IS NULL OR source = $source)
    AND ($format IS NULL OR answer_format = $format) AND ($unit IS NULL OR unit = $unit)
    AND ($search IS NULL OR contains(lower(question || chr(10) || answer || chr(10) || id), lower($search)))"""


class Store:
    """The database of all studies under one cache root. One process at a time; any number of its threads."""

    def __init__(self, root: str | Path | None = None) -> None:
        """Open `cadc.duckdb` under the cache root, made when absent.

        Raises BusyError when another process holds it, JobError when it is no database of this version.
        """
        self.path = cache_root(root) / "cadc.duckdb"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        try:
            self._db = duckdb.connect(str(self.path))
            self._db.execute(SCHEMA + RETIRED)
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise BusyError(f"the database {self.path} is held by another process, most likely the app. Use that "
                                "app, or stop it first; the command line works beside it without it.") from error
            raise JobError(f"the database {self.path} cannot be opened ({error}). Move it away: studies are read again "
                           "from their folders, decisions from their JSON copies.") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One writer at a time, everything or nothing, on disk when it returns."""
        with self._lock:
            cursor = self._db.cursor()
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            finally:
                cursor.close()

    def _frame(self, query: str, parameters: Mapping[str, object] | list[object] | None = None) -> pd.DataFrame:
        """Result of one query, on a cursor of its own so that threads do not share one."""
        with self._lock:
            cursor = self._db.cursor()
        try:
            return cursor.execute(query, parameters or []).df()
        finally:
            cursor.close()

    # ---- decisions -------------------------------------------------------------------------------------------------
    def decide(self, study: Study, kind: str, payload: dict[str, Any]) -> Decision:
        """Append one decision and copy the log to the study. The same decision twice in a row is written once.

        Raises DataError for an unknown kind or a payload that is no JSON.
        """
        return self.decide_together(study, kind, [payload])[-1]

    def decide_together(self, study: Study, kind: str, payloads: list[dict[str, Any]]) -> list[Decision]:
        """Append the decisions of one act in one transaction; they are undone together. Raises DataError."""
        return self.decide_act(study, [(kind, payload) for payload in payloads])

    def decide_act(self, study: Study, act: Sequence[Part]) -> list[Decision]:
        """The same for an act of several kinds of decisions of one scope."""
        scope, texts = checked(act)
        with self._writing(study):
            if last := standing(self.decisions(study), act):
                return last
            with self._transaction() as db:
                batch = None
                for (kind, _), text in zip(act, texts, strict=True):
                    seq = _next_seq(db)
                    batch = batch or seq
                    db.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0)",
                               [seq, batch, study.identity, datetime.now(), scope, kind, text])
                _touch(db, study)
            return self._copy(study)[-len(texts):]

    def undo(self, study: Study, scope: str) -> list[Decision]:
        """Mark the newest act in force of a scope as undone; [] when there is none left."""
        with self._writing(study):
            return self._mark(study, newest(self.decisions(study), scope), datetime.now())

    def redo(self, study: Study, scope: str) -> list[Decision]:
        """Put the last undone act of a scope back in force; [] when nothing was undone since the newest decision."""
        with self._writing(study):
            return self._mark(study, self.redoable(study, scope), None)

    def redoable(self, study: Study, scope: str) -> Decision | None:
        """What `redo` would put back (the first decision of the act)."""
        return waiting(self.decisions(study), scope)

    def _mark(self, study: Study, found: Decision | None, undone_at: datetime | None) -> list[Decision]:
        if found is None:
            return []
        with self._transaction() as db:
            db.execute("UPDATE decisions SET undone_at = ?, turns = turns + 1 WHERE study = ? AND batch = ?",
                       [undone_at, study.identity, act_of(found)])
            _touch(db, study)
        return [d for d in self._copy(study) if d.batch == act_of(found)]

    @contextmanager
    def _writing(self, study: Study) -> Iterator[None]:
        """Alone with log and copy, which agree: a command may have decided in the copy since the study was loaded."""
        with self._lock, one_writer(study):
            self._agree_with_copy(study)
            yield

    def _copy(self, study: Study) -> list[Decision]:
        """Write the JSON copy and return the log."""
        found = self.decisions(study)
        write_decisions(study, found, changed=self._changed(study))
        return found

    def _changed(self, study: Study) -> str:
        """When the log last changed, ISO 8601; '' when an earlier version wrote it."""
        found = self._rows("SELECT changed_at FROM logs WHERE study = ?", [study.identity])
        return str(found[0][0]) if found else ""

    def decisions(self, study: Study, scope: str | None = None) -> list[Decision]:
        """The log of a study, oldest first, undone ones included."""
        rows = self._rows("SELECT seq, batch, made_at, scope, kind, payload, undone_at, turns FROM decisions "
                          "WHERE study = ? AND (?::VARCHAR IS NULL OR scope = ?) ORDER BY seq",
                          [study.identity, scope, scope])
        return [Decision(seq=n, batch=b, at=at.isoformat(timespec="seconds"), scope=sc, kind=k, payload=json.loads(p),
                         undone=u is not None, turns=t) for n, b, at, sc, k, p, u, t in rows]

    def _rows(self, query: str, parameters: list[object]) -> list[tuple]:
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    # ---- loading what jobs finished --------------------------------------------------------------------------------
    def load_study(self, study: Study) -> None:
        """Bring log and JSON copy together; load samples and units once `ingest` has finished.

        What is loaded of the same content is not loaded again; pool, target or pictures that changed are.
        """
        with self._lock:
            if not self._agrees(study):
                with one_writer(study):
                    self._agree_with_copy(study)
            if not is_ingested(study):
                return
            loaded = self._rows("SELECT content FROM studies WHERE study = ?", [study.identity])
            if loaded != [(study.key("ingest"),)]:
                self._load_samples(study)

    def _agrees(self, study: Study) -> bool:
        """Whether log and JSON copy are the same; this look needs no lock."""
        try:
            return read_decisions(study) == self.decisions(study)
        except JobError:
            return False

    def _agree_with_copy(self, study: Study) -> None:
        """Merge the log with the JSON copy where they differ: a command decided in the copy, a new or restored database
        lacks decisions, a copy lags behind a process that was killed between the two. A copy that cannot be read is
        kept under another name. Needs `one_writer`."""
        known, changed = self.decisions(study), self._changed(study)
        try:
            kept, kept_changed = read_decisions(study), changed_at(study)
        except JobError as error:
            aside = study.decisions_file.with_name(f"decisions.unreadable-{datetime.now():%Y%m%dT%H%M%S%f}.json")
            os.replace(study.decisions_file, aside)
            log.warning("%s It is now %s.", error, aside.name)
            kept, kept_changed = [], ""
        if kept == known:
            return
        found = merge(known, kept, copy_is_newer=kept_changed > changed if changed and kept_changed else None)
        if found != known:
            log.info("study %s: its log holds %d decisions and its JSON copy %d, merged into %d", study.identity,
                     len(known), len(kept), len(found))
            self._replace_log(study, found, max(changed, kept_changed))
        self._copy(study)

    def _replace_log(self, study: Study, log_: list[Decision], changed: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM decisions WHERE study = ?", [study.identity])
            fresh: dict[int, int] = {}
            for d in log_:
                seq = _next_seq(db)
                at = datetime.fromisoformat(d.at)
                db.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           [seq, fresh.setdefault(act_of(d), seq), study.identity, at, d.scope, d.kind,
                            json.dumps(d.payload, sort_keys=True), at if d.undone else None, d.turns])
            if changed:
                _touch(db, study, changed)

    def _load_samples(self, study: Study) -> None:
        report = json.loads(study.ingest_report.read_text(encoding="utf-8"))
        listed = [(role, kind, r["index"], r["id"], r["reason"]) for role in ROLES for kind in ("set_aside", "warnings")
                  for r in report[role].pop(kind, [])]
        names = ("role", "kind", "index", "id", "reason")
        reasons = pa.table({name: [row[n] for row in listed] for n, name in enumerate(names)})
        with self._transaction() as db:
            for table in ("studies", "samples", "units", "set_aside"):
                db.execute(_DELETE[table], [study.identity])
            for role in ROLES:
                db.execute("""INSERT INTO samples SELECT ?, ?, "index", id, source, unit, images, question, answer,
                    answer_format, "group" FROM read_parquet(?)""",
                           [study.identity, role, str(study.samples_file(role))])
            db.register("listed_reasons", reasons)
            db.execute("INSERT INTO set_aside SELECT ?, * FROM listed_reasons", [study.identity])
            db.unregister("listed_reasons")
            db.execute("""INSERT INTO units SELECT study, row_number() OVER (ORDER BY min("index")) - 1, unit, count(*),
                sum(len(images)), mode(answer_format) FROM samples WHERE study = ? AND role = 'target'
                GROUP BY study, unit""",
                       [study.identity])
            db.execute("INSERT INTO studies (study, name, report, ingested_at, content) VALUES (?, ?, ?, ?, ?)",
                       [study.identity, study.name, json.dumps(report), datetime.now(), study.key("ingest")])
        log.info("study %s: samples loaded", study.identity)

    # ---- kept for the pages ----------------------------------------------------------------------------------------
    def save_map(self, study: Study, signal: str, spots: np.ndarray) -> None:
        """Keep map positions [M, 2] of a signal: of a thousand units they take seconds."""
        with self._transaction() as db:
            db.execute("DELETE FROM maps WHERE study = ? AND signal = ?", [study.identity, signal])
            db.executemany("INSERT INTO maps (study, signal, position, x, y, content) VALUES (?, ?, ?, ?, ?, ?)",
                           [[study.identity, signal, m, float(x), float(y), study.key("targets")]
                            for m, (x, y) in enumerate(spots)])

    def map(self, study: Study, signal: str) -> np.ndarray | None:
        """Map positions [M, 2] kept for a signal of these target gradients, None when there are none yet."""
        found = self._rows("SELECT x, y FROM maps WHERE study = ? AND signal = ? AND content = ? ORDER BY position",
                           [study.identity, signal, study.key("targets")])
        return np.array(found) if found else None

    def record_export(self, study: Study, *, folder: str | Path, format: str, rows: int, manifest: dict) -> None:
        """Add one line to the list of exports."""
        with self._transaction() as db:
            db.execute("INSERT INTO exports VALUES (?, ?, ?, ?, ?, ?)",
                       [study.identity, datetime.now(), str(folder), format, rows, json.dumps(manifest)])

    def exports(self, study: Study) -> pd.DataFrame:
        """All exports of a study, newest first: made_at, folder, format, rows."""
        return self._frame("SELECT made_at, folder, format, rows FROM exports WHERE study = ? ORDER BY made_at DESC",
                           [study.identity])

    def exported(self, study: Study, folder: str | Path, format: str) -> dict[str, Any] | None:
        """Manifest (without its rows) of the newest export of a format into a folder; None when there was none."""
        found = self._rows("SELECT manifest, rows FROM exports WHERE study = ? AND folder = ? AND format = ? "
                           "ORDER BY made_at DESC LIMIT 1", [study.identity, str(folder), format])
        return json.loads(found[0][0]) | {"rows_written": found[0][1]} if found else None

    # ---- reading ---------------------------------------------------------------------------------------------------
    def report(self, study: Study) -> dict[str, Any] | None:
        """What ingest found, per role, without the lists (those page by page in `reasons`); None before ingest. `file`
        is where the file lies now: a cache may have been copied with what is in it."""
        found = self._rows("SELECT report FROM studies WHERE study = ?", [study.identity])
        if not found:
            return None
        report = json.loads(found[0][0])
        return {role: report[role] | {"file": getattr(study.config, role)} for role in ROLES}

    def reasons(self, study: Study, role: str, kind: str, *, offset: int = 0,
                limit: int = 25) -> tuple[pd.DataFrame, int]:
        """One page of `set_aside` or `warnings` (columns index, id, reason), and how many are listed in all."""
        total = self._rows("SELECT count(*) FROM set_aside WHERE study = ? AND role = ? AND kind = ?",
                           [study.identity, role, kind])[0][0]
        page = self._frame("""SELECT "index", id, reason FROM set_aside WHERE study = ? AND role = ? AND kind = ?
            ORDER BY "index", reason LIMIT ? OFFSET ?""", [study.identity, role, kind, int(limit), int(offset)])
        return page, total

    def lengths(self, study: Study, role: str) -> pd.DataFrame:
        """Histogram of text length in words: columns part ('question' | 'answer'), words (bin start), rows."""
        return self._frame("""SELECT part, words, count(*) AS rows FROM (
            SELECT unnest(['question', 'answer']) AS part,
                unnest([len(string_split_regex(trim(question), '\\s+')),
                        len(string_split_regex(trim(answer), '\\s+'))]) AS words
            FROM samples WHERE study = ? AND role = ?) GROUP BY part, words ORDER BY part, words""",
                           [study.identity, role])

    def units(self, study: Study) -> pd.DataFrame:
        """Target units in file order: position, unit, samples, pictures, answer_format."""
        return self._frame("SELECT position, unit, samples, pictures, answer_format FROM units WHERE study = ? "
                           "ORDER BY position", [study.identity])

    def matching(self, study: Study, role: str, words: str) -> np.ndarray:
        """int64, ascending: indices of the samples in whose question, answer or id these words stand."""
        found = self._frame(f'SELECT "index" FROM samples WHERE {_WHERE} ORDER BY "index"',
                            {"study": study.identity, "role": role, "source": None, "format": None, "unit": None,
                             "search": words})
        return found["index"].to_numpy(np.int64)

    def samples(self, study: Study, role: str, *, where: dict[str, str | None] | None = None, offset: int = 0,
                limit: int = 25) -> tuple[pd.DataFrame, int]:
        """One page of samples and how many there are in all. `where` may name source, format, unit, search (words)."""
        chosen = {"source": None, "format": None, "unit": None, "search": None} | (where or {})
        chosen |= {"study": study.identity, "role": role}
        total = int(self._frame(f"SELECT count(*) AS n FROM samples WHERE {_WHERE}", chosen)["n"].iloc[0])
        page = self._frame(f"""SELECT "index", id, source, unit, images, question, answer, answer_format,
            duplicate_group FROM samples WHERE {_WHERE} ORDER BY "index" LIMIT $limit OFFSET $offset""",
                           chosen | {"limit": int(limit), "offset": int(offset)})
        return page, total


_DELETE = {table: f"DELETE FROM {table} WHERE study = ?" for table in ("studies", "samples", "set_aside", "units")}


def _next_seq(db: duckdb.DuckDBPyConnection) -> int:
    """A number that no decision had before."""
    return int(db.execute("SELECT nextval('decision_seq')").fetchall()[0][0])


def _touch(db: duckdb.DuckDBPyConnection, study: Study, at: str = "") -> None:
    """Note when the log of a study changed (now, or as told), so that of two logs the newer one can be told."""
    db.execute("INSERT OR REPLACE INTO logs VALUES (?, ?)", [study.identity, at or datetime.now().isoformat()])
