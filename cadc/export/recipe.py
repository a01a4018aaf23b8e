"""How a study itself retrains on a curriculum, as the numbers that an exported config is filled with.

Everything is read from where the retraining reads it: adapter, precision and length from the study's settings, passes,
batch and rate from the settings of its newest comparison (or those that a comparison starts with).
"""

from dataclasses import asdict, dataclass
from math import ceil, gcd
from pathlib import Path
from typing import Any

from cadc.evaluation.request import read_request
from cadc.evaluation.settings import EvaluationSettings
from cadc.study import Study, StudyConfig
from cadc.training.loop import BETAS, CLIP, EPSILON

ONE_RUN = """The default is one run over the whole file in its order, again and again, at a constant rate. Measured on
the embedded study (docs/evidence.md of CADC Studio): in this order 62.9 ± 2.0 %, the same rows shuffled 64.3 ± 1.6 %,
each stage to its end before the next 45.8 ± 5.4 % (later stages overwrite earlier ones), all rows 48.6 ± 2.8 %. So do
not train stage by stage to the end; the stage files are there for other plans and for looking."""
MIXED = """All rows are one mixed stage, so they are shuffled anew in every pass, as in the study's own comparison.
Keeping one order gained nothing on the pools of docs/evidence.md (CADC Studio), and single orders of the same rows
differ by 1.5 points (s.d.): compare trainings by several seeds. The order of the file only makes a run repeatable. The
default is one run over the whole file, again and again, at a constant rate."""
MICRO = 4
"""Rows in memory at once, where the batch allows it; the rest of a batch is accumulated."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One retraining of the study."""

    model: str
    """Hugging Face id, or the name of a local folder."""
    local: bool
    """Whether the model was a folder: its place is not written, another machine has another."""
    seed: int
    steps: int
    """Optimiser steps that the study takes for a curriculum (`steps_for` makes them whole passes at least)."""
    epochs: float
    """When above 0: passes over the file instead of `steps`."""
    batch: int
    """Rows of one step."""
    learning_rate: float
    rise: int
    """Steps of the linear rise; constant afterwards."""
    rank: int
    alpha: float
    layers: str
    """`all`, or `last:k` decoder layers."""
    targets: str
    """Parts with adapters: `language`, `connector`, `vision`, joined by `+`."""
    precision: str
    quantization: str
    max_tokens: int
    """Longer rows fell out of the study: no row here is longer by the study's own processor."""
    compared: bool
    """Whether passes, batch and rate are those of a comparison that this study made."""
    betas: tuple[float, float] = BETAS
    epsilon: float = EPSILON
    clip: float = CLIP

    @classmethod
    def of(cls, config: StudyConfig, settings: EvaluationSettings | None = None) -> "Recipe":
        """settings: of the comparison that the study made, None where it made none."""
        used = settings or EvaluationSettings()
        local = Path(config.model).is_absolute()
        return cls(model=Path(config.model).name if local else config.model, local=local, seed=config.seed,
                   steps=used.steps, epochs=used.epochs, batch=used.batch, learning_rate=used.learning_rate,
                   rise=used.rise, rank=config.lora_rank, alpha=config.lora_alpha, layers=config.lora_layers,
                   targets=config.lora_targets, precision=config.precision, quantization=config.quantization,
                   max_tokens=config.max_tokens, compared=settings is not None)

    @classmethod
    def of_study(cls, study: Study) -> "Recipe":
        """Of the study's settings and its newest comparison. Raises JobError where that cannot be read."""
        request = read_request(study)
        return cls.of(study.config, request.settings if request else None)

    def steps_for(self, rows: int) -> int:
        """Optimiser steps over a file of so many rows: the study's, or one pass where those would not reach its end."""
        asked = round(self.epochs * rows / self.batch) if self.epochs else self.steps
        return max(asked, ceil(rows / self.batch), 1)

    def passes(self, rows: int) -> float:
        """How often the study goes through the file: its batches run on over the end."""
        return self.steps_for(rows) * self.batch / rows

    def passes_of_a_trainer(self, rows: int) -> float:
        """How often a trainer goes through it in as many steps: the last step of each pass takes what is left."""
        return self.steps_for(rows) / ceil(rows / self.batch)

    @property
    def micro(self) -> int:
        """Rows in memory at once: divides the batch."""
        return gcd(self.batch, MICRO)

    @property
    def accumulate(self) -> int:
        """Parts of a batch, on one device."""
        return self.batch // self.micro

    @property
    def half(self) -> bool:
        """Whether a GPU trains in bfloat16."""
        return self.precision in ("auto", "bfloat16")

    def for_rows(self, rows: int, *, mixed: bool = False) -> dict[str, Any]:
        """JSON value for the manifest and for scripts. mixed: the rows are shuffled `anew` in every pass, and do not
        keep the order of the `file`."""
        return asdict(self) | {"betas": list(self.betas), "steps": self.steps_for(rows),
                               "passes": round(self.passes(rows), 3), "micro_batch": self.micro,
                               "accumulate": self.accumulate, "order": "anew" if mixed else "file",
                               "schedule": "constant after the rise"}

    def sentences(self, rows: int) -> str:
        """What it is, for a person."""
        whose = ("as the comparison on the Evaluation page retrained" if self.compared
                 else "as a comparison on the Evaluation page starts (this study made none)")
        longer = ("" if self.epochs or self.steps >= self.steps_for(rows) else
                  f" The study's own {self.steps} steps would not reach the end of the file, so it is one pass.")
        return (f"{self.steps_for(rows)} steps of {self.batch} rows ({self.passes(rows):.1f} passes over the file), "
                f"{whose}; AdamW, rate {self.learning_rate:g} constant after a rise of {self.rise} steps, no weight "
                f"decay, gradients clipped at {self.clip:g}; LoRA of rank {self.rank}, alpha {self.alpha:g}, on every "
                f"linear layer of: {self.targets.replace('+', ', ')} (layers: {self.layers}).{longer}")
