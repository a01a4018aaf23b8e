"""Estimates kept beside what jobs really took: the two are read together, by the command line and the pages."""

import json
from datetime import datetime
from typing import Any

from cadc import jobs
from cadc.errors import JobError
from cadc.study import Study, write_json

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
    """One row per job: predicted and actual seconds, memory and disk; None where one of them is not known.

    A job whose record is missing (an earlier version ran it) still tells its seconds through its status.
    """
    rows = []
    for job in jobs.CORE_JOBS:
        predicted = (found or {}).get("jobs", {}).get(job, {})
        took, status = jobs.cost(study, job), jobs.status(study, job)
        done = status.state == "done"
        actual = {"seconds": status.seconds if done else None,
                  "memory_mb": took.memory_mb if done and took else None,
                  "disk_mb": took.disk_mb if done and took else None,
                  "samples_per_s": took.samples_per_s if done and took else None,
                  "device": took.device if done and took else None}
        rows.append({"job": job, "predicted": predicted or None, "actual": actual if done else None})
    return rows
