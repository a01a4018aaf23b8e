"""All maps that a study's units give, beside each other."""

import argparse
import json
import math

from cadc.commands.command import Command, as_json, of_study


def _arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--rounds", type=int, default=10, metavar="N",
                        help="draw the target samples again N times for the stability of each map; default 10, 0: not")
    as_json(parser, "with the group of every unit")


def maps(chosen: argparse.Namespace) -> int:
    """Print one line per map: signal and clusterer."""
    from cadc.curation.workbench import open_workbench
    from cadc.errors import DataError
    from cadc.study import Study
    from cadc.views.evidence import RIVALS
    from cadc.views.maps import maps_of

    if chosen.rounds < 0:
        raise DataError(f"--rounds {chosen.rounds}: expected 0 or more.")
    found = maps_of(open_workbench(Study.open(chosen.name)), rounds=chosen.rounds)
    rows = [{key: _plain(value) for key, value in row.items()} for row in found.table.to_dict("records")]
    if chosen.json:
        print(json.dumps({"units": list(found.units), "marked": list(found.marked),
                          "maps": [row | {"labels": labels} for row, labels in zip(rows, found.labels, strict=True)],
                          "not_ready": {line.name: line.why for line in found.lacking}}))
        return 0
    print(f"{'map':<22}{'K':>3}{'alone':>6}{'stable':>8}{'Spearman':>10}{'inside':>8}{'between':>9}{'p':>7}"
          + "".join(f"{name:>16}" for name in RIVALS))
    for row in rows:
        print(f"{_name(row):<22}{row['k']:>3}{row['alone']:>6}{_two(row['stability']):>8}"
              f"{_two(row['spearman']):>10}{_two(row['inside']):>8}{_two(row['outside']):>9}{_two(row['p'], 3):>7}"
              + "".join(f"{_two(row[name]):>16}" for name in RIVALS))
    print("stable: adjusted Rand index of samples drawn again. Spearman: of the similarity with measured transfer; "
          "inside, between: transfer as a share of what a unit gains from itself, and its permutation p. Last columns: "
          "agreement (adjusted Rand index) with groupings that know nothing of the model.")
    if found.marked:
        print(f"marked, since their own samples do not lower their own loss: {', '.join(found.marked)}")
    for line in found.lacking:
        print(f"{line.name}, not ready: {line.why}")
    return 0


def _name(row: dict[str, object]) -> str:
    return f"{row['signal']} / {row['clusterer']}"


def _plain(value: object) -> object:
    """JSON has no nan."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _two(value: object, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else "–"


MAPS = Command(name="maps", about="Compare all maps of the target units: signal by signal, how stable each is, whether "
               "measured transfer agrees, and what else explains it.",
               example="maps mine --json", arguments=_arguments, run=maps)
