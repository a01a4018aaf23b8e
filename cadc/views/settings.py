"""Settings and presets as a person reads them: their names in words, their values, and what each does."""

from collections.abc import Callable, Collection

import pandas as pd

from cadc.curation import PRESETS, Preset
from cadc.study import JOBS, StudyConfig
from cadc.study.config import joined_signals, signals_of
from cadc.study.jobs import usual_jobs

SHOWN = {"preset": "preset", "lora_rank": "LoRA rank r", "lora_layers": "adapted layers",
         "warmup_share": "share of the pool for the warm-up", "warmup_epochs": "warm-up passes",
         "learning_rate": "peak learning rate", "checkpoints": "checkpoints T", "features": "training-side feature Γ",
         "mode": "products with target vectors",
         "grounded": "grounded target gradients", "samples_per_unit": "target samples per unit, at most",
         "near_samples": "single target samples per unit",
         "judges": "judges trained on the target", "seed": "seed"}
"""Settings that the Trajectories page lists, in words."""


def preset_names() -> tuple[str, ...]:
    """Every preset, the cheapest first."""
    return tuple(PRESETS)


def preset_help(say: Callable[[Preset], str], before: str = "") -> str:
    """What each preset does, as one text: `say` picks the line; one that has none is left out."""
    return " ".join([*filter(None, [before]), *(f"{one.name}: {say(one)}." for one in PRESETS.values() if say(one))])


def setting_table(config: StudyConfig, asked: Collection[str] = ()) -> pd.DataFrame:
    """setting (in words), value: of what a run of the study reads, and of jobs that it was asked for besides."""
    read = {"preset"}.union(*(JOBS[job].settings for job in (*usual_jobs(config), *asked)))
    keys = [key for key in SHOWN if key in read]
    return pd.DataFrame({"setting": [SHOWN[key] for key in keys], "value": [str(getattr(config, key)) for key in keys]})


def nearness(config: StudyConfig, *, gradients: bool) -> str:
    """How near(z, s) is measured, in a sentence."""
    names = signals_of(config) if gradients else joined_signals(config)
    return (f"How near a row is to a target sample, near(z, s), is the mean of {len(names)} signals on one scale: "
            f"{', '.join(names)}." if len(names) > 1 else
            f"How near a row is to a target sample, near(z, s), is measured by {', '.join(names)}.")
