"""Rows that fall out, each counted once with its reason: those that ingest set aside, and those that it accepted and
that the run left out (too long, refused by the processor, not finite), whichever jobs met them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cadc.data.indices import FileIndex
from cadc.data.ingestion import listed
from cadc.data.lengths import Expected, expected
from cadc.data.reasons import Reason, counted, run_reason, told
from cadc.scores import columns
from cadc.study import JOBS, Study, write_json

ROLES = ("pool", "target")
LISTED = 10_000
"""Rows of each role that `FellOut.listed` names one by one; all are counted."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """One row that ingest accepted and that the run did without."""

    index: FileIndex
    id: str
    reason: str
    """Kind (`cadc.data.reasons.LEFT_OUT`), then a detail after a colon; of several jobs' reasons the first."""
    jobs: tuple[str, ...]
    """Jobs that left it out, in the order in which they run."""

    @property
    def kind(self) -> str:
        """The stable phrase without its detail."""
        return Reason(self.index, self.id, self.reason).kind

    def to_dict(self) -> dict[str, Any]:
        """JSON value."""
        return {"index": self.index, "id": self.id, "reason": self.reason, "jobs": list(self.jobs)}


@dataclass(frozen=True, kw_only=True)
class RoleRows:
    """What became of the rows of one file."""

    rows: int
    """Rows in the file: accepted and set aside."""
    accepted: int
    set_aside: Mapping[str, int]
    """At ingest: kind of reason → rows."""
    warnings: Mapping[str, int]
    """Kind → rows that are used with a warning; a row may have several."""
    left_out: tuple[LeftOut, ...]
    """In the run, by position in the file."""
    used_in_part: tuple[LeftOut, ...]
    """Rows that have scores though an earlier or later job did without them: none unless a file changed meanwhile."""
    scored: int | None
    """Pool rows with scores; None before there are any, and for the target."""
    told: bool
    """Whether every job that refuses rows of this file is finished."""
    expected: Expected | None
    """Rows that will probably be left out; None where nobody has estimated it, or the run has told."""

    @property
    def kinds(self) -> dict[str, int]:
        """Left out in the run: kind → rows, most frequent first."""
        return counted(row.kind for row in self.left_out)

    def summary(self) -> dict[str, Any]:
        """Counts as a JSON value, the same for the same work: no row's own text in it."""
        found = {"rows": self.rows, "accepted": self.accepted, "set_aside": dict(self.set_aside),
                 "warnings": dict(self.warnings), "left_out": self.kinds, "told": self.told}
        found |= {} if self.scored is None else {"scored": self.scored}
        found |= {"scored_in_spite": len(self.used_in_part)} if self.used_in_part else {}
        return found | ({"expected": dict(self.expected.kinds)} if self.expected else {})

    def listed(self) -> dict[str, Any]:
        """`summary` and the rows themselves, at most `LISTED`."""
        found = self.summary() | {"left_out_rows": [row.to_dict() for row in self.left_out[:LISTED]]}
        return found | ({"expected_rows": listed(self.expected.rows)} if self.expected else {})

    def sentence(self) -> str:
        """The same in a line."""
        parts = [f"{self.rows:,} rows, {self.accepted:,} accepted", f"set aside: {told(self.set_aside)}"]
        parts += [f"left out in the run: {told(self.kinds)}"] if self.told or self.left_out else []
        parts += [f"expected to be left out: {told(self.expected.kinds)}"] if self.expected else []
        return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class FellOut:
    """Both files of a study."""

    pool: RoleRows
    target: RoleRows

    def role(self, role: str) -> RoleRows:
        """'pool' or 'target'."""
        return self.pool if role == "pool" else self.target

    def summary(self) -> dict[str, Any]:
        """Counts by kind and role; for manifests and data cards: no time, no path."""
        return {"pool": self.pool.summary(), "target": self.target.summary()}

    def listed(self) -> dict[str, Any]:
        """`summary` and the rows themselves, at most `LISTED` of each role."""
        return {role: self.role(role).listed() for role in ROLES}


def left_out(study: Study) -> FellOut:
    """What became of every row, as far as the jobs that are finished know. Raises JobError before pool and target were
    read, or when a report is damaged."""
    report = json.loads(study.require("ingest").intact("report.json").read_text())
    return FellOut(**{role: _role(study, role, report[role]) for role in ROLES})


def write_report(folder: Path, role: str, rows: Iterable[Reason]) -> None:
    """Write what a job that keeps no other report left out of 'pool' or 'target', beside its results. Its name stands
    in `Job.volatile`: a result with it and one of an earlier version without it are the same."""
    write_json(folder / report_name(role), listed(rows))


def report_name(role: str) -> str:
    """File of `write_report`."""
    return f"left-out-{role}.json"


def _role(study: Study, role: str, report: Mapping[str, Any]) -> RoleRows:
    quick = JOBS["scores"].optional(study.config) and not study.finished("scores")
    job, name = ("quick", "rows") if quick else ("scores", "index")
    scored = columns.read(study, name) if role == "pool" and study.finished(job) else None
    first: dict[FileIndex, Reason] = {}
    jobs: dict[FileIndex, list[str]] = {}
    for job, reason in _told(study, role):
        first.setdefault(reason.index, reason)
        if job not in jobs.setdefault(reason.index, []):
            jobs[reason.index].append(job)
    have = set() if scored is None else set(np.asarray(scored)[np.isin(scored, list(first))].tolist())
    rows = [LeftOut(index=index, id=first[index].id, reason=first[index].reason, jobs=tuple(jobs[index]))
            for index in sorted(first)]
    over = study.finished("quick" if quick else "scores" if role == "pool" else "targets")
    return RoleRows(rows=report["rows"], accepted=report["accepted"], set_aside=report["set_aside_kinds"],
                    warnings=report["warning_kinds"], left_out=tuple(row for row in rows if row.index not in have),
                    used_in_part=tuple(row for row in rows if row.index in have),
                    scored=None if scored is None else len(scored),
                    told=over, expected=None if over else expected(study, role))


def _told(study: Study, role: str) -> Iterator[tuple[str, Reason]]:
    """What each finished job says it left out, in the order in which jobs run."""
    yield from _listed(study, "judge", report_name(role))
    if role == "pool":
        yield from _listed(study, "warmup", "warmup.json", "failed")
        yield from (("attribute", reason) for _, reason in _listed(study, "scores", "failed.json"))
    else:
        yield from _listed(study, "targets", "targets.json", "failed")
    yield from _listed(study, "embedding", report_name(role))


def _listed(study: Study, job: str, name: str, key: str = "") -> Iterator[tuple[str, Reason]]:
    """The rows that a report of a finished job lists; none where it is not finished, or of an earlier version."""
    result = study.result(job)
    record = result.record
    if record is None or name not in record.files:
        return
    found = json.loads(result.intact(name).read_text())
    for row in found.get(key, ()) if key else found:
        yield job, Reason(FileIndex(row["index"]), row["id"], run_reason(row["reason"]))
