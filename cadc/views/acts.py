"""Acts on a study's capabilities, from what a person names, and how a command writes one down beside a running app."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.data import read_table
from cadc.discovery import Capabilities, DiscoverySettings
from cadc.discovery.regroup import written
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns
from cadc.study import Study
from cadc.study.deciding import Part, decide
from cadc.study.decisions import Decision
from cadc.views.capabilities import proposed, signal_lines
from cadc.views.decisions import NEW, NOWHERE, locks, moves, refused
from cadc.views.opened import Opened, open_scores, workbench

AUTOMATIC = "auto"
"""What stands for a τ that is chosen automatically."""


def map_only(study: Study) -> Opened:
    """What acts on capabilities need of a study: nothing of the pool's rows but where they stand. Raises JobError."""
    scores = open_scores(study)
    return Opened(InfluenceColumns(scores), pd.DataFrame({"index": np.asarray(scores.index)}),
                  read_table(study.samples_file("target")))


def decided(study: Study, opened: Opened, make: Callable[[Workbench], Sequence[Part]]) -> tuple[Workbench, bool]:
    """Make an act of what a study's decisions in force are made into, and write it down; the workbench afterwards, and
    whether anything was decided ([]: nothing to do). Raises DataError with the reason for an act that does not apply.
    """
    before: list[Decision] = []

    def act(log: list[Decision]) -> Sequence[Part]:
        before[:] = log
        bench = workbench(study, opened, log)
        made = make(bench)
        if why := refused(bench.capabilities, made):
            raise DataError(f"{why} `python -m cadc capabilities {study.name}` shows what there is.")
        return made

    log = decide(study, act)
    return workbench(study, opened, log), log != before


# ---- capabilities ----------------------------------------------------------------------------------------------------
def capability_named(now: Capabilities, text: str) -> str:
    """The id of a capability given by its id or its name. Raises DataError that lists both."""
    if text in now.ids:
        return text
    called = [i for i, name in zip(now.ids, now.names, strict=True) if name.casefold() == text.strip().casefold()]
    if not called:
        known = (i if i == name else f"{i} ({name})" for i, name in zip(now.ids, now.names, strict=True))
        raise DataError(f"there is no capability {text!r}. There are: {', '.join(known) or 'none'}.")
    return called[0]


def found_by(bench: Workbench, *, signal: str | None = None, method: str | None = None, tau: float | str | None = None,
             gamma: float | None = None, min_size: int | None = None) -> list[Part]:
    """A `discover` decision: the settings in force with those changed that are named; tau `AUTOMATIC` chooses it.

    Raises DataError for a signal that the study cannot have or has not computed, and for a value out of its range.
    """
    named = {"signal": signal, "method": method, "tau": tau, "gamma": gamma, "min_size": min_size}
    changed = {key: value for key, value in named.items() if value is not None}
    settings = DiscoverySettings.from_dict(asdict(bench.discovery) | changed | (
        {"tau": None} if tau == AUTOMATIC else {}))
    not_ready = {line.name: line.why for line in signal_lines(bench) if not line.ready}
    if settings.signal in not_ready:
        raise DataError(f"the signal {settings.signal!r} is not ready: {not_ready[settings.signal]}")
    made: Part = ("discover", asdict(settings))
    _ = replace(bench, decisions=[*bench.decisions, _event(made)]).capabilities  # a value out of its range raises here
    return [made]


def _event(part: Part) -> Decision:
    return Decision(seq=0, at="", scope="", kind=part[0], payload=part[1])


def moved(now: Capabilities, units: Sequence[str], to: str) -> list[Part]:
    """These units (by name) go to a capability, `NEW` or `NOWHERE`: `move` decisions. Raises DataError."""
    goal = to if to in (NEW, NOWHERE) else capability_named(now, to)
    return [("move", payload) for payload in moves(now, list(dict.fromkeys(units)), goal)]


def renamed(now: Capabilities, capability: str, name: str) -> list[Part]:
    """A capability gets a name: a `rename` decision. Raises DataError."""
    return [("rename", {"capability": capability_named(now, capability), "name": name})]


def proposed_names(bench: Workbench) -> list[Part]:
    """`rename` decisions for capabilities that nobody has named, from the words of their questions; [] where none can
    be proposed."""
    return [("rename", {"capability": capability, "name": name}) for capability, name in proposed(bench).items()]


def merged(now: Capabilities, gone: str, into: str) -> list[Part]:
    """All units of one capability go into another: a `merge` decision. Raises DataError."""
    return [("merge", {"from": capability_named(now, gone), "into": capability_named(now, into)})]


def locked(now: Capabilities, capabilities: Sequence[str], *, on: bool = True) -> list[Part]:
    """These capabilities (ids or names) are locked, or unlocked: `lock` decisions; [] where they are so already. Raises
    DataError."""
    return [("lock", payload) for payload in locks(now, [capability_named(now, one) for one in capabilities], on=on)]


def map_in_force(bench: Workbench) -> dict[str, Any]:
    """JSON value: what the map was found with, the capabilities with their units, what no longer applies."""
    part, now = bench.partition, bench.capabilities
    return {"study": bench.study.name, "identity": bench.study.identity,
            "found": {"signal": bench.discovery.signal, "method": part.method, "tau": part.tau, "gamma": part.gamma,
                      "min_size": part.min_size, "seed": part.seed, "modularity": part.modularity, "note": part.note},
            **written(now), "locked": list(now.locked), "skipped": list(now.skipped)}
