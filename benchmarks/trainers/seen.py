"""What a trainer really trains on, caught where it computes its loss. Runs in the trainers' own environments: imports
nothing of this project.

A probe is run in place of a trainer's command by an export's own `run.sh` (`benchmarks.trainers.running`), and told by
the environment where the tiny model lies ($MODEL), where to write ($PROBE_OUT), and whether to take out of the exported
settings what keeps order, length and labels ($PROBE_DEFAULTS).
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

MODEL, OUT = Path(os.environ.get("MODEL", ".")), Path(os.environ.get("PROBE_OUT", "."))
DEFAULTS = os.environ.get("PROBE_DEFAULTS") == "1"


class Seen:
    """Rows in the order in which they reach the loss."""

    def __init__(self) -> None:
        self.start = json.loads((MODEL / "config.json").read_text())["vision_start_token_id"]
        self.rows: list[dict] = []
        self.pixels: dict[str, object] = {}
        self.steps = 0

    def catch(self, trainer_class: type) -> None:
        """Look at every batch that the class's `compute_loss` is called with, then go on as it would have."""
        plain = trainer_class.compute_loss

        def watched(trainer, model, inputs, *args, **options):
            if model.training:
                self.batch(inputs)
            return plain(trainer, model, inputs, *args, **options)

        trainer_class.compute_loss = watched

    def batch(self, inputs: dict) -> None:
        """One batch: `input_ids`, `labels` [B, L], pictures as one list of patches with their grids."""
        ids, labels, mask = inputs["input_ids"], inputs["labels"], inputs.get("attention_mask")
        grids, pixels = inputs.get("image_grid_thw"), inputs.get("pixel_values")
        picture, patch = 0, 0
        for row in range(ids.shape[0]):
            keep = mask[row].bool() if mask is not None else ids[row] >= 0
            own = ids[row][keep]
            number = len(self.rows)
            shown = int((own == self.start).sum())
            if grids is not None:
                for place, grid in enumerate(grids[picture:picture + shown].tolist()):
                    patches = grid[0] * grid[1] * grid[2]
                    cut = pixels[patch:patch + patches].float().cpu().numpy()
                    self.pixels[f"{number}.{place}"] = cut.astype("float32")
                    patch += patches
                picture += shown
            self.rows.append({"step": self.steps, "ids": own.tolist(), "labels": labels[row][keep].tolist(),
                              "pictures": shown})
        self.steps += 1

    @contextmanager
    def writing(self, *packages: str) -> Iterator[None]:
        """Write `seen.json` and `pixels.npz` at the end, also where the run dies: then with its error."""
        import numpy as np

        error = ""
        try:
            yield
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
            raise
        finally:
            OUT.mkdir(parents=True, exist_ok=True)
            np.savez(OUT / "pixels.npz", **self.pixels)
            found = {name: version(name) for name in (*packages, "transformers", "datasets", "torch")}
            (OUT / "seen.json").write_text(json.dumps({"rows": self.rows, "steps": self.steps, "error": error,
                                                       "versions": found}))
