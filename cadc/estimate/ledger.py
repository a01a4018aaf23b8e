"""Estimates kept beside what jobs really took: the two are read together, by the command line and the pages."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import TypedDict

from cadc.errors import JobError
from cadc.jobs import control as jobs
from cadc.study import Study, write_json
from cadc.study.jobs import core_jobs, offered_jobs

HERE = "here"
"""Key of the estimate for this machine in the estimate file; the others are names of devices."""


class Price(TypedDict):
    """What a job, or all jobs together, should take."""

    seconds: float
    memory_mb: float
    disk_mb: float


class Estimate(TypedDict, total=False):
    """An estimate as its file has it."""

    jobs: dict[str, Price]
    total: Price
    basis: str
    """Where the numbers come from, for a person."""
    device: str
    made: str
    """When, to the second."""
    rates: dict[str, float]
    """Of this machine: `calibration.Rates`."""
    mode: str
    """Of another device: `exact` or `sketch`."""
    memory: dict[str, float]
    """Of another device: MB by part."""
    flops: dict[str, float]
    """Of another device: FLOP of a mean pool row by part."""


class Actual(TypedDict):
    """What a finished job took; None where it was not recorded."""

    seconds: float
    memory_mb: float | None
    device_memory_mb: float | None
    disk_mb: float | None
    samples_per_s: float | None
    device: str | None


class Beside(TypedDict):
    """One job: what was predicted, what it took, and the ratio of the two by key of `Price`."""

    job: str
    predicted: Price | None
    actual: Actual | None
    ratio: dict[str, float] | None


def summed(costs: dict[str, Price], offered: Collection[str] = ()) -> Estimate:
    """Jobs run one after the other: seconds and disk add up, memory is the largest.

    offered: jobs that run only when asked for; they have a price of their own and are not in the total.
    """
    each = [price for job, price in costs.items() if job not in offered]
    return {"jobs": costs, "total": {"seconds": round(sum(cost["seconds"] for cost in each), 1),
                                     "memory_mb": round(max(cost["memory_mb"] for cost in each), 1),
                                     "disk_mb": round(sum(cost["disk_mb"] for cost in each), 1)}}


def keep(study: Study, device: str, found: Estimate) -> Estimate:
    """Write an estimate for a device into the study's file, in place of an earlier one for it; returns it, dated."""
    dated: Estimate = {**found, "device": device, "made": datetime.now().isoformat(timespec="seconds")}
    write_json(study.estimate_file, kept(study) | {device: dated})
    return dated


def kept(study: Study) -> dict[str, Estimate]:
    """The latest estimate of each device (`here` is this machine), the newest last. Raises JobError for a torn file."""
    try:
        found: dict[str, Estimate] = json.loads(study.estimate_file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise JobError(f"estimate.json of study {study.name!r} cannot be read: {error}. Delete it; the next estimate "
                       "writes a new one.") from error
    return dict(sorted(found.items(), key=lambda item: item[1]["made"]))


def beside(study: Study, found: Estimate | None) -> list[Beside]:
    """One row per job, those that run only when asked for last; a ratio only for an estimate of this machine.

    A job whose record is missing (an earlier version ran it) still tells its seconds through its status.
    """
    predictions = found.get("jobs", {}) if found else {}
    here = found is not None and found.get("device") == HERE
    rows: list[Beside] = []
    for job in (*core_jobs(study.config), *offered_jobs(study.config)):
        predicted, actual = predictions.get(job), _actual(study, job)
        rows.append({"job": job, "predicted": predicted, "actual": actual,
                     "ratio": _ratio(predicted, actual) if here and predicted and actual else None})
    return rows


def _ratio(predicted: Price, actual: Actual) -> dict[str, float]:
    """Predicted by taken, for each number that is known and not 0."""
    pairs = {"seconds": (predicted["seconds"], actual["seconds"]),
             "memory_mb": (predicted["memory_mb"], actual["memory_mb"]),
             "disk_mb": (predicted["disk_mb"], actual["disk_mb"])}
    return {key: round(first / second, 3) for key, (first, second) in pairs.items() if second}


def _actual(study: Study, job: str) -> Actual | None:
    """What a finished job took."""
    status, took = jobs.status(study, job), jobs.cost(study, job)
    if status.state != "done":
        return None
    seconds = round(status.seconds, 2)
    if took is None:
        return {"seconds": seconds, "memory_mb": None, "device_memory_mb": None, "disk_mb": None,
                "samples_per_s": None, "device": None}
    return {"seconds": seconds, "memory_mb": took.memory_mb, "device_memory_mb": took.device_memory_mb,
            "disk_mb": took.disk_mb, "samples_per_s": took.samples_per_s or None, "device": took.device}
