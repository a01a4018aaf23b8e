"""Curriculum page: what a draft gives, beside what is saved, and what the chosen rows are made of.

K capabilities. A capability is named by its label.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cadc.curation import PRESETS, CurationSettings, Curriculum
from cadc.curation.workbench import Workbench
from cadc.study import JOBS
from cadc.views import makeup, rows
from cadc.views.adding import adding
from cadc.views.palette import colours
from cadc.views.training import Training, training
from cadc.views.words import drawn

JUDGES = ("Judges are copies of the base that trained a short while on the target alone. A row looks wrong when its "
          "answer costs them more than right answers of its nearest unit do: wrong answers mostly, and rows unlike "
          "anything the target asks.")
"""What leaves rows out that look wrong."""
JUDGES_MISSING = "The job judge, which finds wrong answers, has not run on this study as it is: {}. Resume on the " \
    "Trajectories page runs it."
INSTEAD = "rows with the highest loss of their unit are left out instead"
NOTHING = "no row is left out as wrong until then"


@dataclass(frozen=True, eq=False, kw_only=True)
class CurriculumView:
    """A draft of one study and the curriculum it gives."""

    bench: Workbench
    """With the saved settings."""
    draft: CurationSettings
    now: Curriculum
    """What the draft gives."""
    saved: Curriculum
    """What the saved settings give."""
    names: list[str]
    colours: dict[str, str]
    """Of each capability, by name."""

    @property
    def changed(self) -> bool:
        """Whether the draft differs from what is saved."""
        return self.draft != self.bench.settings

    @property
    def sentences(self) -> list[str]:
        """What a person should know about the draft."""
        correlation = self.bench.held_out(self.draft.preset)
        note = rows.measured_note(self.bench.scores.measured, correlation, self.names)
        return [*self.now.report["sentences"], *filter(None, [note])]

    @property
    def judges_note(self) -> str:
        """What the judges are, where they leave rows out, or that they could; '' where the study has none or the draft
        keeps all rows."""
        if self.bench.scores.has_judge:
            return f"{JUDGES} Filters sets how many." if self.draft.loss_quantile < 1 else ""
        stands_in = JOBS["judge"].wanted(self.bench.study.config) and self.draft.drop_loss_share > 0
        known = self.bench.scores.has_gradients  # the last checkpoint's losses
        return JUDGES_MISSING.format(INSTEAD if known else NOTHING) if stands_in else ""

    @property
    def order_note(self) -> str:
        """Why stages cannot be ordered by self-influence; '' where they can."""
        offer = None if self.bench.scores.has_gradients else adding(self.bench.study)
        return offer.why_not("The order by self-influence") if offer else ""

    @property
    def overlap_note(self) -> str:
        """How many rows differ from the saved curriculum."""
        shared = overlap(self.saved.rows["position"], self.now.rows["position"])
        return f"{shared['kept']:,} rows stay, {shared['added']:,} come in, {shared['dropped']:,} go out"

    @property
    def floor_note(self) -> str:
        """How many rows the floor keeps out of every pool, and what its number says."""
        note = rows.floor_note(self.now.report["left_out"]["unattributed"], self.now.report["pool"], self.draft.floor)
        says = PRESETS[self.draft.preset].value
        return f"{note} Of the preset {self.draft.preset}: {says}." if says else note

    def mixture(self) -> pd.DataFrame:
        """stage, capability, rows of the draft."""
        return mixture_table(self.now.rows)

    def budgets(self) -> pd.DataFrame:
        """capability, saved, now, change."""
        return budget_table(*(rows_by_capability(c.budgets) for c in (self.saved, self.now)))

    def chosen(self, stage: int | None) -> pd.DataFrame:
        """Chosen rows in training order, of one stage or of all."""
        return self.now.rows if stage is None else self.now.rows[self.now.rows["stage"] == stage]

    def row_page(self, part: pd.DataFrame) -> pd.DataFrame:
        """Some chosen rows as `rows.row_table` has them, with their position."""
        bench, positions = self.bench, part["position"].to_numpy()
        told = ("self_influence", "measured") if bench.scores.has_gradients else ()
        known = bench.table.iloc[positions].reset_index(drop=True).assign(
            **{c: part[c].to_numpy() for c in ("stage", *told, "loss", "reason", "position")})
        influence = bench.influence_by(self.draft.preset, signal=self.draft.signal, scale=self.draft.scale)
        serves = rows.serves_table(part.rename(columns={"target_value": "value"}), bench.targets, positions)
        return rows.row_table(known, part["name"], influence[positions], self.names, serves)

    def served(self, position: int) -> pd.DataFrame:
        """Target questions that a row serves best: question, answer, unit, value."""
        return rows.served_words(self.bench.served(np.array([position]), top=5), self.bench.targets)

    def composition(self) -> pd.DataFrame:
        """source, capability, rows of the chosen rows."""
        chosen = self.bench.table.iloc[self.now.rows["position"]]
        return composition_table(rows.source_labels(chosen["source"]), self.now.rows["name"])

    @cached_property
    def _positions(self) -> np.ndarray:
        return self.now.rows["position"].to_numpy()

    @cached_property
    def training(self) -> Training:
        """What one pass over the draft's rows takes."""
        return training(self.bench, self._positions)

    @property
    def budget_note(self) -> str:
        """The budget in every unit that is known."""
        chosen, pool = len(self.now.rows), len(self.bench.table)
        tokens = "" if self.training.tokens is None else f" · {self.training.tokens:,.0f} tokens"
        return f"{100 * chosen / max(pool, 1):.3g} % · {chosen:,} rows{tokens}"

    @cached_property
    def _variety(self) -> list[makeup.Variety]:
        return makeup.variety(self.bench, self._positions)

    @property
    def variety_lines(self) -> list[str]:
        """How varied the chosen rows are, a line for each list."""
        return [f"{one.words}." for one in self._variety]

    @property
    def variety_warning(self) -> str:
        """Which list has collapsed; '' where none has."""
        return makeup.warning(self._variety)

    def beside(self, column: str) -> pd.DataFrame:
        """value, pool, curriculum (shares), rows: of a column of the pool."""
        return makeup.beside(self.bench, column, self._positions)

    def lengths(self) -> pd.DataFrame | None:
        """The same by tokens of a row; None where they are not known."""
        return makeup.lengths(self.bench, self._positions)

    def source_table(self) -> pd.DataFrame:
        """source, pool, chosen (rows), cap (of this source; empty: as for all)."""
        return makeup.sources(self.bench, self.draft, self._positions)

    @property
    def cap_note(self) -> str:
        """Which sources have as many rows as they may; '' where none has. Names of a dataset are in it."""
        table, draft = self.source_table(), self.draft
        caps = [draft.cap_of(source) for source in table["source"]]
        full = [source or rows.NO_SOURCE for source, chosen, cap in zip(table["source"], table["chosen"], caps,
                                                                        strict=True) if cap and chosen >= cap]
        return f"At their cap: {', '.join(full)}." if full else ""

    @property
    def composition_note(self) -> str:
        """How many rows the composition is about."""
        count = len(self.now.rows)
        return drawn(count, count, f"chosen rows, beside {len(self.bench.table):,} rows of the pool")


def curriculum_view(bench: Workbench, draft: CurationSettings, now: Curriculum, saved: Curriculum) -> CurriculumView:
    """now, saved: `curriculum_of` the draft and of the saved settings."""
    found = bench.capabilities
    return CurriculumView(bench=bench, draft=draft, now=now, saved=saved, names=list(found.names),
                          colours=colours(found.ids, found.names))


def curriculum_of(bench: Workbench, settings: CurationSettings) -> Curriculum:
    """The curriculum of a study's capabilities under these settings."""
    return bench.under(settings).curriculum


def draft_mark(bench: Workbench) -> str:
    """The study and the saved settings that a draft starts from; a draft of another mark is no longer one."""
    return json.dumps([bench.study.identity, bench.settings.to_dict()])


def of_preset(bench: Workbench, draft: CurationSettings, preset: str) -> CurationSettings:
    """The complete choices of another preset (METHOD §3); the draft's budget stays."""
    return bench.under(draft).with_settings(preset=preset).settings


def budget_table(before: Mapping[str, int], now: Mapping[str, int]) -> pd.DataFrame:
    """capability, saved, now, change: rows per capability in the last saved curriculum and in this one."""
    names = list(dict.fromkeys([*now, *before]))
    table = pd.DataFrame({"capability": names, "saved": [before.get(n, 0) for n in names],
                          "now": [now.get(n, 0) for n in names]})
    return table.assign(change=table["now"] - table["saved"])


def rows_by_capability(budgets: pd.DataFrame) -> dict[str, int]:
    """name → rows, of `Curriculum.budgets`."""
    return dict(zip(budgets["name"], budgets["rows"].astype(int), strict=True))


def overlap(before: Collection[int], now: Collection[int]) -> dict[str, int]:
    """kept, added, dropped: how many different rows two curricula share and do not share."""
    old, new = set(before), set(now)
    return {"kept": len(old & new), "added": len(new - old), "dropped": len(old - new)}


def mixture_table(rows: pd.DataFrame) -> pd.DataFrame:
    """stage, capability (by name), rows: what each stage of a curriculum (columns stage, name) is made of."""
    table = rows.groupby(["stage", "name"], sort=False, observed=True).size().rename("rows").reset_index()
    return table.rename(columns={"name": "capability"})


def composition_table(source: Iterable[str], capability: Iterable[str]) -> pd.DataFrame:
    """source, capability, rows: counted over the chosen rows (both sequences in their order), largest source first."""
    frame = pd.DataFrame({"source": list(source), "capability": list(capability)})
    counts = frame.groupby(["source", "capability"], sort=False).size().rename("rows").reset_index()
    size = counts.groupby("source")["rows"].transform("sum")
    order = counts.assign(size=size).sort_values(["size", "source", "rows"], ascending=[False, True, False])
    return order.drop(columns="size").reset_index(drop=True)
