"""Rows that a curriculum leaves out before anything is chosen: why, worst first, with what speaks against each.

N scored pool rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation import CurationSettings
from cadc.curation.candidates import BELOW, HIGH, REPEATED, UNATTRIBUTED, WRONG
from cadc.curation.inputs import CurationInputs
from cadc.curation.workbench import Workbench
from cadc.scores.influence import own_influence, served
from cadc.selection.filters import wrong_bounds
from cadc.views import rows

WHY: Mapping[str, str] = {
    UNATTRIBUTED: "on no capability is their influence above the floor",
    BELOW: "their influence on their own capability is below the minimum that was set",
    WRONG: "their answer costs the judges more than right answers of their nearest unit do; most are wrong or unlike "
           "anything the target asks, some are right and hard",
    HIGH: "their loss is among the highest of their nearest unit",
    REPEATED: "another row has nearly the same words and picture, and one of a group is enough"}
"""What speaks against the rows of each reason."""
QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0)
"""At which the price of the judges' bound is told."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PassedOver:
    """What a draft leaves out."""

    bench: Workbench
    inputs: CurationInputs
    reasons: dict[str, int]
    """Rows per reason; those without any are not in it."""

    def worst(self, reason: str) -> np.ndarray:
        """int64: positions of the rows that are left out for this, those that most speaks against first (duplicates: by
        group)."""
        found = self.inputs.candidates
        places = np.flatnonzero(found.fate == list(found.left_out).index(reason))
        return places[np.argsort(self._ground(reason, places), kind="stable")]

    def _ground(self, reason: str, places: np.ndarray) -> np.ndarray:
        """By what rows are sorted, ascending."""
        scores = self.inputs.scores
        if reason == WRONG:
            return -self._excess(places)
        if reason == HIGH:
            return -np.asarray(scores.last_loss)[places]
        if reason in (UNATTRIBUTED, BELOW):
            return self._strength(places)
        if reason == REPEATED:
            return self.inputs.table["group"].to_numpy()[places]
        return places

    def _strength(self, places: np.ndarray) -> np.ndarray:
        return own_influence(self.inputs.influence[places], self.inputs.assignment[places])

    def _bounds(self, places: np.ndarray) -> np.ndarray:
        """float64 [n]: what right answers of each row's nearest unit cost the judges at most."""
        scores = self.inputs.scores
        return wrong_bounds(np.asarray(scores.judge_target), np.asarray(scores.sample_unit), len(scores.units),
                            self.inputs.settings.loss_quantile)[self.inputs.columns.nearest()[places]]

    def _excess(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(self.inputs.scores.judge_loss, np.float64)[places] / self._bounds(places)

    def page(self, reason: str, places: np.ndarray) -> pd.DataFrame:
        """These rows as `rows.row_table` has them, with position and `against`: what speaks against each."""
        bench, own = self.bench, self.inputs.assignment[places]
        names, influence = list(bench.capabilities.names), self.inputs.influence[places]
        reasons = served(bench.influence_columns, places, bench.capabilities.of_unit, capability=own)
        known = bench.table.iloc[places].reset_index(drop=True).assign(
            loss=np.asarray(bench.scores.last_loss)[places], position=places, against=self._against(reason, places))
        labels = [names[k] if k >= 0 else "" for k in own]
        return rows.row_table(known, labels, influence, names, rows.serves_table(reasons, bench.targets, places))

    def _against(self, reason: str, places: np.ndarray) -> list[str]:
        scores, settings = self.inputs.scores, self.inputs.settings
        if reason == WRONG:
            loss, bound = np.asarray(scores.judge_loss)[places], self._bounds(places)
            unit = np.asarray(scores.units, object)[self.inputs.columns.nearest()[places]]
            return [f"{one:.2f} nats, {most:.2f} at most ({name})"
                    for one, most, name in zip(loss, bound, unit, strict=True)]
        if reason == HIGH:
            return [f"loss {one:.2f}" for one in np.asarray(scores.last_loss)[places]]
        if reason in (UNATTRIBUTED, BELOW):
            least = settings.floor if reason == UNATTRIBUTED else settings.minimum_influence
            return [f"influence {one:.2f}; {least:g} is asked" for one in self._strength(places)]
        if reason == REPEATED:
            return [f"like pool row {one}" for one in self._stays(places)]
        return ["tagged"] * len(places)

    def _stays(self, places: np.ndarray) -> np.ndarray:
        """Pool row of each group that may be taken."""
        group, index = (self.inputs.table[name].to_numpy() for name in ("group", "index"))
        free = np.flatnonzero(self.inputs.candidates.open)
        return pd.Series(index[free], index=group[free]).groupby(level=0).first().reindex(group[places]).to_numpy()

    def served(self, position: int) -> pd.DataFrame:
        """Target questions that a row is nearest to: question, answer, unit, value."""
        return rows.served_words(self.bench.served(np.array([position]), top=5), self.bench.targets)

    @property
    def judged(self) -> bool:
        """Whether judges are there, so that the bound of what looks wrong can be moved."""
        return self.bench.scores.has_judge

    @property
    def bounds(self) -> list[float]:
        """Quantiles at which the bound may be drawn, the one in force among them; 1 keeps all."""
        return sorted({*QUANTILES, self.inputs.settings.loss_quantile})

    def prices(self) -> pd.DataFrame:
        """bound (quantile of right answers' losses), wrong (rows left out for it), change (against now, in words), left
        (rows that may be chosen): a line for each of `bounds`."""
        rows, now = len(self.bench.table), self.inputs.settings.loss_quantile
        found = {bound: self.inputs.left_out_at(bound) for bound in self.bounds}
        wrong = [out.get(WRONG, 0) for out in found.values()]
        free = [rows - sum(out.values()) for out in found.values()]
        change = ["in force" if bound == now else f"{count - found[now].get(WRONG, 0):+,}"
                  for bound, count in zip(found, wrong, strict=True)]
        return pd.DataFrame({"bound": list(found), "wrong": wrong, "change": change, "left": free})


def passed_over(bench: Workbench, draft: CurationSettings) -> PassedOver:
    """What this draft of the study leaves out."""
    inputs = bench.under(draft).inputs
    return PassedOver(bench=bench, inputs=inputs,
                      reasons={reason: count for reason, count in inputs.candidates.left_out.items() if count})
