"""What a study without gradients does not have, in sentences, and how it gets it.

A study of preset `quick` computes no gradients unless asked to; everything else works, and what rests on gradients says
so here and nowhere else.
"""

import numpy as np

from cadc.curation.inputs import CurationInputs
from cadc.curation.presets import PRESETS
from cadc.errors import DataError
from cadc.scores.columns import NEAR
from cadc.scores.scores import Scores
from cadc.study import Study

LAST = "near"
"""The job that ends the way to gradients: it joins them with the other signals."""


def command(study: Study) -> str:
    """The command line that adds gradients to a study."""
    return f"python -m cadc run {study.name} --until {LAST}"


def require_gradients(study: Study, scores: Scores, preset: str) -> None:
    """Raises DataError, with the way to get them, where a preset rests on gradients that the study has not."""
    if PRESETS[preset].needs_gradients and not scores.has_gradients:
        raise DataError(f"preset {preset!r} needs gradients, and study {study.name!r} has none. Add them with "
                        f"`{command(study)}` or on the Trajectories page; `python -m cadc estimate {study.name}` says "
                        "what they cost. What is there already is not computed again.")


def lacking(study: Study, inputs: CurationInputs) -> list[str]:
    """Sentences about settings of a curriculum that could not be followed for want of a signal; [] where all could."""
    scores, settings, out = inputs.scores, inputs.settings, []
    wanted = PRESETS[settings.preset].near
    if scores.choice in NEAR and scores.choice != wanted:
        out.append(f"Preset {settings.preset} reads the nearness {wanted!r}, which this study has not: "
                   f"{scores.choice!r} stands in.")
    if scores.has_gradients:
        return out
    without = [what for used, what in (
        (settings.rule == "self-influence", "the rule self-influence gives equal shares"),
        (settings.inside == "easy-first", "easy-first leaves rows in the order of the file"),
        (settings.drop_loss_share > 0 and not scores.has_judge and not np.isfinite(scores.last_loss).any(),
         "no loss is known, so no row is left out for its loss")) if used]
    return [*out, f"Without gradients {'; '.join(without)}."] if without else out
