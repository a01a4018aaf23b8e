"""A curriculum as a folder that a trainer runs as it lies (docs/export.md)."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cadc.data import PictureLimits, read_samples
from cadc.data.job import pictures_read
from cadc.data.lengths import UNKNOWN, tokens_of
from cadc.export.format import Format
from cadc.export.formats import FORMATS, RENAMED
from cadc.export.outline import How, Outline, StageFile
from cadc.export.pictures import WAYS, Pictures
from cadc.export.recipe import Recipe
from cadc.export.record import note
from cadc.export.writing import Exported, write_curriculum

if TYPE_CHECKING:
    import pandas as pd

    from cadc.curation.workbench import Workbench

__all__ = ["FORMATS", "RENAMED", "WAYS", "Exported", "Format", "How", "Outline", "Pictures", "Recipe", "StageFile",
           "export", "write_curriculum"]


def export(workbench: "Workbench", folder: Path | str, *, format: str = "trl", pictures: How | None = None,
           by: str = "") -> Exported:
    """Write the workbench's curriculum into `folder` for a trainer (`format`: one of FORMATS), with its manifest.

    `pictures`: one of WAYS that the trainer can read; None: its best. `by`: what the study's list of exports says wrote
    it (`cadc.export.record`). Raises JobError for a study that is not finished,
    DataError (empty curriculum, unknown format, folder that cannot be written).
    """
    from cadc.curation.workbench import require_finished

    require_finished(workbench.study)
    study, rows = workbench.study, _with_tokens(workbench)
    samples = read_samples(study.samples_file("pool"), only=set(rows["index"].tolist()))
    found = Pictures(root=study.image_root("pool"), embedded=study.ingest_images("pool"), how=pictures,
                     limits=PictureLimits.of(study.config), known=pictures_read(study))
    report = json.loads(study.ingest_report.read_text(encoding="utf-8"))["pool"]
    config = {key: value for key, value in dataclasses.asdict(study.config).items()
              if key not in ("pool", "target", "images", "model")}
    model = Path(study.config.model)
    manifest: dict[str, Any] = {
        **workbench.manifest(), "model": model.name if model.is_absolute() else study.config.model, "config": config,
        "input_format": report["format"],
        "system_turns": sum(sample.turns[0].role == "system" for sample in samples),
        "pool_rows": {"rows": report["rows"], "set_aside": report["set_aside_count"],
                      "kinds": report["set_aside_kinds"]}}
    done = write_curriculum(rows, workbench.table, samples, manifest, folder, format=format, pictures=found,
                            recipe=Recipe.of_study(study))
    note(study, Path(folder).expanduser(), format=format, rows=done.rows, by=by, budget=workbench.settings.budget,
         preset=workbench.settings.preset)
    return done


def _with_tokens(workbench: "Workbench") -> "pd.DataFrame":
    """The curriculum's rows, with `tokens` (null where nobody can say) where the study has estimated them."""
    rows = workbench.curriculum.rows
    tokens = tokens_of(workbench.study, "pool", rows["index"].to_numpy())
    if tokens is None:
        return rows
    return rows.assign(tokens=np.array([None if one == UNKNOWN else one for one in tokens.tolist()], dtype=object))
