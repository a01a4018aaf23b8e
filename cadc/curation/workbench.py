"""What a person's decisions make of a finished study: the one composition that the pages and the command line share.

Pure and lazy: cheap to construct, each result computed when first asked for. Pages build one on every rerun and hand
in the same `InfluenceColumns`, so that a moved unit costs two columns and everything else nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation.curriculum import Curriculum, curate
from cadc.curation.inputs import CurationInputs, aligned
from cadc.curation.lacking import lacking, require_gradients
from cadc.curation.plain import plain_records
from cadc.curation.presets import PRESETS
from cadc.curation.settings import CurationSettings, read_budget
from cadc.discovery.capabilities import Capabilities, Event, found, inherit_names, keep_locked, replay
from cadc.discovery.clusterers import CLUSTERERS, DiscoverySettings
from cadc.discovery.partition import Partition
from cadc.discovery.similarities import SIMILARITIES, Units, default_signal, open_units
from cadc.errors import JobError
from cadc.gradients import modes
from cadc.jobs import control
from cadc.jobs.status import RUNNING
from cadc.scores.columns import NEAR, choice_of
from cadc.scores.influence import InfluenceColumns, flows, served
from cadc.scores.left_out import left_out
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.decisions import read_decisions
from cadc.study.jobs import core_jobs


def discover(similar: np.ndarray, settings: DiscoverySettings) -> Partition:
    """The partition of the target units whose similarity is S, float64 [M, M], under these settings."""
    return CLUSTERERS[settings.method].cluster(similar, settings)


@dataclass(frozen=True, eq=False)
class Workbench:
    """A study under a list of decisions (docs/architecture.md, store). N scored pool rows, M units, K capabilities."""

    study: Study
    scores: Scores
    table: pd.DataFrame
    """Pool rows: `data.read_table` of the pool, cut down to those with scores, in their order: row i is position i."""
    targets: pd.DataFrame
    """Target rows: `data.read_table` of the target."""
    decisions: Sequence[Event] = ()
    """Everything decided, oldest first; entries with a true `undone` are left aside."""
    columns: InfluenceColumns | None = None
    """Remembered influence columns of `scores`; without them they are computed for this workbench alone."""
    settings_override: CurationSettings | None = None
    """Curation settings instead of the decided ones (`under`, `with_settings`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", aligned(self.table, self.scores.index, "pool"))

    @cached_property
    def events(self) -> list[Event]:
        """Decisions in force."""
        return [d for d in self.decisions if not getattr(d, "undone", False)]

    @cached_property
    def influence_columns(self) -> InfluenceColumns:
        """Those handed in, or new ones."""
        return self.columns or InfluenceColumns(self.scores)

    # ---- capabilities ------------------------------------------------------------------------------------------------
    @cached_property
    def discovery(self) -> DiscoverySettings:
        """Of the last `discover` decision; without one the automatic choice.

        Where its signal is not there any more the default's is in force (`substituted` says so).
        """
        return self._chosen[0]

    @property
    def substituted(self) -> str:
        """'' or a sentence: the map is not drawn from what was decided, and why."""
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[DiscoverySettings, str]:
        last = [d.payload for d in self.events if d.kind == "discover"]
        usual = default_signal(self.study, self.scores)
        wanted = DiscoverySettings.from_dict(last[-1]) if last else DiscoverySettings(signal=usual)
        try:
            self.units(wanted.signal)
        except JobError as error:  # a decision typed yesterday must not lock a study today
            if wanted.signal == usual:
                raise
            return replace(wanted, signal=usual), f"the map is drawn from {usual!r} instead: {error}"
        return wanted, ""

    def units(self, signal: str) -> Units:
        """How alike the target units are by this signal. Raises DataError, JobError (`open_units`)."""
        return self.influence_columns.remember(("units", signal, *_made_of(self.study, signal)),
                                               lambda: open_units(self.study, self.scores, signal))

    @property
    def similarity(self) -> np.ndarray:
        """S of the signal in force: float64 [M, M]."""
        return self.units(self.discovery.signal).whole

    @cached_property
    def partition(self) -> Partition:
        """Communities as found, before anything was named or moved."""
        made_of = _made_of(self.study, self.discovery.signal)
        return self.influence_columns.remember((self.discovery, *made_of),
                                               lambda: discover(self.similarity, self.discovery))

    @cached_property
    def capabilities(self) -> Capabilities:
        """Capabilities as the person shaped them.

        A `discover` decision starts a new map: moves and merges on older maps end there, typed names go on where a new
        capability is mostly the old one (`inherit_names`), locked ones stay (`keep_locked`). What no longer applies is
        in `.skipped`.
        """
        cuts = [i for i, d in enumerate(self.events) if d.kind == "discover"]
        older = Workbench(self.study, self.scores, self.table, self.targets, self.events[:cuts[-1]],
                          self.influence_columns) if cuts else None
        start = found(self.partition, self.scores.units)
        if older is not None and any(d.kind in ("rename", "label", "lock") for d in older.events):
            start = inherit_names(older.capabilities, keep_locked(older.capabilities, start))
        if self.substituted:
            start = replace(start, skipped=(*start.skipped, self.substituted))
        return replay(start, self.events[cuts[-1] + 1:] if cuts else self.events)

    # ---- influence ---------------------------------------------------------------------------------------------------
    @cached_property
    def settings(self) -> CurationSettings:
        """Curation settings of the last `curate` decision; without one the preset of the study."""
        if self.settings_override is not None:
            return self.settings_override
        last = [d.payload for d in self.events if d.kind == "curate"]
        if not last:
            return CurationSettings.of_preset(self.study.config.preset, seed=self.study.config.seed)
        return CurationSettings.from_dict(last[-1])

    @cached_property
    def inputs(self) -> CurationInputs:
        """Scores, rows, capabilities and settings together. Raises DataError where the preset in force needs gradients
        that the study has not."""
        require_gradients(self.study, self.scores, self.settings.preset)
        return CurationInputs(columns=self._columns_of(self.settings.preset), table=self.table,
                              targets=self.targets, capabilities=self.capabilities, settings=self.settings)

    def _columns_of(self, preset: str) -> InfluenceColumns:
        """Influence columns with the near(z, s) that a preset reads; scores made of another signal stay as they are."""
        near = PRESETS[preset].near
        wanted = self.influence_columns.remember(("choice", near), lambda: choice_of(self.study, near))
        if self.scores.choice == wanted or self.scores.choice not in NEAR:
            return self.influence_columns
        return self.influence_columns.remember(
            ("near", wanted), lambda: InfluenceColumns(Scores.load(self.study, near=wanted)))

    @property
    def influence(self) -> np.ndarray:
        """Inf^Traj: float32 [N, K]."""
        return self.inputs.influence

    def influence_by(self, preset: str, *, signal: str, scale: str = "") -> np.ndarray:
        """Inf^Traj as a preset measures it, which need not be the one in force: float32 [N, K]. Raises DataError."""
        require_gradients(self.study, self.scores, preset)
        return PRESETS[preset].influence(self._columns_of(preset), self.capabilities.of_unit, signal=signal,
                                         scale=scale or self.settings.scale)

    @property
    def assignment(self) -> np.ndarray:
        """Capability of each scored row: int32 [N], -1 unattributed."""
        return self.inputs.assignment

    @property
    def self_influence(self) -> np.ndarray:
        """Inf^Self: float32 [N, T]."""
        return self.inputs.self_influence

    @cached_property
    def flows(self) -> pd.DataFrame:
        """Source → capability: DataFrame(source, capability, k, rows, influence, mean)."""
        return flows(self.inputs.table["source"], self.assignment, self.influence, self.capabilities.names)

    def held_out(self, preset: str | None = None, signal: str | None = None) -> np.ndarray | None:
        """Held-out rank correlation of predicted influence on each capability, float64 [K]; None where every row was
        measured, or the preset reads nothing that is predicted. Without arguments of the preset and signal in force."""
        scores, of_unit = self.scores, self.capabilities.of_unit
        chosen = PRESETS[preset or self.settings.preset]
        if scores.measured.all() or not self.capabilities.k or chosen.near == "quick":
            return None
        looks = {"signal": signal or self.settings.signal, "scale": self.settings.scale}
        columns = self.influence_columns
        held = columns.remember("held-out scores", lambda: Scores.held_out(self.study))
        if held is None:
            raise JobError(f"study {self.study.name!r} has predicted rows but not what says how well they are "
                           "predicted. Delete its scores folder and run again.")
        return columns.remember(("held-out", of_unit, chosen.name, *looks.values()),
                                lambda: chosen.held_out(columns, held, of_unit, **looks))

    def served(self, rows: np.ndarray, top: int = 3) -> pd.DataFrame:
        """Target samples that these rows (positions 0…N-1) serve best: see `cadc.scores.influence.served`."""
        return served(self.influence_columns, rows, self.capabilities.of_unit, top=top)

    # ---- curriculum --------------------------------------------------------------------------------------------------
    @cached_property
    def curriculum(self) -> Curriculum:
        """The curriculum under the settings in force; what could not be followed is the last of its sentences."""
        made, missing = curate(self.inputs), lacking(self.study, self.inputs)
        if not missing:
            return made
        return replace(made, report=made.report | {"sentences": [*made.report["sentences"], *missing]})

    def under(self, settings: CurationSettings) -> "Workbench":
        """The same study and capabilities under these curation settings."""
        return replace(self, columns=self.influence_columns, settings_override=settings)

    def with_settings(self, **changed: Any) -> "Workbench":
        """The same study and capabilities under changed curation settings. None leaves a setting as it is; `budget`
        also takes texts such as `5%`; another `preset` brings its own defaults, the budget decided so far stays. Raises
        DataError."""
        changed = {key: value for key, value in changed.items() if value is not None}
        if isinstance(changed.get("budget"), str):
            changed["budget"] = read_budget(changed["budget"])
        now = self.settings
        if changed.get("preset", now.preset) != now.preset:
            require_gradients(self.study, self.scores, changed["preset"])
            return self.under(CurationSettings.of_preset(**({"budget": now.budget, "seed": now.seed} | changed)))
        return self.under(CurationSettings.from_dict(now.to_dict() | changed))

    def summary(self) -> dict[str, Any]:
        """JSON value of what stands now, for status lines: counts, capabilities, pools, the sentences of the
        curriculum."""
        curriculum = self.curriculum
        return {"study": self.study.name, "identity": self.study.identity, "preset": self.settings.preset,
                "scored": len(self.scores.index), "units": len(self.scores.units),
                "unassigned": list(self.capabilities.unassigned), "capabilities": self.capabilities.describe(),
                "skipped": list(self.capabilities.skipped), "unattributed": int((self.assignment < 0).sum()),
                "rows": len(curriculum.rows), "sentences": curriculum.report["sentences"]}

    def manifest(self) -> dict[str, Any]:
        """JSON value that says how the curriculum came about; no time and no path in it, so equal work gives equal
        bytes."""
        part, config, curriculum = self.partition, self.study.config, self.curriculum
        return {
            "study": self.study.name, "identity": self.study.identity, "inputs": self.study.inputs,
            "preset": self.settings.preset, "seeds": {"study": config.seed, "discovery": self.discovery.seed,
                                                      "curation": self.settings.seed},
            "discovery": {"method": part.method, "signal": self.discovery.signal, "tau": part.tau, "gamma": part.gamma,
                          "min_size": part.min_size, "modularity": part.modularity, "note": part.note},
            "products": modes.essence(self.study),
            "capabilities": self.capabilities.describe(), "unassigned": list(self.capabilities.unassigned),
            "gradients": self.scores.has_gradients, "near": self.inputs.scores.choice,
            "measured": int(self.scores.measured.sum()) if self.scores.has_gradients else 0,
            "fell_out": left_out(self.study).summary() if self.study.finished("ingest") else None,
            "curation": self.settings.to_dict(), "budgets": plain_records(curriculum.budgets.drop(columns="name")),
            "stages": plain_records(curriculum.stages),
            "counts": {key: curriculum.report[key] for key in ("pool", "budget", "rows", "left_out", "reasons")},
            "sentences": curriculum.report["sentences"], "skipped": list(self.capabilities.skipped)}


def _made_of(study: Study, signal: str) -> tuple[str, ...]:
    """What a similarity of units is remembered by, beside its name: the results of jobs that can be made anew while
    the scores stay."""
    if "transfer" not in SIMILARITIES[signal].needs or not study.finished("transfer"):
        return ()
    record = study.result("transfer").record
    return (record.digest,) if record else ()


def open_workbench(study: Study) -> Workbench:
    """The workbench of a study that has scores, with the decisions copied beside it. Raises JobError without scores.

    It also opens while later jobs are still to be done; what must rest on all of them asks `require_finished`.
    """
    from cadc.data import read_table

    scores = Scores.load(study)
    return Workbench(study, scores, read_table(study.samples_file("pool")), read_table(study.samples_file("target")),
                     read_decisions(study))


_STANDS = {"waiting": "has not run", "queued": "is queued", "running": "is running", "failed": "failed",
           "cancelled": "was cancelled", "interrupted": "was interrupted"}


def require_finished(study: Study) -> None:
    """Pass a study whose every job is done that its curriculum rests on. Raises JobError that names the first one that
    is not, and the next command."""
    for job in core_jobs(study.config):
        if study.finished(job):
            continue
        state = control.status(study, job).state
        command, purpose = ("status", "Watch") if state in RUNNING else ("run", "Finish")
        raise JobError(f"study {study.name!r} is not finished: its job {job!r} {_STANDS[state]}. {purpose} it with "
                       f"`python -m cadc {command} {study.name}`, or on the Trajectories page.")
