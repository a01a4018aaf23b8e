"""Settings as a person reads them: their names in words, their values, and what each does."""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import pandas as pd

from cadc.study import PRESETS, StudyConfig

SHOWN = {"lora_rank": "LoRA rank r", "lora_layers": "adapted layers",
         "warmup_share": "share of the pool for the warm-up", "warmup_epochs": "warm-up passes",
         "learning_rate": "peak learning rate", "checkpoints": "checkpoints T", "features": "training-side feature Γ",
         "mode": "products with target vectors",
         "grounded": "grounded target gradients", "samples_per_unit": "target samples per unit, at most",
         "near_samples": "single target samples per unit", "nearness": "nearness to the target by",
         "crossfit": "rounds of the held-out loss", "seed": "seed"}
"""Settings that the Trajectories page lists, in words."""

CHOOSES = {"studio": "in rounds every target question takes its best row not yet taken; duplicates and rows that look "
                     "wrong are left out; soft stages",
           "paper": "highest influence first, nothing left out, hard stages"}
"""How each preset makes a curriculum, in a line."""
MEASURES = {"studio": "against single target questions, the best of a capability's units",
            "paper": "against the mean gradient of each capability"}
"""How each preset measures the influence of a row, in a line."""


def preset_names() -> tuple[str, ...]:
    """Every preset, the usual one first."""
    return tuple(PRESETS)


def preset_help(lines: Mapping[str, str], before: str = "") -> str:
    """What each preset does, as one text: `CHOOSES` or `MEASURES`."""
    return " ".join([*filter(None, [before]), *(f"{name}: {lines[name]}." for name in preset_names() if name in lines)])


def setting_table(config: StudyConfig) -> pd.DataFrame:
    """setting (in words), value."""
    return pd.DataFrame({"setting": list(SHOWN.values()), "value": [str(getattr(config, key)) for key in SHOWN]})


@cache
def field_help(config: type) -> dict[str, str]:
    """What each field of a settings class does: the docstring below it in the source, as one line of text."""
    body = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in pairwise(body.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr) \
                and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            found[field.target.id] = " ".join(text.value.value.split())
    return found
