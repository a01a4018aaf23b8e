"""`python -m cadc …`: everything the pages do, without a browser. A list of commands; the work is elsewhere."""

import argparse
import json
import sys
from pathlib import Path

from cadc.errors import CadcError, DataError
from cadc.jobs.engines import ENGINES, EngineSettings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 and one line on stderr for an error a person can mend."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except CadcError as error:
        print(f"cadc: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (OSError, RecursionError, MemoryError) as error:
        print(f"cadc: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cadc", description="Capability-attributed data curation.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    check = command("check", _check, "Read a pool file and report every row that would be set aside, and why.")
    check.add_argument("--pool", required=True, type=Path, metavar="FILE")
    check.add_argument("--images", type=Path, metavar="DIR", help="image root; default: the folder of FILE")
    check.add_argument("--json", type=Path, metavar="OUT", help="write the report there")

    new = command("new", _new, "Register a study: one pool, one target, one model, one set of settings.")
    new.add_argument("name")
    new.add_argument("--pool", required=True, metavar="FILE")
    new.add_argument("--target", required=True, metavar="FILE")
    new.add_argument("--images", default="", metavar="DIR", help="image root of both; default: the folder of each file")
    new.add_argument("--unit-column", default="", metavar="COLUMN", help="column of the target that names its units")
    new.add_argument("--model", default="", metavar="PATH_OR_ID", help="default: the tiny embedded model")
    new.add_argument("--preset", default="studio", choices=("studio", "paper"))
    new.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE",
                     help="docs/settings.md lists the keys")

    run = command("run", _run, "Run the jobs of a study and watch them; Ctrl-C asks them to stop.")
    run.add_argument("name")
    run.add_argument("--until", default="crossfit", metavar="JOB",
                     help="ingest | warmup | targets | attribute | crossfit (default) | evaluate")
    run.add_argument("--workers", type=int, metavar="N",
                     help="processes for attribution; default: one per GPU, without one: one per core")
    run.add_argument("--engine", default="local", choices=ENGINES, help="docs/cluster.md; default: local")
    run.add_argument("--address", default="", metavar="auto|local|HOST:PORT",
                     help="engine ray: the cluster this machine belongs to (default), one started here, or its head")
    run.add_argument("--detach", action="store_true", help="start and return at once")

    shards = command("shards", _shards, "Compute a share of the open shards and stop: for a SLURM array, or by hand.")
    shards.add_argument("name")
    shards.add_argument("--part", default="1/1", metavar="I/N", help="part I of N, from 1 (docs/cluster.md)")
    shards.add_argument("--workers", type=int, metavar="N", help="processes; default: as in `run`")

    status = command("status", _status, "Show where the jobs of a study stand.")
    status.add_argument("name")
    status.add_argument("--json", action="store_true")

    cancel = command("cancel", _cancel, "Ask the running job of a study to stop; what is finished stays.")
    cancel.add_argument("name")

    estimate = command("estimate", _estimate, "Predict time, memory and disk of a study: from a short calibration "
                       "here, or from a FLOP model for a named device.")
    estimate.add_argument("name")
    estimate.add_argument("--device", default="", metavar="NAME",
                          help="h100, a100-80g, rtx4090, …: from the FLOP model; default: measured on this machine")
    estimate.add_argument("--efficiency", type=float, metavar="SHARE",
                          help="share of the named device's peak that is reached; default 0.35")
    estimate.add_argument("--workers", type=int, metavar="N",
                          help="processes for attribution, or number of named devices; default: one per core, or 1")
    estimate.add_argument("--json", action="store_true")

    export = command("export", _export, "Write the curriculum that the study's decisions (or defaults) make.")
    export.add_argument("name")
    export.add_argument("--budget", default="", metavar="SHARE|ROWS",
                        help="`5%%` or a number of rows; default: as decided, else 5%%")
    export.add_argument("--preset", choices=("studio", "paper"), help="default: as decided, else the study's")
    export.add_argument("--format", default="llava", choices=("llava", "messages-tags", "messages-blocks", "input"))
    export.add_argument("--out", required=True, type=Path, metavar="DIR")

    command("list", _list, "List all studies.")
    demo = command("demo", _demo, "Run the whole study on the embedded synthetic default; ends with one line of JSON.")
    demo.add_argument("--no-app", action="store_true", help="stop after the export")
    demo.add_argument("--workers", type=int, metavar="N")
    app = command("app", _app, "Serve the app on http://localhost:8501.")
    app.add_argument("--port", type=int, default=8501)
    return parser


def _check(chosen: argparse.Namespace) -> None:
    from cadc.data import check

    report = check(chosen.pool, chosen.images or chosen.pool.parent)
    if chosen.json:
        from cadc.study import write_json

        write_json(chosen.json.resolve(), report)
    print(f"{report['samples']} samples, {report['accepted']} accepted, {len(report['set_aside'])} set aside, "
          f"{len(report['warnings'])} warnings")
    for row in report["set_aside"][:20]:
        print(f"  row {row['index']} ({row['id'] or 'no id'}): {row['reason']}")
    if len(report["set_aside"]) > 20:
        print(f"  … {len(report['set_aside']) - 20} more; --json writes them all")


def _new(chosen: argparse.Namespace) -> None:
    from datetime import datetime

    from cadc.study import Study, StudyConfig

    settings = {}
    for item in chosen.set:
        key, sign, value = item.partition("=")
        if not sign:
            raise DataError(f"--set {item!r}: expected key=value")
        settings[key] = value
    model = chosen.model
    if not model:
        from cadc.demo import MODEL_DIR

        model = str(MODEL_DIR)
        print("no --model given: using the tiny embedded model, which only shows the workflow", file=sys.stderr)
    base = {"pool": chosen.pool, "target": chosen.target, "images": chosen.images, "unit_column": chosen.unit_column,
            "model": model, "preset": chosen.preset}
    study = Study.create(chosen.name, StudyConfig.from_settings(base, settings),
                         created=datetime.now().isoformat(timespec="seconds"))
    print(f"study {study.name} ({study.identity}). Next: python -m cadc run {study.name}")


def _run(chosen: argparse.Namespace) -> int:
    from cadc.commands.watch import follow
    from cadc.jobs import control as jobs
    from cadc.study import Study

    study = Study.open(chosen.name)
    jobs.up_to(chosen.until)
    if jobs.is_running(study):
        print(f"study {study.name} is already being worked on; watching it", file=sys.stderr)
    else:
        jobs.start(study, chosen.until, engine=EngineSettings(engine=chosen.engine, workers=chosen.workers,
                                                              address=chosen.address))
    if chosen.detach:
        return 0
    return 0 if follow(study, chosen.until) else 1


def _shards(chosen: argparse.Namespace) -> int:
    from cadc.commands.watch import LineProgress
    from cadc.jobs.engines.part import run_part
    from cadc.study import Study
    from cadc.study.progress import Cancelled

    try:
        done = run_part(Study.open(chosen.name), chosen.part, LineProgress(print), chosen.workers)
    except (Cancelled, KeyboardInterrupt):
        print("stopped; finished shards are kept", file=sys.stderr)
        return 1
    print(f"part {chosen.part}: {done} shards computed. When all parts are there: python -m cadc run {chosen.name}")
    return 0


def _status(chosen: argparse.Namespace) -> None:
    from dataclasses import asdict

    from cadc.gradients import modes
    from cadc.jobs import control as jobs
    from cadc.study import Study

    study = Study.open(chosen.name)
    found = jobs.statuses(study)
    if chosen.json:
        print(json.dumps({"study": study.name, "identity": study.identity, "running": jobs.is_running(study),
                          "products": modes.recorded(study),
                          "jobs": [asdict(s) | {"cost": _cost(study, s.job)} for s in found]}))
        return
    print(f"{study.name} ({study.identity})")
    for s in found:
        counts = f"{s.done}/{s.total} {s.unit}" if s.total else ""
        print(f"  {s.job:<10} {s.state:<12} {counts:<22} {s.seconds:7.1f} s  {s.message or s.note}")
    if products := modes.recorded(study):
        print(f"  {modes.sentence(products)}")


def _cost(study, job: str) -> dict | None:
    """What a job took, as a plain dict; None before it ran."""
    from dataclasses import asdict

    from cadc.jobs import control as jobs

    found = jobs.cost(study, job)
    return asdict(found) if found else None


def _cancel(chosen: argparse.Namespace) -> None:
    from cadc.jobs import control as jobs
    from cadc.study import Study

    jobs.cancel(Study.open(chosen.name))


def _estimate(chosen: argparse.Namespace) -> None:
    from cadc.estimate.estimate import estimate, estimate_for
    from cadc.estimate.ledger import beside
    from cadc.study import Study

    study = Study.open(chosen.name)
    if chosen.device:
        found = estimate_for(study, chosen.device, efficiency=chosen.efficiency, devices=chosen.workers or 1)
    else:
        found = estimate(study, chosen.workers)
    rows = beside(study, found)
    if chosen.json:
        print(json.dumps(found | {"beside": rows}))
        return
    print(f"  {'job':<10} {'seconds':^27} {'memory MB':^27} {'disk MB':^27}\n" +
          " " * 12 + " ".join(f"{'predicted':>10} {'actual':>9} {'ratio':>6}" for _ in range(3)))
    for row in rows:
        print(f"  {row['job']:<10} " + " ".join(_pair(row, key) for key in ("seconds", "memory_mb", "disk_mb")))
    print(f"  in all     {found['total']['seconds']:10.1f} s   {found['basis']}")
    if chosen.device:
        print(f"  products with target vectors: {found['mode']} ("
              + ", ".join(f"{part} {mb:,.0f} MB" for part, mb in found["memory"].items()) + ")")


def _pair(row: dict, key: str) -> str:
    """Predicted, actual and their ratio of one job, with dashes for what is not known."""
    predicted, actual, ratio = ((row[side] or {}).get(key) for side in ("predicted", "actual", "ratio"))
    first, second = (f"{n:.1f}" if n is not None else "–" for n in (predicted, actual))
    return f"{first:>10} {second:>9} {f'{ratio:.2f}' if ratio is not None else '–':>6}"


def _export(chosen: argparse.Namespace) -> None:
    from cadc.curation.workbench import open_workbench, with_settings
    from cadc.study import Study

    study = Study.open(chosen.name)
    bench = with_settings(open_workbench(study), budget=chosen.budget or None, preset=chosen.preset)
    from cadc.export import export

    done = export(bench, chosen.out, format=chosen.format)
    print(json.dumps({"study": study.name, "rows": done.rows, "files": [str(f) for f in done.files]}))


def _list(chosen: argparse.Namespace) -> None:
    from cadc.jobs import control as jobs
    from cadc.study import Study

    for name in Study.names():
        study = Study.open(name)
        states = {s.job: s.state for s in jobs.statuses(study)}
        stand = next((f"{job} {states[job]}" for job in jobs.CORE_JOBS if states[job] != "done"), "ready")
        print(f"{name:<24} {study.identity}  {study.config.preset:<7} {stand}")


def _demo(chosen: argparse.Namespace) -> int:
    from cadc.commands.watch import follow
    from cadc.demo.run import run_demo

    print(json.dumps(run_demo(follow, workers=chosen.workers)), flush=True)
    return 0 if chosen.no_app else _serve(8501)


def _app(chosen: argparse.Namespace) -> int:
    return _serve(chosen.port)


def _serve(port: int) -> int:
    from cadc.commands.serve import serve

    serve(port, lambda url: print(f"CADC Studio is at {url} (Ctrl-C stops it; running jobs go on)", file=sys.stderr))
