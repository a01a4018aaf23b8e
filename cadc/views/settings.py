"""Settings and presets as a person reads them: their names in words, their values, and what each does."""

from collections.abc import Callable

import pandas as pd

from cadc.curation import PRESETS, Preset
from cadc.study import StudyConfig

SHOWN = {"lora_rank": "LoRA rank r", "lora_layers": "adapted layers",
         "warmup_share": "share of the pool for the warm-up", "warmup_epochs": "warm-up passes",
         "learning_rate": "peak learning rate", "checkpoints": "checkpoints T", "features": "training-side feature Γ",
         "mode": "products with target vectors",
         "grounded": "grounded target gradients", "samples_per_unit": "target samples per unit, at most",
         "near_samples": "single target samples per unit", "nearness": "nearness to the target by",
         "judges": "judges trained on the target", "seed": "seed"}
"""Settings that the Trajectories page lists, in words."""


def preset_names() -> tuple[str, ...]:
    """Every preset, the cheapest first."""
    return tuple(PRESETS)


def preset_help(say: Callable[[Preset], str], before: str = "") -> str:
    """What each preset does, as one text: `say` picks the line; one that has none is left out."""
    return " ".join([*filter(None, [before]), *(f"{one.name}: {say(one)}." for one in PRESETS.values() if say(one))])


def setting_table(config: StudyConfig) -> pd.DataFrame:
    """setting (in words), value."""
    return pd.DataFrame({"setting": list(SHOWN.values()), "value": [str(getattr(config, key)) for key in SHOWN]})
