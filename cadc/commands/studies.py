"""Commands about studies: make one, list them, see where one stands, remove it."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study, print_json
from cadc.errors import BusyError, DataError

if TYPE_CHECKING:
    from cadc.study import Study


# ---- new -------------------------------------------------------------------------------------------------------------
def _new_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what to call it")
    parser.add_argument("--pool", required=True, metavar="FILE")
    parser.add_argument("--target", required=True, metavar="FILE")
    parser.add_argument("--images", default="", metavar="DIR",
                        help="image root of both; default: the folder of each file")
    parser.add_argument("--unit-column", default="", metavar="COLUMN", help="column of the target that names its units")
    parser.add_argument("--model", default="", metavar="PATH_OR_ID", help="default: the tiny embedded model")
    parser.add_argument("--preset", default=choices.preset(), choices=choices.presets(),
                        help=f"default: {choices.preset()}")
    parser.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE",
                        help="docs/settings.md lists the keys")
    as_json(parser)


def new(chosen: argparse.Namespace) -> int:
    """Register a study."""
    from datetime import datetime

    from cadc.curation.presets import checked
    from cadc.study import Study, StudyConfig

    model = chosen.model
    if not model:
        from cadc.demo import MODEL_DIR

        model = str(MODEL_DIR)
        print("no --model given: using the tiny embedded model, which only shows the workflow", file=sys.stderr)
    base = {"pool": chosen.pool, "target": chosen.target, "images": chosen.images, "unit_column": chosen.unit_column,
            "model": model, "preset": chosen.preset}
    config = StudyConfig.from_settings(base, _settings(chosen.set))
    study = Study.create(chosen.name, checked(config), created=datetime.now().isoformat(timespec="seconds"))
    if chosen.json:
        print_json({"study": study.name, "identity": study.identity, "created": study.created})
        return 0
    print(f"study {study.name} ({study.identity}). Next: python -m cadc run {study.name}")
    return 0


def _settings(items: list[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises DataError for one without a sign."""
    found = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign:
            raise DataError(f"--set {item!r}: expected key=value. docs/settings.md lists the keys.")
        found[key] = value
    return found


NEW = Command(name="new", about="Register a study: one pool, one target, one model, one set of settings.",
              example="new mine --pool pool.json --target bench.json --images photos/ --unit-column task "
                      "--set checkpoints=2 seed=1",
              arguments=_new_arguments, run=new)


# ---- list ------------------------------------------------------------------------------------------------------------
def list_all(chosen: argparse.Namespace) -> int:
    """Print one line per study."""
    from cadc.jobs import control as jobs
    from cadc.study import Study
    from cadc.study.jobs import core_jobs

    found = []
    for name in Study.names():
        study = Study.open(name)
        stand = next((f"{s.job} {s.state}" for s in jobs.statuses(study)
                      if s.job in core_jobs(study.config) and s.state != "done"), "ready")
        found.append({"study": name, "identity": study.identity, "preset": study.config.preset, "stands": stand,
                      "created": study.created})
        if not chosen.json:
            print(f"{name:<24} {study.identity}  {study.config.preset:<7} {stand}")
    if chosen.json:
        print_json(found)
    return 0


LIST = Command(name="list", about="List all studies.", example="list --json", arguments=as_json, run=list_all)


# ---- status ----------------------------------------------------------------------------------------------------------
def _status_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    as_json(parser, "with what each job took")


def status(chosen: argparse.Namespace) -> int:
    """Print where the jobs of a study stand."""
    from dataclasses import asdict

    from cadc.gradients import modes
    from cadc.jobs import control as jobs
    from cadc.scores import attribution
    from cadc.scores.left_out import left_out
    from cadc.study import Study
    from cadc.study.jobs import offered_jobs
    from cadc.views.jobs import THERE, shown_state

    study = Study.open(chosen.name)
    offered = offered_jobs(study.config)
    found, rows = jobs.statuses(study), left_out(study) if study.finished("ingest") else None
    if chosen.json:
        print(json.dumps({"study": study.name, "identity": study.identity, "running": jobs.is_running(study),
                          "products": modes.recorded(study),
                          "scores": attribution.report(study) if study.finished("scores") else None,
                          "left_out": attribution.left_out(study) if study.finished("scores") else [],
                          "rows": rows.listed() if rows else None,
                          "complete": study.complete,
                          "jobs": [asdict(s) | {"cost": _cost(study, s.job), "on_request": s.job in offered}
                                   for s in found]}))
        return 0
    print(f"{study.name} ({study.identity})")
    for s in found:
        counts = f"{s.done}/{s.total} {s.unit}" if s.total else ""
        note = s.note if s.state == "running" else "" if s.seconds or s.state != "done" else THERE
        print(f"  {s.job:<12} {shown_state(study, s):<13} {counts:<22} {s.seconds:7.1f} s  {s.message or note}")
        for what in s.repaired:
            print(f"  {'':<12} made again: {what}")
    if rows:
        print(f"  pool: {rows.pool.sentence()}\n  target: {rows.target.sentence()}")
    if products := modes.recorded(study):
        print(f"  {modes.sentence(products)}")
    if study.finished("scores"):
        print("\n".join(f"  {line}" for line in attribution.sentences(study)))
    return 0


def _cost(study: "Study", job: str) -> dict[str, Any] | None:
    """What a job took, as a plain dict; None before it ran."""
    from dataclasses import asdict

    from cadc.jobs import control as jobs

    found = jobs.cost(study, job)
    return asdict(found) if found else None


STATUS = Command(name="status", about="Show where the jobs of a study stand.", example="status mine --json",
                 arguments=_status_arguments, run=status)


# ---- remove ----------------------------------------------------------------------------------------------------------
def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    as_json(parser)


def remove(chosen: argparse.Namespace) -> int:
    """Say what goes and how much it is, ask, remove; 1 where the answer is no.

    Raises BusyError while a worker is at it, DataError where nobody can be asked and --yes is not given.
    """
    from cadc.jobs import control as jobs
    from cadc.study import Study
    from cadc.study.removal import remove as take_away

    study = Study.open(chosen.name)
    if jobs.is_running(study):
        raise BusyError(f"study {study.name!r} is being worked on. `python -m cadc cancel {study.name}` stops that; "
                        "remove it then.")
    told = sys.stderr if chosen.json else sys.stdout
    print("\n".join(_contents(study)), flush=True, file=told)
    agreed = chosen.yes or _agreed(study.name, told)
    gone = take_away(study) if agreed else []
    if chosen.json:
        print_json({"study": study.name, "identity": study.identity, "removed": [str(place) for place in gone]})
        return int(not agreed)
    for place in gone:
        print(f"removed {place}")
    print(f"removed the name {study.name}" if agreed else "nothing was removed")
    return int(not agreed)


def _contents(study: "Study") -> list[str]:
    """What would go: the study's folder, and results that no other study shares, with their sizes."""
    from cadc.jobs.meter import MB, size_of
    from cadc.study.removal import goes

    sizes = [(size_of((place,)), place) for place in goes(study)]
    return [f"study {study.name} ({study.identity}), {sum(size for size, _ in sizes) / MB:,.1f} MB; results that "
            "another study shares stay, what was decided is kept in removed/",
            *(f"  {place.relative_to(study.root)!s:<44} {size / MB:10,.1f} MB" for size, place in sorted(sizes)[::-1])]


def _agreed(name: str, told: TextIO) -> bool:
    """Whether the person at the terminal says yes. Raises DataError where there is none."""
    if not sys.stdin.isatty():
        raise DataError(f"nobody can be asked whether study {name!r} shall go. Add --yes to remove it.")
    print("Remove all of it, for good? [y/N] ", end="", file=told, flush=True)
    return input().strip().lower() in ("y", "yes")


REMOVE = Command(name="remove", about="Remove a study with everything computed for it; says what goes, and asks.",
                 example="remove mine", arguments=_remove_arguments, run=remove)
