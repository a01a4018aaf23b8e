"""What a study will cost, beside what its jobs took."""

import argparse
import json
from typing import TYPE_CHECKING

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study

if TYPE_CHECKING:
    from cadc.estimate.ledger import Beside


def _arguments(parser: argparse.ArgumentParser) -> None:
    from cadc.estimate.devices import EFFICIENCY

    of_study(parser)
    parser.add_argument("--device", default="", metavar="NAME",
                        help=f"from the FLOP model: {', '.join(choices.devices())}; default: measured on this machine")
    parser.add_argument("--efficiency", type=float, metavar="SHARE",
                        help=f"share of the named device's peak that is reached; default {EFFICIENCY:g}")
    parser.add_argument("--workers", type=int, metavar="N",
                        help="processes for attribution, or number of named devices; default: one per core, or 1")
    as_json(parser)


def estimate(chosen: argparse.Namespace) -> int:
    """Predict and print, job by job, beside what was measured."""
    from cadc.estimate.estimate import estimate as measured
    from cadc.estimate.estimate import estimate_for
    from cadc.estimate.ledger import beside
    from cadc.study import Study

    study = Study.open(chosen.name)
    if chosen.device:
        found = estimate_for(study, chosen.device, efficiency=chosen.efficiency, devices=chosen.workers or 1)
    else:
        found = measured(study, chosen.workers)
    rows = beside(study, found)
    if chosen.json:
        print(json.dumps({**found, "beside": rows}))
        return 0
    print(f"  {'job':<10} {'seconds':^27} {'memory MB':^27} {'disk MB':^27}\n" +
          " " * 12 + " ".join(f"{'predicted':>10} {'actual':>9} {'ratio':>6}" for _ in range(3)))
    for row in rows:
        print(f"  {row['job']:<10} " + " ".join(_pair(row, key) for key in ("seconds", "memory_mb", "disk_mb")))
    print(f"  in all     {found['total']['seconds']:10.1f} s   {found['basis']}")
    if chosen.device:
        print(f"  products with target vectors: {found['mode']} ("
              + ", ".join(f"{part} {mb:,.0f} MB" for part, mb in found["memory"].items()) + ")")
    return 0


def _pair(row: "Beside", key: str) -> str:
    """Predicted, actual and their ratio of one job, with dashes for what is not known."""
    predicted, actual, ratio = ((side or {}).get(key) for side in (row["predicted"], row["actual"], row["ratio"]))
    first, second = (f"{n:.1f}" if n is not None else "–" for n in (predicted, actual))
    return f"{first:>10} {second:>9} {f'{ratio:.2f}' if ratio is not None else '–':>6}"


ESTIMATE = Command(name="estimate", about="Predict time, memory and disk of a study: from a short calibration here, or "
                   "from a FLOP model for a named device.",
                   example="estimate mine --device h100", arguments=_arguments, run=estimate)
