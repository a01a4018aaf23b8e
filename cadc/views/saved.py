"""Curricula that were saved: every `curate` decision of the log, two of them side by side, and the way back to one.

All are made with the capabilities of today: what a curriculum chose depends on them, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation import CurationSettings, Curriculum
from cadc.curation.workbench import Workbench
from cadc.errors import CadcError
from cadc.study.decisions import Decision
from cadc.views import makeup
from cadc.views.curriculum import rows_by_capability
from cadc.views.gain import shared
from cadc.views.shares import budget_text
from cadc.views.training import pool_tokens

LISTED = 50
"""Newest ones that can be chosen."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """One curriculum of the log."""

    seq: int
    """Of its decision; 0: what the study's preset makes before anything is saved."""
    at: str
    """When, for a person; '' for that one."""
    settings: CurationSettings
    undone: bool
    """Taken back, and not put back since."""
    now: bool
    """Whether it is the one in force."""

    @property
    def label(self) -> str:
        """A line to choose it by. Nothing in it was typed by anybody."""
        s = self.settings
        state = "in force · " if self.now else "taken back · " if self.undone else ""
        when = self.at or "before anything was saved"
        return f"{state}{when} · {budget_text(s.budget)}{'' if s.budget <= 1 else ' rows'} · {s.preset} · {s.rule}"


def saved(bench: Workbench, decisions: Sequence[Decision]) -> list[Saved]:
    """Newest first, what the preset makes last; a curriculum that cannot be read any more is left out. bench: with the
    decisions in force."""
    usual = CurationSettings.of_preset(bench.study.config.preset, seed=bench.study.config.seed)
    found = [Saved(seq=0, at="", settings=usual, undone=False, now=False)]
    for decision in decisions:
        if decision.kind != "curate":
            continue
        try:
            settings = CurationSettings.from_dict(decision.payload)
        except CadcError:
            continue
        found.append(Saved(seq=decision.seq, at=decision.at.replace("T", " ")[:19], settings=settings,
                           undone=decision.undone, now=False))
    force = max((place for place, one in enumerate(found) if not one.undone), default=0)
    found[force] = replace(found[force], now=True)
    return [*found[:0:-1][:LISTED], found[0]]


@dataclass(frozen=True, eq=False, kw_only=True)
class SideBySide:
    """Two curricula of one study."""

    bench: Workbench
    left: Curriculum
    right: Curriculum
    settings: tuple[CurationSettings, CurationSettings]

    @property
    def _positions(self) -> tuple[np.ndarray, np.ndarray]:
        return self.left.rows["position"].to_numpy(), self.right.rows["position"].to_numpy()

    @property
    def common(self) -> str:
        """How many rows both have."""
        left, right = self._positions
        both = len(np.intersect1d(left, right, assume_unique=True))
        return (f"{both:,} rows in common, {shared(left, right):.0%} of all that are in either; "
                f"{len(left) - both:,} only in the first, {len(right) - both:,} only in the second")

    @property
    def settings_table(self) -> pd.DataFrame:
        """setting, first, second: where they differ."""
        first, second = (one.to_dict() for one in self.settings)
        keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
        return pd.DataFrame([(key.replace("_", " "), _said(first.get(key)), _said(second.get(key))) for key in keys],
                            columns=["setting", "first", "second"])

    def budgets(self) -> pd.DataFrame:
        """capability, first, second, change (rows)."""
        left, right = rows_by_capability(self.left.budgets), rows_by_capability(self.right.budgets)
        table = pd.DataFrame({"capability": list(left), "first": list(left.values()),
                              "second": [right[name] for name in left]})
        return table.assign(change=table["second"] - table["first"])

    def composition(self) -> pd.DataFrame:
        """what, value, pool, first, second: shares (0…1) of sources and answer formats."""
        left, right = self._positions
        parts = []
        for column, what in (("source", "source"), ("answer_format", "answer format")):
            one, other = (makeup.beside(self.bench, column, rows) for rows in (left, right))
            parts.append(pd.DataFrame({"what": what, "value": one["value"], "pool": one["pool"],
                                       "first": one["curriculum"], "second": other["curriculum"]}))
        return pd.concat(parts, ignore_index=True)

    def totals(self) -> pd.DataFrame:
        """what, first, second: rows, tokens where they are known, entropies."""
        left, right = self._positions
        lines: list[tuple[str, str, str]] = [("rows", f"{len(left):,}", f"{len(right):,}")]
        if tokens := pool_tokens(self.bench):
            lines.append(("training tokens", f"{tokens.of(left):,.0f}", f"{tokens.of(right):,.0f}"))
        for one, other in zip(makeup.variety(self.bench, left), makeup.variety(self.bench, right), strict=True):
            lines.append((f"entropy of {one.what}, bits", f"{one.bits:.2f}", f"{other.bits:.2f}"))
        return pd.DataFrame(lines, columns=["what", "first", "second"])


def _said(value: Any) -> str:
    """A setting for a table cell."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part:g}" for key, part in value.items()) or "–"
    if isinstance(value, list):
        return f"{len(value):,} rows" if len(value) > 6 else ", ".join(map(str, value)) or "–"
    return "–" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
