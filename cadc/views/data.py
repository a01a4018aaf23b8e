"""Data page: what was read of pool and target, as counts and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cadc.data import check
from cadc.data.answers import FORMATS as ANSWER_FORMATS
from cadc.data.reasons import Reason, told
from cadc.data.rows import told_keys
from cadc.scores.left_out import FellOut, LeftOut, RoleRows

CHECKED = 200
"""Rows of a check that are listed with their reasons."""


@dataclass(frozen=True, kw_only=True)
class FileView:
    """What was read of one file."""

    role: str
    """`pool` or `target`."""
    facts: dict[str, int]
    """What is counted, in words."""
    about: str
    """File, format and number of rows."""
    in_target: int
    """Pool rows that are also in the target."""
    sources: dict[str, int]
    """Source → rows."""
    formats: dict[str, int]
    """Answer format → rows."""
    kinds: dict[str, dict[str, int]]
    """`set_aside` and `warnings`: reason → rows."""
    lengths: pd.DataFrame
    """part (question | answer), words, rows."""
    keys: dict[str, dict[str, dict[str, int]]] | None
    """Place → fate → key → rows (`Ingest.keys`); None in a study that an earlier version read."""
    passed_over: dict[str, int]
    """Files of an input folder that are no data → how many."""
    lost: "LostView"
    """Rows that ingest accepted and the run leaves out."""


@dataclass(frozen=True, kw_only=True)
class LostView:
    """Rows that ingest accepted and the run left out, or, before it, will probably leave out."""

    title: str
    """What these rows are, in words."""
    text: str
    """Their number with kinds, in words; '' where nobody knows yet."""
    kinds: dict[str, int]
    """Kind of reason → rows."""
    rows: tuple[LeftOut, ...] | tuple[Reason, ...]
    """By position in the file."""
    about: str
    """What a number that is only expected rests on; '' for what the run has told."""

    def table(self, offset: int, limit: int) -> pd.DataFrame:
        """index, id, reason of one page of them, and the jobs that left them out."""
        return pd.DataFrame([{"index": row.index, "id": row.id, "reason": row.reason}
                             | ({"jobs": ", ".join(row.jobs)} if isinstance(row, LeftOut) else {})
                             for row in self.rows[offset:offset + limit]])


@dataclass(frozen=True, kw_only=True)
class DataView:
    """Pool and target of one study."""

    pool: FileView
    target: FileView
    units: pd.DataFrame
    """position, unit, samples, pictures, answer_format of each target unit."""

    def file(self, role: str) -> FileView:
        """`pool` or `target`."""
        return self.pool if role == "pool" else self.target

    @property
    def sources(self) -> list[str]:
        """All sources of both files, sorted."""
        return sorted({*self.pool.sources, *self.target.sources})


def data_view(report: Mapping[str, Any], units: pd.DataFrame, lengths: Mapping[str, pd.DataFrame], fell_out: FellOut
              ) -> DataView:
    """report: what ingest found, per role; lengths: per role (`Store.report`, `Store.units`, `Store.lengths`);
    fell_out: `cadc.scores.left_out.left_out`."""
    pool, target = (file_view(role, report[role], lengths[role], lost_view(fell_out.role(role)))
                    for role in ("pool", "target"))
    return DataView(pool=pool, target=target, units=units)


def lost_view(rows: RoleRows) -> LostView:
    """What the run left out of a file; before it has told, what it will probably leave out."""
    guess = rows.expected
    if rows.told or guess is None:
        title = "left out in the run"
        return LostView(title=title, text=f"{title}: {told(rows.kinds)}" if rows.told or rows.left_out else "",
                        kinds=rows.kinds, rows=rows.left_out, about="")
    title = "probably left out"
    unknown = f"; the length of {guess.unknown:,} rows cannot be estimated" if guess.unknown else ""
    return LostView(title=title, text=f"{title}: {told(guess.kinds)}{unknown}", kinds=dict(guess.kinds),
                    rows=guess.rows, about=f"Before the run, from estimated tokens: {guess.how}.")


def file_view(role: str, found: Mapping[str, Any], lengths: pd.DataFrame, lost: LostView) -> FileView:
    """One file; found: its part of the report."""
    facts = {"samples": found["accepted"], "set aside": found["set_aside_count"]}
    facts |= {lost.title: sum(lost.kinds.values())} if lost.text else {}
    facts |= {"warnings": found["warnings_count"], "without a picture": found["text_only"],
              "several pictures": found["several_pictures"], "near-duplicates": found["duplicates"]}
    if "also_in_target" in found:
        facts["also in the target"] = found["also_in_target"]
    return FileView(role=role, facts=facts, about=f"{found['file']}  ·  {found['format']}  ·  {found['rows']:,} rows",
                    in_target=found.get("also_in_target", 0), sources=found["sources"],
                    formats=found["answer_formats"], lengths=lengths, lost=lost,
                    kinds={"set_aside": found["set_aside_kinds"], "warnings": found["warning_kinds"]},
                    keys=found.get("keys"), passed_over=found.get("passed_over", {}))


def key_table(file: FileView) -> pd.DataFrame:
    """where (column | turn | block), key, became (read | kept | ignored), rows: ignored keys first, then kept ones."""
    order = {"ignored": 0, "kept": 1, "read": 2}
    rows = [(place, key, fate, number) for place, fates in (file.keys or {}).items() for fate, names in fates.items()
            for key, number in names.items()]
    frame = pd.DataFrame(rows, columns=["where", "key", "became", "rows"])
    return frame.sort_values(["became", "rows"], key=lambda one: one.map(order) if one.name == "became" else -one,
                             kind="stable", ignore_index=True)


def reason_table(kinds: Mapping[str, int]) -> pd.DataFrame:
    """reason, rows."""
    return pd.DataFrame({"reason": list(kinds), "rows": list(kinds.values())})


def format_table(pool: Mapping[str, int], target: Mapping[str, int]) -> pd.DataFrame:
    """answer_format, pool, target (rows): every format of either, the known ones in their usual order."""
    known = [name for name in ANSWER_FORMATS if name in pool or name in target]
    names = [*known, *sorted((set(pool) | set(target)) - set(ANSWER_FORMATS))]
    return pd.DataFrame({"answer_format": names, "pool": [pool.get(n, 0) for n in names],
                         "target": [target.get(n, 0) for n in names]})


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What reading a file now would give."""

    text: str
    """Counts in words."""
    set_aside: list[dict[str, Any]]
    """The first rows that would not be used, and why."""
    warnings: list[dict[str, Any]]
    """The first rows that would be used with a warning."""
    keys: list[str]
    """What became of columns and keys, a line for each fate."""


def check_file(role: str, path: str, images: str, unit_column: str = "") -> Checked:
    """Read a file now without keeping anything. Raises DataError."""
    found = check(path, images, unit_column)
    return Checked(text=f"{role}: {found['samples']:,} rows, {found['accepted']:,} usable, "
                        f"{len(found['set_aside']):,} set aside, {len(found['warnings']):,} warnings, "
                        f"{len(found['near_duplicates']):,} near-duplicates",
                   set_aside=found["set_aside"][:CHECKED], warnings=found["warnings"][:CHECKED],
                   keys=told_keys(found["keys"]))
