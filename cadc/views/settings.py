"""Settings and presets as a person reads them: their names in words, their values, and what each does."""

import dataclasses
from collections.abc import Callable, Collection, Mapping

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


ASKED = ("pool", "target", "images", "unit_column", "model", "preset")
"""Settings that everybody is asked for; all others have a default that does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Settings that belong together."""

    name: str
    about: str
    settings: tuple[str, ...]


GROUPS = (
    Group(name="Data", about="What is read of the files, and which rows are too large.",
          settings=("max_tokens", "max_pixels", "follow_links", "control_tokens", "reading")),
    Group(name="Model", about="How the base is loaded, and the adapter that is trained on it.",
          settings=("precision", "quantization", "lora_rank", "lora_alpha", "lora_layers", "lora_targets")),
    Group(name="Method: warm-up", about="The short training whose checkpoints gradients are taken at. Judges share its "
          "batch and its rate.",
          settings=("warmup_share", "warmup_min_rows", "warmup_epochs", "warmup_batch", "learning_rate", "checkpoints",
                    "seed")),
    Group(name="Method: gradients", about="What is made of a gradient. Preset quick reads none of these until "
          "gradients are added.",
          settings=("features", "whitened", "ridge", "grounded", "permutations", "mode", "sketch_dim", "landmarks")),
    Group(name="Method: nearness", about="How many target samples count, and by which signals near(z, s) is measured.",
          settings=("samples_per_unit", "near_samples", "nearness", "near_q", "answer_states", "best_rows")),
    Group(name="Method: judges and transfer", about="What finds rows that look wrong, and what measures transfer.",
          settings=("judges", "judge_steps", "transfer_steps", "transfer_repeats")),
    Group(name="Running", about="How the work is cut; no result depends on it.", settings=("shard_rows",)),
)
"""All settings that nobody must give, by what they are about."""


def defaults() -> dict[str, str]:
    """Setting → its default, as it is typed."""
    return {f.name: str(f.default) for f in dataclasses.fields(StudyConfig) if f.name not in ASKED}


def kept_note(typed: Mapping[str, str]) -> str:
    """Which of the settings that have a default were changed, in a sentence."""
    usual = defaults()
    changed = [f"{name} {text.strip()}" for name, text in typed.items() if text.strip() != usual[name]]
    rest = len(usual) - len(changed)
    return f"Changed: {', '.join(changed)}. The other {rest} settings keep their defaults." if changed else (
        f"All {rest} other settings keep their defaults.")


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
