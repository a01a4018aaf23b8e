"""Estimates kept beside what jobs really took: the two are read together, by the command line and the pages."""

import json
from datetime import datetime
from typing import Any

from cadc.errors import JobError
from cadc.jobs import control as jobs
from cadc.study import Study, write_json
from cadc.study.jobs import core_jobs

HERE = "here"
"""Key of the estimate for this machine in the estimate file; the others are names of devices."""
TOTALS = {"seconds": sum, "memory_mb": max, "disk_mb": sum}


def summed(costs: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Jobs run one after the other: seconds and disk add up, memory is the largest."""
    return {"jobs": costs, "total": {key: round(join(cost[key] for cost in costs.values()), 1)
                                     for key, join in TOTALS.items()}}


def keep(study: Study, device: str, found: dict[str, Any]) -> dict[str, Any]:
    """Write an estimate for a device into the study's file, in place of an earlier one for it; returns it, dated."""
    dated = found | {"device": device, "made": datetime.now().isoformat(timespec="seconds")}
    write_json(study.estimate_file, kept(study) | {device: dated})
    return dated


def kept(study: Study) -> dict[str, dict[str, Any]]:
    """The latest estimate of each device (`here` is this machine), the newest last."""
    try:
        found = json.loads(study.estimate_file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise JobError(f"estimate.json of study {study.name!r} cannot be read: {error}. Delete it; the next estimate "
                       "writes a new one.") from error
    return dict(sorted(found.items(), key=lambda item: item[1]["made"]))


def beside(study: Study, found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """One row per job: `predicted`, `actual` and, for an estimate of this machine, their `ratio`; each has seconds,
    memory_mb and disk_mb, `actual` also samples_per_s and device. None where it is not known.

    A job whose record is missing (an earlier version ran it) still tells its seconds through its status.
    """
    rows = []
    for job in core_jobs(study.config):
        predicted = (found or {}).get("jobs", {}).get(job)
        actual = _actual(study, job)
        ratio = None
        if predicted and actual and (found or {}).get("device") == HERE:
            ratio = {key: round(predicted[key] / actual[key], 3) for key in TOTALS if actual[key]}
        rows.append({"job": job, "predicted": predicted, "actual": actual, "ratio": ratio})
    return rows


def _actual(study: Study, job: str) -> dict[str, Any] | None:
    """What a finished job took."""
    status, took = jobs.status(study, job), jobs.cost(study, job)
    if status.state != "done":
        return None
    names = ("memory_mb", "device_memory_mb", "disk_mb", "samples_per_s", "device")
    return {"seconds": round(status.seconds, 2)} | {name: getattr(took, name) if took else None for name in names}
