"""The ingest job: pool and target of a study, read once, with a report of what was found."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cadc.data.duplicates import group_rows
from cadc.data.indices import FeedRows
from cadc.data.ingestion import Ingest, count_rows, ingest, listed
from cadc.data.inventory import differences, read_inventory, renewed, write_inventory
from cadc.data.limits import PictureLimits
from cadc.data.reasons import Reason
from cadc.data.rows import Reading
from cadc.data.table import read_table, write_samples
from cadc.errors import DataError
from cadc.study import Study, write_json
from cadc.study.progress import Progress

log = logging.getLogger(__name__)

ROLES = ("pool", "target")
LISTED = 10_000
"""Reasons listed one by one in the report; all are counted by kind."""


def run_ingest(study: Study, progress: Progress) -> None:
    """Read pool and target; write `pool.parquet`, `target.parquet`, beside them the pictures they name
    (`pictures-pool.parquet`, `pictures-target.parquet`), and last `report.json`.

    A finished ingest of the same question and the same pictures is left as it is. Raises DataError when a file cannot
    be read, no row of one is accepted, or the unit column is nowhere; Cancelled when asked to stop (nothing
    half-written counts as finished).
    """
    if study.finished("ingest"):
        progress.note("pool and target are already read")
        return
    with study.new_ingest() as folder:
        digests = _ingest(study, folder, progress)
        study.keep_ingest(folder, digests)


def _ingest(study: Study, folder: Path, progress: Progress) -> dict[str, str]:
    """Everything read and written into `folder`; the digest of each role's pictures."""
    progress.note("counting the rows of pool and target")
    progress.start(sum(count_rows(getattr(study.config, role)) for role in ROLES), unit="rows")
    found = {role: _read(study, role, folder, progress) for role in ROLES}
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
    report: dict[str, Any] = {}
    for role in ROLES:
        write_samples(folder / f"{role}.parquet", found[role], own[role])
        write_inventory(folder / inventory_name(role), found[role].pictures)
        report[role] = _summary(study, role, found[role], own[role], folder)
    report["pool"]["also_in_target"] = len(contaminated)
    write_json(folder / "report.json", report)
    return {role: found[role].pictures.digest for role in ROLES}


def changed_pictures(study: Study) -> str:
    """'' or one line on the pictures that are not what ingest read: replaced, gone, or arrived since. Files that were
    only touched or copied are written down as such, so that they need not be read again."""
    result, words = study.require("ingest"), []
    touched, limits = False, PictureLimits.of(study.config)
    for role in ROLES:
        path = result.intact(inventory_name(role))
        before = read_inventory(path)
        after = renewed(before, study.image_root(role), study.ingest_images(role), limits)
        counts = Counter(change.what for change in differences(before, after))
        words += [f"{count:,} {role} pictures {what}" for what, count in sorted(counts.items())]
        if not counts and after != before:
            write_inventory(path, after)
            touched = True
    if touched and not words:
        result.finish()
    return ", ".join(words) + " since they were read" if words else ""


def pictures_read(study: Study) -> dict[str, str]:
    """SHA-256 of every picture of the pool as ingest read it; {} for a study that wrote none down."""
    result = study.require("ingest")
    if not (result.folder / inventory_name("pool")).exists():
        return {}
    found = read_inventory(result.intact(inventory_name("pool")))
    return {name: content for name, content in zip(found.names, found.sha256, strict=True) if content}


def is_ingested(study: Study) -> bool:
    """Whether pool and target were read."""
    return study.finished("ingest")


def inventory_name(role: str) -> str:
    """File of the `Inventory` of the pictures of 'pool' or 'target'."""
    return f"pictures-{role}.parquet"


def _read(study: Study, role: str, folder: Path, progress: Progress) -> Ingest:
    """One file of the study; target rows get their unit."""
    column = study.config.unit_column if role == "target" else ""
    progress.note(f"reading the {role}")
    reading = Reading(unit_column=column, neutralise=study.config.control_tokens == "neutralise",
                      stripped=study.config.reading == 1)
    found = ingest(getattr(study.config, role), study.image_root(role), reading=reading,
                   embedded_to=folder / f"images-{role}", progress=progress, limits=PictureLimits.of(study.config))
    if not found.samples:
        kind = Counter(reason.kind for reason in found.set_aside).most_common(1)[0][0]
        first = next(reason for reason in found.set_aside if reason.kind == kind)
        raise DataError(f"no row of the {role} file {getattr(study.config, role)} can be used: {found.rows} set aside, "
                        f"most often: {first.reason}. Repair them (`python -m cadc check` lists all), or set the image "
                        "root.")
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


def _summary(study: Study, role: str, found: Ingest, groups: FeedRows, folder: Path) -> dict[str, Any]:
    """What the Data page shows of one file."""
    table = read_table(folder / f"{role}.parquet")
    pictures = table["images"].list.len()
    return {
        "file": getattr(study.config, role), "format": found.format, "rows": found.rows, "accepted": len(found.samples),
        "text_only": int((pictures == 0).sum()), "several_pictures": int((pictures > 1).sum()),
        "pictures": table["images"].list.flatten().nunique(),
        "pictures_digest": found.pictures.digest,
        "duplicates": int(len(groups) - len(np.unique(groups))),
        "answer_formats": _counted(table["answer_format"]), "sources": _counted(table["source"]),
        "units": _counted(table["unit"]) if role == "target" else {},
        "keys": found.keys, "passed_over": found.passed_over,
        "set_aside_count": len(found.set_aside), "warnings_count": len(found.warnings),
        "set_aside_kinds": _counted(r.kind for r in found.set_aside),
        "warning_kinds": _counted(r.kind for r in found.warnings),
        "set_aside": listed(found.set_aside[:LISTED]), "warnings": listed(found.warnings[:LISTED]),
    }


def _counted(values: Iterable[str]) -> dict[str, int]:
    """Counts, most frequent first, ties by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
