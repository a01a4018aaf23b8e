"""All rows of a pool as something to look through: filtered, counted, sorted, a page of them as a table.

N scored pool rows at positions 0 … N-1; a row is called by its index in the pool file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from cadc.arrays import digest
from cadc.curation import Curriculum
from cadc.curation.candidates import BELOW, DROPPED, HIGH, REPEATED, UNATTRIBUTED, WRONG
from cadc.curation.marks import Marks
from cadc.curation.workbench import Workbench
from cadc.scores.influence import own_influence, served
from cadc.views import rows
from cadc.views.influence import sample_influences, sample_table
from cadc.views.passed_over import PassedOver, passed_over
from cadc.views.row_filter import NO_CAPABILITY, OPEN, RowFilter, within

REASONS: Mapping[str, str] = {"wrong": WRONG, "high": HIGH, "repeated": REPEATED, "unattributed": UNATTRIBUTED,
                              "below": BELOW, "never": DROPPED}
"""Why a row is left out: word of a filter → reason of the curriculum."""
STATUS: Mapping[str, str] = {
    "chosen": "chosen", "free": "may be chosen, is not", "wrong": "left out: looks wrong",
    "high": "left out: highest loss of its unit", "repeated": "left out: near-duplicate",
    "unattributed": "left out: below the floor", "below": "left out: below the least influence",
    "never": "left out: tagged never"}
"""What a curriculum makes of a row; every row has one."""
BRIEF = ("chosen", "free", "looks wrong", "highest loss", "repeated", "below floor", "too little", "never")
"""The same in a table cell."""
MARKS: Mapping[str, str] = {"checked": "checked", "unchecked": "not checked", "noted": "with a note",
                            "always": "always taken", "never": "never taken"}
KEPT = 8
"""Filters whose rows stay sorted."""

Matching = Callable[[str], np.ndarray]
"""Words → indices of the pool rows in which they stand."""
Inside = Callable[[str], np.ndarray]
"""An area on the map of the pool → which rows lie in it, bool [N] (`pool_map.PoolMap.within`)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Facet:
    """One property of every row."""

    options: Mapping[str, str]
    """Value of a filter → what is shown."""
    codes: np.ndarray
    """int [N]: place of each row's value in `options`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolRows:
    """The rows of a finished study under its decisions."""

    bench: Workbench
    curriculum: Curriculum
    """In force: what says which rows are chosen."""
    sources: np.ndarray
    """object [N]: source of each row as it is shown."""
    marks: Marks
    matching: Matching
    inside: Inside | None = None
    """None: there is no map."""

    # ---- properties of every row -------------------------------------------------------------------------------------
    @cached_property
    def over(self) -> PassedOver:
        """What is left out, with what speaks against each row."""
        return passed_over(self.bench, self.bench.settings)

    @cached_property
    def index(self) -> np.ndarray:
        """int64 [N]: index of each row in the pool file, ascending."""
        return np.asarray(self.bench.scores.index)

    @cached_property
    def facets(self) -> dict[str, Facet]:
        """source, capability, unit, format, status."""
        bench, found = self.bench, self.bench.capabilities
        units = list(bench.scores.units)
        own = {c: name if name == c else f"{c} · {name}" for c, name in zip(found.ids, found.names, strict=True)}
        return {
            "source": _by_size(self.sources), "format": _by_size(bench.table["answer_format"].fillna("").to_numpy()),
            "capability": Facet(options={**own, NO_CAPABILITY: "none: below the floor"},
                                codes=np.where(self.pool < 0, found.k, self.pool)),
            "unit": Facet(options={unit: unit for unit in units}, codes=bench.influence_columns.nearest()),
            "status": Facet(options=STATUS, codes=self._status)}

    @cached_property
    def pool(self) -> np.ndarray:
        """int32 [N]: capability of each row, -1 none."""
        return self.over.inputs.candidates.assignment

    @cached_property
    def strength(self) -> np.ndarray:
        """float32 [N]: influence on the own capability."""
        return own_influence(self.bench.influence, self.pool)

    @cached_property
    def _status(self) -> np.ndarray:
        keys, found = list(STATUS), self.over.inputs.candidates
        words = {reason: keys.index(word) for word, reason in REASONS.items()}
        of_fate = np.array([*(words[reason] for reason in found.left_out), keys.index("free")], np.int8)
        status = of_fate[found.fate]  # -1: not left out, the last entry
        status[self.curriculum.rows["position"].to_numpy()] = keys.index("chosen")
        return status

    def values(self, sort: str, wanted: RowFilter) -> np.ndarray:
        """float [N]: by what rows are sorted; NaN where a row has none."""
        bench, scores = self.bench, self.bench.scores
        count = len(self.index)
        if sort == "influence":
            return self.strength
        if sort in ("loss", "judge"):
            found = scores.last_loss if sort == "loss" else scores.judge_loss
            return np.asarray(found) if len(found) == count else np.full(count, np.nan)
        if sort == "self":
            return bench.self_influence[:, -1] if scores.has_gradients else np.full(count, np.nan)
        if sort == "answer":
            return bench.influence_columns.remember(
                "answer lengths", lambda: bench.table["answer"].str.len().to_numpy(np.float32))
        if sort in ("training", "near"):
            places = self.curriculum.rows["position"].to_numpy() if sort == "training" else self._near(wanted.target)
            order = np.full(count, np.nan)
            order[places] = np.arange(len(places)) * (1 if sort == "training" else -1.0)
            return order
        return np.arange(count)

    def _near(self, target: int | None) -> np.ndarray:
        """int64: positions of the rows nearest to a row of the target file, nearest first (at most L of them)."""
        scores = self.bench.scores
        place = np.flatnonzero(np.asarray(scores.sample_index) == (-1 if target is None else target))
        found = np.asarray(scores.best_index)[place[0]].astype(np.int64) if len(place) else np.empty(0, np.int64)
        return found[found >= 0]

    # ---- filtering ---------------------------------------------------------------------------------------------------
    def order(self, wanted: RowFilter) -> np.ndarray:
        """int64: positions of the rows that pass, in the order asked for; rows without a value last."""
        def sorted_now() -> np.ndarray:
            places = np.flatnonzero(self.mask(wanted))
            value = np.asarray(self.values(wanted.sort, wanted)[places], np.float64)
            return places[np.argsort(-value if wanted.down else value, kind="stable")]

        return self.bench.influence_columns.remember(("rows", wanted, self._key), sorted_now, most=KEPT)

    @cached_property
    def _key(self) -> tuple[object, ...]:
        """What the rows of a filter follow from besides it."""
        bench, marks = self.bench, self.marks
        return (tuple(bench.capabilities.of_unit), bench.settings, tuple(marks.notes), digest(marks.checked),
                tuple((tag, digest(rows)) for tag, rows in marks.tags.items()))

    def mask(self, wanted: RowFilter, *, without: str = "") -> np.ndarray:
        """bool [N]: rows that pass; `without` leaves one field of the filter aside. Values that nothing has pass
        nothing."""
        keep = np.ones(len(self.index), bool)
        for field, facet in self.facets.items():
            value = getattr(wanted, field)
            if value is not None and field != without:
                keep &= facet.codes == (list(facet.options).index(value) if value in facet.options else -1)
        if wanted.mark is not None and without != "mark":
            keep &= self._marked(wanted.mark)
        for sort in ("loss", "influence"):
            if (bounds := getattr(wanted, sort)) != OPEN:
                keep &= within(self.values(sort, wanted), bounds)
        if wanted.words:
            keep &= self._at(self.matching(wanted.words))
        if wanted.group is not None:
            group = self.bench.table["group"].to_numpy()
            keep &= group == group[self._at(np.array([wanted.group]))][:1] if self.place(wanted.group) >= 0 else False
        if wanted.target is not None:
            near = np.zeros(len(keep), bool)
            near[self._near(wanted.target)] = True
            keep &= near
        if wanted.area and self.inside and without != "area":
            keep &= self.inside(wanted.area)
        return keep

    def _at(self, index: np.ndarray) -> np.ndarray:
        """bool [N]: rows of these indices of the pool file."""
        found = np.zeros(len(self.index), bool)
        places = np.searchsorted(self.index, index)
        good = places < len(found)
        good[good] = self.index[places[good]] == index[good]
        found[places[good]] = True
        return found

    def place(self, index: int) -> int:
        """Position of a row of the pool file; -1 where it has no scores."""
        place = int(np.searchsorted(self.index, index))
        return place if place < len(self.index) and int(self.index[place]) == index else -1

    def _marked(self, mark: str) -> np.ndarray:
        settings = self.bench.settings
        if mark.startswith("tag:"):
            return self._at(self.marks.tags.get(mark.removeprefix("tag:"), np.empty(0, np.int64)))
        if mark in ("checked", "unchecked"):
            return self._at(self.marks.checked) == (mark == "checked")
        named = {"noted": list(self.marks.notes), "always": settings.keep, "never": settings.drop}.get(mark, ())
        return self._at(np.array(sorted(named), np.int64))

    def counted(self, wanted: RowFilter) -> dict[str, dict[str, str]]:
        """field → {value: what is shown, with the number of rows that the other parts of the filter leave it}; values
        without a row are left out unless they are the one in force."""
        whole, found = self.mask(wanted), {}
        for field, facet in self.facets.items():
            value = getattr(wanted, field)
            mask = whole if value is None else self.mask(wanted, without=field)
            counts = np.bincount(facet.codes[mask], minlength=len(facet.options))
            found[field] = {option: f"{shown} · {rows:,}" for (option, shown), rows
                            in zip(facet.options.items(), counts.tolist(), strict=True) if rows or option == value}
        mask = whole if wanted.mark is None else self.mask(wanted, without="mark")
        marks = {**{f"tag:{tag}": f"tag {tag}" for tag in self.marks.tags}, **MARKS}
        sizes = {mark: int((self._marked(mark) & mask).sum()) for mark in marks}
        found["mark"] = {mark: f"{shown} · {sizes[mark]:,}" for mark, shown in marks.items()
                         if sizes[mark] or mark == wanted.mark}
        return found

    def note(self, order: np.ndarray) -> str:
        """How many rows pass, and how many of them are chosen."""
        taken = int((self._status[order] == list(STATUS).index("chosen")).sum())
        return f"{len(order):,} of {len(self.index):,} rows, {taken:,} of them chosen"

    def odd(self, wanted: RowFilter) -> list[str]:
        """Values of a filter that this study does not know."""
        said = [f"No {field} is called {getattr(wanted, field)!r} here." for field, facet in self.facets.items()
                if getattr(wanted, field) is not None and getattr(wanted, field) not in facet.options]
        if wanted.area and self.inside is None:
            said.append("The area on the map is left aside: this study has no map of its pool yet.")
        if wanted.target is not None and not len(self._near(wanted.target)):
            said.append(f"Nothing is known of target row {wanted.target}.")
        return said

    # ---- showing -----------------------------------------------------------------------------------------------------
    def page(self, positions: np.ndarray) -> pd.DataFrame:
        """These rows as `rows.row_table` has them, with position, status, marks and strength."""
        bench, own = self.bench, self.pool[positions]
        names = list(bench.capabilities.names)
        reasons = served(bench.influence_columns, positions, bench.capabilities.of_unit, capability=own)
        known = bench.table.iloc[positions].assign(loss=self.values("loss", RowFilter())[positions])
        shown = rows.row_table(known, [names[k] if k >= 0 else "" for k in own], bench.influence[positions], names,
                               rows.serves_table(reasons, bench.targets, positions))
        return shown.assign(position=positions, strength=self.strength[positions],
                            status=[BRIEF[code] for code in self._status[positions]],
                            marks=[self.marked(int(i)) for i in self.index[positions]])

    def marked(self, index: int) -> str:
        """Everything said of a row of the pool file, in a line."""
        settings, marks = self.bench.settings, self.marks
        said = [*("always taken" for _ in range(index in settings.keep)),
                *("never taken" for _ in range(index in settings.drop)), *marks.of(index),
                *("✓" for _ in range(marks.is_checked(index))), *("note" for _ in range(index in marks.notes))]
        return " · ".join(said)

    def why(self, position: int) -> str:
        """What a row's status is, with what speaks against it."""
        word = list(STATUS)[self._status[position]]
        reason = REASONS.get(word)
        against = self.over.page(reason, np.array([position]))["against"].iloc[0] if reason else ""
        return f"{STATUS[word]}{f' ({against})' if against else ''}"

    def served(self, position: int, top: int = 5) -> pd.DataFrame:
        """Target questions that a row is nearest to: target (row of the target file), question, answer, unit, value."""
        best = served(self.bench.influence_columns, np.array([position]), self.bench.capabilities.of_unit, top=top)
        return rows.served_words(best, self.bench.targets).assign(target=best["target_index"].to_numpy())

    def influences(self, position: int) -> pd.DataFrame:
        """capability, influence, percentile of one row."""
        return sample_influences(self.bench.influence, self.bench.capabilities.names, position)

    def over_time(self, position: int) -> pd.DataFrame:
        """checkpoint, loss, self_influence of one row; empty without gradients."""
        return sample_table(self.bench.scores.loss[position], self.bench.self_influence[position])

    def repeats(self, position: int) -> int:
        """Rows in the row's group of near-duplicates, itself among them."""
        group = self.bench.table["group"].to_numpy()
        return int((group == group[position]).sum())

    def records(self, positions: Sequence[int] | np.ndarray) -> str:
        """These rows as they came, one JSON line each."""
        raw = self.bench.table["raw"].to_numpy()[np.asarray(positions, np.int64)]
        return "".join(f"{line}\n" for line in raw)


def acted_on(order: np.ndarray, ticked: Sequence[int], way: str) -> np.ndarray:
    """int64: positions that an act is about. way: `ticked`, `all` of the filter, or all `but` the ticked."""
    chosen = np.asarray(list(ticked), np.int64)
    return {"ticked": lambda: chosen, "all": lambda: order,
            "but": lambda: order[~np.isin(order, chosen)]}[way]()


def with_target(wanted: RowFilter, target: int) -> RowFilter:
    """The rows nearest to a target question, nearest first."""
    return replace(RowFilter(), target=target, sort="near", words=wanted.words)


def _by_size(values: np.ndarray) -> Facet:
    """The most frequent value first."""
    codes, names = pd.factorize(np.asarray(values, object))
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return Facet(options={str(names[i]): str(names[i]) for i in order}, codes=rank[codes])
