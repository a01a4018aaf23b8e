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
START = json.loads((MODEL / "config.json").read_text()).get("vision_start_token_id")
"""Token before each picture, in families that list patches."""
DEFAULTS = os.environ.get("PROBE_DEFAULTS") == "1"


class Seen:
    """Rows in the order in which they reach the loss."""

    def __init__(self) -> None:
        self.forget("")

    def forget(self, why: str) -> None:
        """Begin anew; why: the error to tell, '' for none."""
        self.rows: list[dict] = []
        self.pixels: dict[str, object] = {}
        self.steps, self.error = 0, why

    def catch(self, trainer_class: type) -> None:
        """Look at every batch that the class's `compute_loss` is called with, then go on as it would have."""
        plain = trainer_class.compute_loss

        def watched(trainer, model, inputs, *args, **options):
            if model.training:
                self.batch(inputs)
            return plain(trainer, model, inputs, *args, **options)

        trainer_class.compute_loss = watched

    def batch(self, inputs: dict) -> None:
        """One batch: `input_ids`, `labels` [B, L]; pictures as tiles [B, n, 3, H, W], those that are nought left out,
        or as one list of patches with their grids, each picture between a token of its own and the next."""
        ids, labels, mask = inputs["input_ids"], inputs["labels"], inputs.get("attention_mask")
        pixels, grids = inputs.get("pixel_values"), inputs.get("image_grid_thw")
        patches = iter(() if grids is None else pixels.split(grids.prod(-1).tolist()))
        for row in range(ids.shape[0]):
            keep = mask[row].bool() if mask is not None else ids[row] >= 0
            own = ids[row][keep]
            if grids is not None:
                shown = [next(patches) for _ in range(int((own == START).sum()))]
            else:
                shown = [] if pixels is None else [tile for tile in pixels[row] if tile.any()]
            for place, picture in enumerate(shown):
                self.pixels[f"{len(self.rows)}.{place}"] = picture.float().cpu().numpy()
            self.rows.append({"step": self.steps, "ids": own.tolist(), "labels": labels[row][keep].tolist(),
                              "pictures": len(shown)})
        self.steps += 1

    @contextmanager
    def writing(self, *packages: str) -> Iterator[None]:
        """Write `seen.json` and `pixels.npz` at the end, also where the run dies: then with its error."""
        import numpy as np

        try:
            yield
        except Exception as caught:
            self.error = f"{type(caught).__name__}: {caught}"
            raise
        finally:
            OUT.mkdir(parents=True, exist_ok=True)
            np.savez(OUT / "pixels.npz", **self.pixels)
            found = {name: version(name) for name in (*packages, "transformers", "datasets", "torch")}
            (OUT / "seen.json").write_text(json.dumps({"rows": self.rows, "steps": self.steps, "error": self.error,
                                                       "versions": found}))
