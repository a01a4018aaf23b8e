"""The ingest job: pool and target of a study, read once, with a report of what was found."""

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cadc.data.duplicates import group_rows
from cadc.data.indices import FeedRows
from cadc.data.ingestion import Ingest, count_rows, ingest, listed
from cadc.data.inventory import write_inventory
from cadc.data.reasons import Reason
from cadc.data.table import read_table, write_samples
from cadc.errors import DataError
from cadc.study import Study, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

LISTED = 10_000
"""Reasons listed one by one in the report; all are counted by kind."""


def run_ingest(study: Study, progress: Progress) -> None:
    """Read pool and target, write `ingest/pool.parquet`, `ingest/target.parquet`, beside them the pictures they name
    (`pictures-pool.parquet`, `pictures-target.parquet`), and last `ingest/report.json`.

    A finished ingest of the same question is left as it is. Raises DataError when a file cannot be read, no row of one
    is accepted, or the unit column is nowhere; Cancelled when asked to stop (nothing half-written counts as finished).
    """
    if is_ingested(study):
        progress.note("pool and target are already read")
        return
    roles = ("pool", "target")
    progress.start(sum(count_rows(getattr(study.config, role)) for role in roles), unit="rows")
    found = {role: _read(study, role, progress) for role in roles}
    progress.note("looking for near-duplicates")
    pool, target = found["pool"], found["target"]
    samples = [*pool.samples, *target.samples]
    hashes = [tuple(one.hashes[name] for name in s.images) for one in (pool, target) for s in one.samples]
    groups = group_rows(samples, hashes)  # pool rows come first, so their groups are those of the pool alone
    split = len(pool.samples)
    contaminated = _contaminated(pool, target, groups)
    pool.warnings.extend(contaminated)
    pool.warnings.sort(key=lambda reason: reason.index)
    own = {"pool": groups[:split], "target": group_rows(target.samples, hashes[split:])}
    report: dict[str, Any] = {"identity": study.identity}
    for role in roles:
        write_samples(study.samples_file(role), found[role], own[role])
        write_inventory(pictures_file(study, role), found[role].pictures)
        report[role] = _summary(study, role, found[role], own[role])
    report["pool"]["also_in_target"] = len(contaminated)
    write_json(study.ingest_report, report)


def is_ingested(study: Study) -> bool:
    """Whether the report and all files of this question are there."""
    try:
        report = json.loads(study.ingest_report.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    files = [place(study, role) for role in ("pool", "target") for place in (Study.samples_file, pictures_file)]
    return report.get("identity") == study.identity and all(path.exists() for path in files)


def pictures_file(study: Study, role: str) -> Path:
    """The `Inventory` of the pictures of 'pool' or 'target' (parquet)."""
    return study.samples_file(role).with_name(f"pictures-{role}.parquet")


def _read(study: Study, role: str, progress: Progress) -> Ingest:
    """One file of the study; target rows get their unit."""
    column = study.config.unit_column if role == "target" else ""
    progress.note(f"reading the {role}")
    found = ingest(getattr(study.config, role), study.image_root(role), unit_column=column,
                   embedded_to=study.ingest_images(role), progress=progress)
    if not found.samples:
        reasons = Counter(reason.kind for reason in found.set_aside).most_common(1)
        raise DataError(f"no row of the {role} file {getattr(study.config, role)} can be used: {found.rows} set aside, "
                        f"most often: {found.set_aside[0].reason if reasons else 'no reason'}.")
    if role == "target" and not column:
        ids = Counter(sample.id for sample in found.samples)
        named = [dataclasses.replace(s, unit=s.id if s.id and ids[s.id] == 1 else f"row {s.index}")
                 for s in found.samples]
        found = dataclasses.replace(found, samples=named)
    return found


def _contaminated(pool: Ingest, target: Ingest, groups: FeedRows) -> list[Reason]:
    """Pool rows with the words and picture of a target row: training on them is training on the benchmark."""
    split = len(pool.samples)
    asked = {int(group): sample.index for group, sample in zip(groups[split:][::-1], target.samples[::-1], strict=True)}
    return [Reason(sample.index, sample.id, f"also in the target: row {asked[int(group)]}")
            for group, sample in zip(groups[:split], pool.samples, strict=True) if int(group) in asked]


def _summary(study: Study, role: str, found: Ingest, groups: FeedRows) -> dict[str, Any]:
    """What the Data page shows of one file."""
    table = read_table(study.samples_file(role))
    pictures = table["images"].map(len)
    return {
        "file": getattr(study.config, role), "format": found.format, "rows": found.rows, "accepted": len(found.samples),
        "text_only": int((pictures == 0).sum()), "several_pictures": int((pictures > 1).sum()),
        "pictures": len({name for names in table["images"] for name in names}),
        "pictures_digest": found.pictures.digest,
        "duplicates": int(len(groups) - len(np.unique(groups))),
        "answer_formats": _counted(table["answer_format"]), "sources": _counted(table["source"]),
        "units": _counted(table["unit"]) if role == "target" else {},
        "set_aside_count": len(found.set_aside), "warnings_count": len(found.warnings),
        "set_aside_kinds": _counted(r.kind for r in found.set_aside),
        "warning_kinds": _counted(r.kind for r in found.warnings),
        "set_aside": listed(found.set_aside[:LISTED]), "warnings": listed(found.warnings[:LISTED]),
    }


def _counted(values: Iterable[str]) -> dict[str, int]:
    """Counts, most frequent first, ties by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
