"""Settings as a person reads them: their names in words, and their values."""

import pandas as pd

from cadc.study import StudyConfig

SHOWN = {"lora_rank": "LoRA rank r", "lora_layers": "adapted layers",
         "warmup_share": "share of the pool for the warm-up", "warmup_epochs": "warm-up passes",
         "learning_rate": "peak learning rate", "checkpoints": "checkpoints T", "features": "training-side feature Γ",
         "mode": "products with target vectors",
         "grounded": "grounded target gradients", "samples_per_unit": "target samples per unit, at most",
         "near_samples": "single target samples per unit", "nearness": "nearness to the target by",
         "out_of_fold": "rounds of the out-of-fold loss", "seed": "seed"}
"""Settings that the Trajectories page lists, in words."""


def setting_table(config: StudyConfig) -> pd.DataFrame:
    """setting (in words), value."""
    return pd.DataFrame({"setting": list(SHOWN.values()), "value": [str(getattr(config, key)) for key in SHOWN]})
