"""What a curriculum gains in training, where a comparison of this study has measured it; never a guess."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cadc.evaluation import at_budget, compare, read_request, read_result
from cadc.evaluation.request import Request, request_file
from cadc.evaluation.statistics import Difference
from cadc.evaluation.verdict import OURS, told_apart
from cadc.study import Study

SAME = 0.9
"""Rows that a draft and a measured curriculum share, of all rows of either: from here on the number is said to be of
the draft."""
CONTROLS = {"random": "random rows", "embedding": "rows chosen by the embedding"}
"""Arms that a curriculum should beat → how a person calls them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """One finished part of a comparison: a curriculum at one budget against some controls."""

    created: str
    """When the comparison was asked for."""
    index: np.ndarray
    """int64, ascending: rows of the curriculum, as positions in the pool file."""
    gains: dict[str, Difference]
    """Of `CONTROLS`, those that it was compared with → accuracy of the curriculum's rows minus theirs, paired."""


def stamp(study: Study) -> str:
    """Changes whenever `measured` does: a comparison was asked for, or a run of one has ended."""
    places = [study.evaluation_folder / name for name in ("requests", "results")]
    return " ".join(str(place.stat().st_mtime_ns) if place.exists() else "" for place in places)


def measured(study: Study) -> list[Measured]:
    """Every curriculum that a comparison has trained on beside a control, the latest first. Raises JobError for files
    that cannot be read."""
    if read_request(study) is None:
        return []
    names = [path.stem for path in request_file(study, "any").parent.glob("*.json")]
    found = [request for name in names if (request := read_request(study, name)) is not None]
    return [one for request in sorted(found, key=lambda r: r.created, reverse=True) for one in _of(study, request)]


def _of(study: Study, request: Request) -> list[Measured]:
    """Of one comparison, at each of its budgets."""
    table, out = read_result(study, request).table, []
    for budget in dict.fromkeys(table["budget"]):
        here = at_budget(table, budget)
        arms = set(here["arm"])
        ours = next((arm for arm in OURS if arm in arms), None)
        controls = [arm for arm in CONTROLS if arm in arms]
        run = next((run for run in request.runs if run.arm == ours and run.budget == budget), None)
        if ours and run and controls:
            rows = np.unique(np.asarray(request.row_lists[run.rows]["index"], np.int64))
            out.append(Measured(created=request.created, index=rows,
                                gains={arm: compare(here, ours, arm) for arm in controls}))
    return out


def shared(one: np.ndarray, other: np.ndarray) -> float:
    """Rows that two lists of positions, each without repetitions, have in common, of all rows of either; 0 for two
    empty ones."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(len(one) + len(other) - both, 1)


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What can be said of a draft."""

    words: tuple[str, ...]
    known: bool
    """Whether anything was measured of it."""


def gain(known: Sequence[Measured], index: np.ndarray) -> Gain:
    """index: positions in the pool file of the draft's rows. The comparison of the most similar rows speaks, the latest
    of equal ones, where at least `SAME` of them are the same."""
    if not known:
        return Gain(words=("Not measured here.",), known=False)
    alike = [shared(one.index, index) for one in known]
    best = int(np.argmax(alike))
    if alike[best] < SAME:
        return Gain(words=("Not measured here. The nearest comparison trained on rows of which "
                           f"{alike[best]:.0%} are the same.",), known=False)
    one = known[best]
    which = "these rows" if alike[best] == 1 else f"rows of which {alike[best]:.0%} are the same"
    said = [_said(name, one.gains.get(arm)) for arm, name in CONTROLS.items()]
    return Gain(words=(f"Measured on {which} ({one.created.replace('T', ' ')}):", *said), known=True)


def _said(control: str, found: Difference | None) -> str:
    """`against random rows: +4.2 points (1.1 to 7.3)`."""
    if found is None or found.mean != found.mean:
        return f"against {control}: not measured here"
    points = f"against {control}: {100 * found.mean:+.1f} points"
    if found.low != found.low:
        return f"{points}, one seed and one unit: no measure of chance"
    sure = "" if told_apart(found, found.p) else ", one seed" if found.seeds == 1 else ", not distinguishable"
    return f"{points} ({100 * found.low:.1f} to {100 * found.high:.1f}{sure})"
