"""Losses of judges, put down as the job would have."""

import numpy as np

from cadc.scores import columns
from cadc.scores.scores import Scores
from cadc.study import Study


def write_judged(study: Study, loss: np.ndarray, target: np.ndarray, base: float = 10.0) -> None:
    """Finish the job `judge` with these losses of the scored rows and the single target samples."""
    scores = Scores.load(study)
    order = np.argsort(scores.sample_index)
    found = {"judge_rows": np.asarray(scores.index, np.int64), "judge_loss": loss,
             "base_loss": np.full(len(loss), base, np.float32), "judge_tokens": np.asarray(scores.tokens),
             "judge_samples": np.asarray(scores.sample_index, np.int64)[order], "judge_target": target[order],
             "base_target": np.full(len(target), base, np.float32)}
    for name, values in found.items():
        columns.write(study, name, values.astype(values.dtype if values.dtype.kind == "i" else np.float32))
    study.result("judge").finish()
