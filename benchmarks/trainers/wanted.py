"""The pool as the study's own encoder has it: what every trainer is held against."""

from pathlib import Path

import numpy as np
import torch

from benchmarks.trainers.compare import Wanted
from benchmarks.trainers.rows import Pool
from cadc.data import open_images
from cadc.models.load import load_vlm

MAX_TOKENS = 8192


def wanted_rows(model: Path, pool: Pool) -> list[Wanted]:
    """Every row of the pool, in training order."""
    vlm = load_vlm(str(model), max_tokens=MAX_TOKENS)
    rows = []
    for sample, stage in zip(pool.samples, pool.stages, strict=True):
        encoded = vlm.encode(sample, open_images(sample, pool.root))
        rows.append(Wanted(name=sample.id, stage=stage, ids=encoded.inputs["input_ids"].tolist(),
                           learnt=encoded.answer.tolist(), pictures=_patches(encoded.inputs)))
    return rows


def _patches(inputs: dict[str, torch.Tensor]) -> list[np.ndarray]:
    """Each picture of one sample: its patches, where the family lists those of all pictures one after the other, or
    one tile."""
    if "pixel_values" not in inputs:
        return []
    if "image_grid_thw" not in inputs:
        return [tile.float().numpy() for tile in inputs["pixel_values"].flatten(0, -4)]
    grids = inputs["image_grid_thw"].reshape(-1, 3).prod(-1).tolist()
    return [part.float().numpy() for part in inputs["pixel_values"].split(grids)]
