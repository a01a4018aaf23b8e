"""The map of the pool: every row a point, coloured by what is known of it, chosen from by an area that is drawn on it.

N scored pool rows, of which n lie on the map; K capabilities. A position is a row's place among the N, in their order.
"""

import colorsys
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from cadc.arrays import digest
from cadc.curation.candidates import UNATTRIBUTED
from cadc.curation.workbench import Workbench
from cadc.discovery.pool_layout import SIDE, layout_job, pool_layout
from cadc.jobs import control
from cadc.study import Study
from cadc.views.jobs import was_begun
from cadc.views.palette import CHOSEN, POOL_GREY, UNASSIGNED, colours
from cadc.views.words import duration

Polygon = Sequence[Sequence[float]] | np.ndarray
"""Corners (x, y) in the map's own numbers, 0 … `SIDE`; the last is joined with the first."""

GREY = 255
"""Class of a point that is not meant: outside the rows in force."""
STEPS = ("#3B5BA9", "#3F7FB5", "#3E9FB0", "#57B894", "#94C973", "#CDBF4A", "#E39A33", "#D9622B")
"""Of a score, from its lowest eighth of the rows to its highest; each is seen on light and on dark ground."""
REASONS = ("#D55E00", "#CC79A7", "#8C6BB1", "#A6761D", "#B2A800", "#56B4E9")
"""Of rows that are left out, by the order of the reasons."""
FREE = "#6cc5bf"
SCORE = "influence on "
"""Begins the name of a colouring by a capability's influence."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One line of the legend."""

    name: str
    colour: str
    rows: int
    """Of all N."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Colouring:
    """A class for each row."""

    classes: np.ndarray
    """uint8 [N]: place in `kinds`."""
    kinds: tuple[Kind, ...]
    first_on_top: bool = False
    """Whether points of earlier classes are drawn over those of later ones; else by their place in the pool."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolMap:
    """Where the rows lie."""

    key: str
    """Changes when the layout does."""
    positions: np.ndarray
    """int64 [n], ascending."""
    spots: np.ndarray
    """uint16 [n, 2]."""
    total: int
    """N."""
    landmarks: int
    """Rows that the layout was drawn from."""

    @cached_property
    def _by_height(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Order of the points by y, and their x and y in it."""
        order = np.argsort(self.spots[:, 1], kind="stable")
        return order, self.spots[order, 0].astype(np.float32), self.spots[order, 1].astype(np.float32)

    def inside(self, polygon: Polygon) -> np.ndarray:
        """int64, ascending: positions of the points inside, by the even-odd rule; a point on the lower or left edge is.

        Each edge meets only the points of its own heights, which lie side by side in the order by y.
        """
        order, xs, ys = self._by_height
        odd = np.zeros(len(order), bool)
        corners = np.asarray(polygon, np.float64).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            first, last = np.searchsorted(ys, (min(y0, y1), max(y0, y1)))
            if first < last:  # never of a level edge
                part = slice(int(first), int(last))
                odd[part] ^= xs[part] < x0 + (ys[part] - y0) * ((x1 - x0) / (y1 - y0))
        found = np.zeros(len(order), bool)
        found[order] = odd
        return self.positions[found]

    def chosen(self, polygon: object, among: np.ndarray | None = None) -> np.ndarray | None:
        """The same of what a browser sent, of the rows in force (bool [N]; None: all); None where it sent no area."""
        corners = corners_of(polygon)
        if corners is None:
            return None
        found = self.inside(corners)
        return found if among is None else found[among[found]]

    def message(self, colouring: Colouring, among: np.ndarray | None = None) -> bytes:
        """What the browser draws: length of the head (uint32), the head (JSON), then x and y of all points (uint16) and
        their classes (uint8), `GREY` outside the rows in force. 5 bytes a point."""
        classes = colouring.classes[self.positions]
        if among is not None:
            classes = np.where(among[self.positions], classes, np.uint8(GREY))
        content, placed = self.key + digest(classes).hex(), self._placed
        if colouring.first_on_top:
            order = np.argsort(GREY - classes, kind="stable")
            classes, placed = classes[order], _bytes_of(self.spots[order])
        head = {"points": len(classes), "total": self.total, "grey": GREY, "side": SIDE,
                "content": content,
                "kinds": [{"name": kind.name, "colour": kind.colour, "rows": kind.rows} for kind in colouring.kinds]}
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 4)  # numbers of two bytes begin at an even place
        return b"".join((struct.pack("<I", len(text)), text, placed, np.ascontiguousarray(classes, np.uint8).tobytes()))

    @cached_property
    def _placed(self) -> bytes:
        return _bytes_of(self.spots)


def _bytes_of(spots: np.ndarray) -> bytes:
    return np.ascontiguousarray(spots, "<u2").tobytes()


def corners_of(sent: object) -> np.ndarray | None:
    """float64 [c, 2] of what a browser sent as an area; None where it is none (nothing, or less than a triangle)."""
    try:
        corners = np.asarray(sent, np.float64)
    except (TypeError, ValueError):
        return None
    fits = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) >= 3 and bool(np.isfinite(corners).all())
    return corners if fits else None


def pool_map(study: Study, index: np.ndarray) -> PoolMap:
    """The finished layout for the scored rows; index: int64 [N], their positions in the pool file. Raises JobError."""
    found = pool_layout(study)
    place = pd.Index(np.asarray(found.rows)).get_indexer(pd.Index(np.asarray(index)))
    positions = np.flatnonzero(place >= 0)
    return PoolMap(key=layout_digest(study), positions=positions, spots=np.asarray(found.spots)[place[positions]],
                   total=len(index), landmarks=found.landmarks)


def layout_digest(study: Study) -> str:
    """Text that changes whenever the layout does; '' before there is one."""
    record = study.result(layout_job(study.config)).record
    return record.digest if record else ""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The job that a map needs and that nobody has asked for yet."""

    job: str
    text: str
    begun: bool
    running: bool
    """Whether a worker is at work on this study, on whatever job."""


LAYOUT_SECONDS, LAYOUT_ROW_SECONDS = 15.0, 5e-5
"""What a layout takes on one core, and each row more: docs/decisions/0037."""


def offer(study: Study, rows: int) -> Offer | None:
    """What to ask for to get a map of so many rows; None where it is there. Raises JobError when a status cannot be
    read."""
    job = layout_job(study.config)
    if study.finished(job):
        return None
    by = "hidden states of the untrained base" if job == "layout" else "nearness to each target unit, near(z, s)"
    return Offer(job=job, begun=was_begun(study, job), running=control.is_running(study), text=(
        f"The job {job} lays all pool rows out in the plane, by {by}: like rows lie together. It takes "
        f"about {duration(LAYOUT_SECONDS + LAYOUT_ROW_SECONDS * rows)} on one core. From a command line: "
        f"python -m cadc run {study.name} --until {job}"))


# ---- colours ---------------------------------------------------------------------------------------------------------
def colourings(bench: Workbench) -> list[str]:
    """What points can be coloured by."""
    scores = bench.scores
    known = {"capability": True, "source": True, "chosen or left out": True,
             "loss": bool(np.isfinite(scores.last_loss).any()), "loss under the judges": scores.has_judge,
             "self-influence": scores.has_gradients}
    return [*(name for name, there in known.items() if there),
            *(SCORE + name for name in bench.capabilities.names)]


def colouring(bench: Workbench, sources: np.ndarray, name: str) -> Colouring:
    """Classes of all N rows by one of `colourings`; sources: object [N] of `rows.source_labels`. Raises DataError where
    the preset in force needs gradients that the study has not."""
    scores = bench.scores
    if name.startswith(SCORE):
        return by_score(bench.influence[:, list(bench.capabilities.names).index(name.removeprefix(SCORE))])
    makes: Mapping[str, Callable[[], Colouring]] = {
        "capability": lambda: _by_capability(bench), "chosen or left out": lambda: _by_fate(bench),
        "source": lambda: bench.influence_columns.remember("map sources", lambda: _by_source(sources)),
        "loss": lambda: by_score(scores.last_loss), "loss under the judges": lambda: by_score(scores.judge_loss),
        "self-influence": lambda: by_score(bench.inputs.self_total)}
    return makes[name]()


def _named(classes: np.ndarray, names: Sequence[str], colour: Sequence[str]) -> Colouring:
    """Classes 0 … as they are; what lies beyond the last that a byte can tell is put into it."""
    classes = np.minimum(classes, GREY - 1)
    rows = np.bincount(classes, minlength=len(names))
    return Colouring(classes=classes.astype(np.uint8), kinds=tuple(
        Kind(name=one, colour=tint, rows=int(rows[k]))
        for k, (one, tint) in enumerate(zip(names[:GREY], colour[:GREY], strict=True))))


def _by_capability(bench: Workbench) -> Colouring:
    names = list(bench.capabilities.names)
    tints = colours(bench.capabilities.ids, names)
    classes = np.where(bench.assignment < 0, len(names), bench.assignment)
    return _named(classes, [*names, UNATTRIBUTED], [*(tints[name] for name in names), UNASSIGNED])


def _by_source(sources: np.ndarray) -> Colouring:
    codes, found = pd.factorize(sources)
    order = np.argsort(-np.bincount(codes, minlength=len(found)), kind="stable")
    place = np.empty(len(found), np.int64)
    place[order] = np.arange(len(found))
    return _named(place[codes], [str(found[one]) for one in order], hues(len(found)))


def _by_fate(bench: Workbench) -> Colouring:
    """Chosen by the saved curriculum, free and not chosen, or left out, each reason by itself."""
    candidates = bench.inputs.candidates
    reasons = [(place, reason) for place, (reason, rows) in enumerate(candidates.left_out.items()) if rows]
    classes = np.ones(len(candidates.fate), np.int64)
    for k, (place, _) in enumerate(reasons):
        classes[candidates.fate == place] = 2 + k
    classes[chosen_rows(bench)] = 0
    tints = [UNASSIGNED if reason == UNATTRIBUTED else REASONS[k % len(REASONS)] for k, (_, reason) in
             enumerate(reasons)]
    found = _named(classes, ["chosen", "free, not chosen", *(f"left out: {reason}" for _, reason in reasons)],
                   [CHOSEN, FREE, *tints])
    return replace(found, first_on_top=True)  # a few hundred chosen ones would be lost among all


def chosen_rows(bench: Workbench) -> np.ndarray:
    """bool [N]: rows of the curriculum under the settings that were saved last."""
    mask = np.zeros(len(bench.scores.index), bool)
    mask[bench.curriculum.rows["position"].to_numpy(np.int64)] = True
    return mask


def by_score(values: np.ndarray) -> Colouring:
    """Eighths of the rows by a score [N], lowest first, or its values where there are at most eight; equal values stay
    together, rows without one by themselves."""
    values = np.asarray(values, np.float32)
    known = np.isfinite(values)
    ordered = np.sort(values[known])
    distinct = ordered[np.append(True, np.diff(ordered) > 0)] if len(ordered) else ordered
    if len(distinct) <= len(STEPS):
        cuts, names = distinct[1:], [f"{value:.3g}" for value in distinct]
    else:
        eighths = np.unique(ordered[[len(ordered) * k // len(STEPS) for k in range(1, len(STEPS))]])
        cuts = eighths[eighths > ordered[0]]
        edges = [ordered[0], *cuts, ordered[-1]]
        names = [f"{low:.3g} … {high:.3g}" for low, high in zip(edges, edges[1:], strict=False)]
    classes = np.full(len(values), len(names), np.int64)
    classes[known] = np.searchsorted(cuts, values[known], side="right")
    tints = [STEPS[round(k * (len(STEPS) - 1) / max(1, len(names) - 1))] for k in range(len(names))]
    if not known.all():
        return _named(classes, [*names, "not known"], [*tints, POOL_GREY])
    return _named(classes, names, tints)


def hues(count: int) -> list[str]:
    """Colours round the circle, every second one lighter."""
    found = [colorsys.hls_to_rgb(k / max(count, 1), 0.42 if k % 2 else 0.58, 0.6) for k in range(count)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in one) for one in found]


def selection_note(selected: np.ndarray | None, chosen: np.ndarray, among: np.ndarray | None = None) -> str:
    """How many rows an area holds, and how many of these the curriculum has; chosen: bool [N]."""
    if selected is None:
        return "Nothing is selected: draw round some points with the lasso or the rectangle, or type a rectangle."
    known = f" of {int(among.sum()):,} in force" if among is not None else ""
    return f"{len(selected):,} selected{known}, of these {int(chosen[selected].sum()):,} chosen."
