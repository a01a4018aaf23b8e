"""A curriculum as files for a trainer (docs/export.md)."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.data import PictureLimits, read_samples
from cadc.export.format import Format, Outline, StageFile
from cadc.export.formats import FORMATS
from cadc.export.pictures import Pictures
from cadc.export.writing import Exported, write_curriculum

if TYPE_CHECKING:
    from cadc.curation.workbench import Workbench

__all__ = ["FORMATS", "Exported", "Format", "Outline", "Pictures", "StageFile", "export", "write_curriculum"]


def export(workbench: "Workbench", folder: Path | str, *, format: str = "llava",
           absolute_images: bool = False) -> Exported:
    """Write the workbench's curriculum into `folder` as `format` (one of FORMATS), with its manifest.

    `absolute_images`: write absolute picture paths. Raises JobError for a study that is not finished, DataError (empty
    curriculum, unknown format, folder that cannot be written).
    """
    from cadc.curation.workbench import require_finished

    require_finished(workbench.study)
    study, rows = workbench.study, workbench.curriculum.rows
    samples = read_samples(study.samples_file("pool"), only=set(rows["index"].tolist()))
    pictures = Pictures(root=study.image_root("pool"), embedded=study.ingest_images("pool"), absolute=absolute_images,
                        limits=PictureLimits.of(study.config))
    report = json.loads(study.ingest_report.read_text(encoding="utf-8"))
    config = {key: value for key, value in dataclasses.asdict(study.config).items()
              if key not in ("pool", "target", "images", "model")}
    model = Path(study.config.model)
    manifest: dict[str, Any] = {
        **workbench.manifest(), "model": model.name if model.is_absolute() else study.config.model, "config": config,
        "input_format": report["pool"]["format"],
        "system_turns": sum(sample.turns[0].role == "system" for sample in samples)}
    return write_curriculum(rows, workbench.table, samples, manifest, folder, format=format, pictures=pictures)
