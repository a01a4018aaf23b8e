"""Commands that compute: start the jobs of a study, compute a share of its shards, ask a running job to stop."""

import argparse
import sys

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study, print_json
from cadc.errors import DataError


def _job(text: str) -> str:
    """A job's name, also one of an earlier version. Raises JobError for an unknown one."""
    from cadc.study.jobs import job_named

    return job_named(text).name if text else ""


# ---- run -------------------------------------------------------------------------------------------------------------
def _arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--until", metavar="JOB", default="", type=_job,
                        help=f"{' | '.join(choices.jobs())}; default: {choices.until()}. What a study has only on "
                        "request, such as transfer, runs when it is named here")
    parser.add_argument("--again", metavar="JOB", default="", type=_job,
                        help="make the result of this job anew, and what was made from it if it comes out otherwise")
    parser.add_argument("--workers", type=int, metavar="N",
                        help="processes for attribution; default: one per GPU, without one: one per core")
    parser.add_argument("--engine", default=choices.engines()[0], choices=choices.engines(),
                        help=f"docs/cluster.md; default: {choices.engines()[0]}")
    parser.add_argument("--address", default="", metavar="auto|local|HOST:PORT",
                        help="engine ray: the cluster this machine belongs to (default), one started here, or its head")
    parser.add_argument("--detach", action="store_true", help="start and return at once")
    as_json(parser, "where the jobs stand then")


def run(chosen: argparse.Namespace) -> int:
    """Start the jobs of a study, unless they are at work, and watch them; 1 when one did not finish."""
    from cadc.commands.watch import follow
    from cadc.jobs import control as jobs
    from cadc.jobs.engines import EngineSettings
    from cadc.study import Study

    study, until = Study.open(chosen.name), _until(chosen)
    if jobs.is_running(study) and not chosen.again:
        print(f"study {study.name} is already being worked on; watching it", file=sys.stderr)
    else:
        jobs.start(study, until, again=chosen.again, engine=EngineSettings(
            engine=chosen.engine, workers=chosen.workers, address=chosen.address))
    done = True if chosen.detach else follow(study, until)
    if chosen.json:
        print_json({"study": study.name, "identity": study.identity, "done": None if chosen.detach else done,
                    "jobs": {s.job: s.state for s in jobs.statuses(study)}})
    return int(not done)


def _until(chosen: argparse.Namespace) -> str:
    """The job to end with: as asked, else the usual one ('').

    Raises DataError when the run would end before what is asked for again.
    """
    order = choices.jobs()
    if chosen.until and chosen.again and order.index(chosen.until) < order.index(chosen.again):
        raise DataError(f"--again {chosen.again} --until {chosen.until}: the run would end before {chosen.again}. "
                        "Leave --until out, or name a later job.")
    return str(chosen.until)


RUN = Command(name="run", about="Run the jobs of a study and watch them; Ctrl-C asks them to stop.",
              example="run mine --until targets", arguments=_arguments, run=run)


# ---- shards ----------------------------------------------------------------------------------------------------------
def _shards_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--part", default="1/1", metavar="I/N", help="part I of N, from 1 (docs/cluster.md)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; default: as in `run`")
    as_json(parser)


def shards(chosen: argparse.Namespace) -> int:
    """Compute the open shards of a part; 1 when it was stopped."""
    from cadc.commands.watch import LineProgress
    from cadc.jobs.engines.part import run_part
    from cadc.study import Study
    from cadc.study.progress import Cancelled

    try:
        done = run_part(Study.open(chosen.name), chosen.part, LineProgress(_to_stderr if chosen.json else print),
                        chosen.workers)
    except (Cancelled, KeyboardInterrupt):
        print("stopped; finished shards are kept", file=sys.stderr)
        return 1
    if chosen.json:
        print_json({"study": chosen.name, "part": chosen.part, "computed": done})
        return 0
    print(f"part {chosen.part}: {done} shards computed. When all parts are there: python -m cadc run {chosen.name}")
    return 0


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


SHARDS = Command(name="shards", about="Compute a share of the open shards and stop: for a SLURM array, or by hand.",
                 example="shards mine --part 3/8", arguments=_shards_arguments, run=shards)


# ---- cancel ----------------------------------------------------------------------------------------------------------
def _cancel_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    as_json(parser)


def cancel(chosen: argparse.Namespace) -> int:
    """Ask whatever runs to stop at its next batch."""
    from cadc.jobs import control as jobs
    from cadc.study import Study

    study = Study.open(chosen.name)
    running = jobs.is_running(study)
    jobs.cancel(study)
    if chosen.json:
        print_json({"study": study.name, "asked_to_stop": running})
    return 0


CANCEL = Command(name="cancel", about="Ask the running job of a study to stop; what is finished stays.",
                 example="cancel mine", arguments=_cancel_arguments, run=cancel)
