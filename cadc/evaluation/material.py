"""What the arms of a comparison share, computed when first asked for: scores, texts, embeddings, ground truth.

N scored pool rows, M units, S single target samples.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cadc.curation.curriculum import Curriculum, curate
from cadc.curation.inputs import CurationInputs
from cadc.curation.presets import PRESETS
from cadc.curation.settings import CurationSettings
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.selection.filters import repeated
from cadc.signals import SIGNALS, embedding
from cadc.signals.gradients import gradient_scale
from cadc.signals.similarity import Similarity, with_similarity
from cadc.study import JOBS, Study
from cadc.study.config import OF_GRADIENTS
from cadc.study.progress import Progress

NO_FLOOR = -1e30


@dataclass(frozen=True, eq=False)
class Material:
    """A study and the inputs of the curriculum that is compared."""

    study: Study
    inputs: CurationInputs
    barred: np.ndarray
    """bool [N]: rows that repeat a target sample."""

    @property
    def scores(self) -> Scores:
        """The scores of the study."""
        return self.inputs.scores

    # ---- gradients ---------------------------------------------------------------------------------------------------
    @cached_property
    def unit_influence(self) -> np.ndarray:
        """Σ_t η_t cos(Γ_t(z), ḡ_t(s)) / Σ_t η_t, every unit on its own: float32 [N, M]."""
        return self._paper(range(len(self.scores.units)), "unit")

    @cached_property
    def target_influence(self) -> np.ndarray:
        """The same on the mean gradient of the whole target, units weighted alike: float32 [N]."""
        return self._paper([0] * len(self.scores.units), "raw")[:, 0]

    def _paper(self, of_unit: Sequence[int], scale: str) -> np.ndarray:
        return self.inputs.columns.by_mean(of_unit, scale=scale)

    # ---- curricula ---------------------------------------------------------------------------------------------------
    @property
    def house(self) -> str:
        """The preset whose rounds and filters all signals share: `studio`, and `quick` where there are no gradients."""
        return "studio" if self.scores.has_gradients else "quick"

    def settings(self, preset: str, rows: int, *, filtered: bool = True) -> CurationSettings:
        """Those of the comparison where it has this preset, else the preset's own; so many rows, none barred.

        filtered: False leaves in what looks wrong; near-duplicates go as before.
        """
        own = self.inputs.settings
        chosen = own if own.preset == preset else CurationSettings.of_preset(preset, seed=own.seed)
        if not filtered:
            chosen = replace(chosen, loss_quantile=1.0, drop_loss_share=0.0)
        barred = np.asarray(self.scores.index)[self.barred].tolist()
        return replace(chosen, budget=rows / len(self.barred), drop=tuple(sorted({*chosen.drop, *barred})),
                       keep=tuple(k for k in chosen.keep if k not in set(barred)))

    def curriculum(self, preset: str, rows: int, *, filtered: bool = True) -> Curriculum:
        """A preset's curriculum of so many rows, by the near(z, s) that it chooses by."""
        near = PRESETS[preset].near
        columns = self.inputs.columns if near == "joined" else self.nearness(near)
        return curate(replace(self.inputs, columns=columns, settings=self.settings(preset, rows, filtered=filtered)))

    def soft(self, budget: float) -> Curriculum:
        """The rows of the compared curriculum in soft stages. budget: as it was asked for."""
        return curate(replace(self.inputs, settings=replace(self.inputs.settings, budget=budget, staging="soft")))

    def rounds(self, columns: InfluenceColumns, rows: int, *, filtered: bool = True) -> Curriculum:
        """So many rows in the rounds of `studio`, within the study's capabilities and behind `studio`'s own filter,
        whoever's columns: by whose near(z, s) they choose. So arms differ in the signal, and in nothing else."""
        floor = self.settings(self.house, rows).floor  # of the arm's own near(z, s): all are on one scale
        return self._among(self.filtered if filtered else ~(self.barred | self.repeats), rows, columns, floor)

    def rounds_among(self, open_: np.ndarray, rows: int) -> Curriculum:
        """The same by the study's own near(z, s), among these rows alone (bool [N]), none filtered."""
        return self._among(open_, rows, self.inputs.columns, NO_FLOOR)

    def _among(self, open_: np.ndarray, rows: int, columns: InfluenceColumns, floor: float) -> Curriculum:
        settings = self.settings(self.house, rows, filtered=False)
        drop = np.asarray(self.scores.index)[~open_].tolist()
        settings = replace(settings, staging="mix", floor=floor, keep=(), drop_duplicates=False,
                           drop=tuple(sorted({*settings.drop, *drop})))
        return curate(replace(self.inputs, columns=columns, settings=settings))

    def as_one_pool(self, rows: int) -> Curriculum:
        """`studio` of so many rows with all capabilities as one: any unit may take any row that one of them claims."""
        settings = replace(self.settings(self.house, rows), rule="uniform", shares=(), order=())
        return curate(replace(self.inputs, capabilities=self.inputs.capabilities.as_one(), settings=settings))

    # ---- other signals -----------------------------------------------------------------------------------------------
    @cached_property
    def gradients(self) -> Scores:
        """The scores with near(z, s) of gradients alone. Raises JobError where there are none."""
        return Scores.load(self.study, near="gradients")

    def nearness(self, name: str) -> InfluenceColumns:
        """Columns by one signal alone, or by a join of the study (`quick`), made once."""
        if name not in self._near:
            stored = name in OF_GRADIENTS or name not in SIGNALS  # these have lists of their own for each target sample
            scores = Scores.load(self.study, near=name) if stored else with_similarity(
                self.scores, self.similarity(name), q=self.study.config.near_q, choice="another signal")
            if name in OF_GRADIENTS and not self.study.finished("near"):  # whose scales the scores have only roughly
                scale = gradient_scale(self.study, name)
                scores = replace(scores, middle=scale.middle, own=scale.own)
            self._near[name] = InfluenceColumns(scores)
        return self._near[name]

    @cached_property
    def _near(self) -> dict[str, InfluenceColumns]:
        return {}

    def similarity(self, name: str) -> Similarity:
        """What a signal of `SIGNALS` sees, opened once. Raises DataError for an unknown one."""
        if name not in self._opened:
            self._opened[name] = SIGNALS[name].open(self.study, self.scores)
        return self._opened[name]

    @cached_property
    def _opened(self) -> dict[str, Similarity]:
        return {}

    @cached_property
    def embedded(self) -> tuple[np.ndarray, np.ndarray]:
        """Centred last hidden states of the base, unit norm: float32 [N, W], [S, W]. Computed once per study."""
        return embedding.features(self.study, self.scores)

    # ---- what is known about the rows --------------------------------------------------------------------------------
    @cached_property
    def repeats(self) -> np.ndarray:
        """bool [N]: all but the first allowed row of each group of near-duplicates."""
        free = ~self.barred
        return repeated(self.inputs.table["group"].to_numpy(), free, np.zeros(len(free), bool))

    @cached_property
    def filtered(self) -> np.ndarray:
        """bool [N]: rows that pass the filters of `studio`, whatever they teach: no floor."""
        settings = replace(self.settings(self.house, len(self.barred)), floor=NO_FLOOR)
        return replace(self.inputs, settings=settings).candidates.open

    @cached_property
    def truth(self) -> pd.DataFrame | None:
        """The generator's ground truth of each scored row, where it lies beside the pool file; else None."""
        return read_truth(Path(self.study.config.pool), np.asarray(self.scores.index))


# ---- what only a job should compute ---------------------------------------------------------------------------------
def there(study: Study, job: str) -> bool:
    """Whether what an arm needs beside the scores ('': nothing) is computed."""
    return not job or study.finished(job)


def provide(study: Study, job: str, progress: Progress) -> None:
    """Compute it where it is not there yet. Raises Cancelled, and what that job raises."""
    if not there(study, job):
        JOBS[job].function()(study, progress)


TRUTH = ("wrong", "on_target", "duplicate_of", "unit")
"""Keys of every row of `truth_pool.jsonl` that the oracle reads (docs/demo.md)."""


def read_truth(pool: Path, index: np.ndarray) -> pd.DataFrame | None:
    """Columns `TRUTH` of the rows `index` from `truth_<pool>.jsonl` beside the pool file; None when it is not there."""
    path = pool.with_name(f"truth_{pool.stem}.jsonl")
    if not path.exists():
        return None
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if not rows or not {"index", *TRUTH} <= rows[0].keys():
        return None
    table = pd.DataFrame(rows).set_index("index")
    return table.loc[index, list(TRUTH)].reset_index(drop=True) if np.isin(index, table.index).all() else None
