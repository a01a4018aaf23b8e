"""The curriculum's settings."""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cadc.commands import choices
from cadc.commands.command import Command, as_json, of_study, print_json, shown
from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.curation import CurationSettings
    from cadc.curation.workbench import Workbench
    from cadc.study.deciding import Part

NAMED = ("preset", "budget", "rule", "staging", "replay", "inside", "floor", "order")
"""Settings with a switch of their own; `--set` reaches the others."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--preset", choices=choices.presets(), help="with all its settings; the budget stays")
    parser.add_argument("--budget", metavar="SHARE|ROWS", help="`5%%` or a number of rows")
    parser.add_argument("--rule", choices=choices.rules(), help="what decides the shares of the capabilities")
    parser.add_argument("--share", nargs="+", action="extend", default=[], metavar="CAPABILITY=SHARE",
                        help="`c1=30%%`: shares by hand; capabilities that are not named keep their proportions")
    parser.add_argument("--staging", choices=choices.stagings(), help=choices.order_known())
    parser.add_argument("--order", nargs="*", metavar="CAPABILITY",
                        help="of stages; without any: by how early self-influence falls")
    parser.add_argument("--replay", type=float, metavar="SHARE", help="soft stages: rows kept back for later ones")
    parser.add_argument("--inside", choices=choices.insides(), help="order inside a stage")
    parser.add_argument("--floor", type=float, metavar="X", help=choices.floor_means())
    parser.add_argument("--always", nargs="+", action="extend", default=[], type=int, metavar="ROW",
                        help="pool rows (positions in the pool file) that are taken whatever the scores say")
    parser.add_argument("--never", nargs="+", action="extend", default=[], type=int, metavar="ROW",
                        help="pool rows that are not taken")
    parser.add_argument("--free", nargs="+", action="extend", default=[], type=int, metavar="ROW",
                        help="pool rows of which neither is said any longer")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help=f"the others: {', '.join(choices.curation_keys(NAMED))}")
    as_json(parser)


def curate(chosen: argparse.Namespace) -> int:
    """Change the settings that are named, and print what the curriculum then is; without any, only print it."""
    from cadc.study import Study
    from cadc.views.acts import decided
    from cadc.views.curating import curated, saved
    from cadc.views.opened import open_study

    named = {key: getattr(chosen, key) for key in NAMED if getattr(chosen, key) is not None} | _pairs(chosen.set)
    shares = {key: _share(text) for key, text in _split("--share", chosen.share)}
    before: list[Workbench] = []

    def act(bench: "Workbench") -> "Sequence[Part]":
        before[:] = [bench]
        return saved(bench, curated(bench, named=named, shares=shares, always=chosen.always, never=chosen.never,
                                    free=chosen.free))

    study = Study.open(chosen.name)
    bench, changed = decided(study, open_study(study), act)
    return _print(before[0], bench.settings, changed, as_line=chosen.json)


def _print(bench: "Workbench", settings: "CurationSettings", changed: bool, *, as_line: bool) -> int:
    """What the curriculum is, beside what it was; bench: before."""
    from cadc.curation.plain import plain_records
    from cadc.views.curating import changes
    from cadc.views.curriculum import curriculum_of, curriculum_view, overlap

    now, old = curriculum_of(bench, settings), bench.curriculum
    view, differing = curriculum_view(bench, settings, now, old), changes(bench.settings, settings)
    if as_line:
        print_json({"study": bench.study.name, "identity": bench.study.identity, "decided": changed,
                    "changed": differing.to_dict("records"), "settings": settings.to_dict(), "rows": len(now.rows),
                    "budgets": plain_records(now.budgets), "stages": plain_records(now.stages),
                    "sentences": view.sentences,
                    "against_before": overlap(old.rows["position"], now.rows["position"])})
        return 0
    for one in differing.to_dict("records"):
        print(shown(f"{one['setting']}: {json.dumps(one['before'])} → {json.dumps(one['now'])}"))
    print("in force" if changed else "nothing was changed; in force is")
    for row in now.budgets.to_dict("records"):
        name = "" if row["name"] == row["capability"] else f" “{row['name']}”"
        print(shown(f"  {row['capability']}{name}: {100 * row['share']:.1f} %, {row['rows']:,} of {row['available']:,} "
                    "rows"))
    print("\n".join(shown(line) for line in view.sentences))
    if changed:
        print(f"against before: {view.overlap_note}")
    return 0


def _split(switch: str, items: Sequence[str]) -> list[tuple[str, str]]:
    """`KEY=VALUE` texts, cut at the last sign: a capability's name may hold one. Raises DataError without a sign."""
    found = [item.rpartition("=") for item in items]
    for (_, sign, _), item in zip(found, items, strict=True):
        if not sign:
            raise DataError(f"{switch} {item!r}: expected KEY=VALUE.")
    return [(key, value) for key, _, value in found]


def _pairs(items: Sequence[str]) -> dict[str, Any]:
    """Values as JSON (`false`, `0.5`, `null`), else as they stand."""
    found: dict[str, Any] = {}
    for key, text in _split("--set", items):
        if key in (*NAMED, "shares", "keep", "drop"):
            raise DataError(f"--set {key}=…: this setting has a switch of its own (`curate --help`).")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def _share(text: str) -> float:
    """`30%` or `0.3`, as 0…1. Raises DataError."""
    percent = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DataError(f"--share …={text}: expected a share of the budget such as 30% or 0.3.")
    return value


CURATE = Command(name="curate", about="Change settings of the curriculum: only those that are named. Prints what it "
                 "then is; without any, what is in force.",
                 example="curate mine --budget 5% --share c1=30% --always 3 7 --never 9", arguments=_arguments,
                 run=curate)
