"""The map at one checkpoint beside that of all together, and how the target's units are divided.

M target units, T checkpoints.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cadc.curation.workbench import Workbench
from cadc.discovery import automatic, similarity
from cadc.discovery.layout import layout
from cadc.discovery.partition import apart
from cadc.views.palette import UNASSIGNED_NAME


@dataclass(frozen=True, kw_only=True)
class AtCheckpoint:
    """The units by their gradients at one checkpoint, and at all."""

    similarity: np.ndarray
    """S at the checkpoint, float64 [M, M]."""
    spots: np.ndarray
    """Places at the checkpoint, turned onto those of all: float64 [M, 2]."""
    whole: np.ndarray
    """Places by all checkpoints, float64 [M, 2]."""
    sentence: str


def lacking(bench: Workbench) -> str:
    """'' where units can be compared checkpoint by checkpoint, else why not."""
    return "" if bench.scores.has_gradients else "The gradients of this study are not computed yet, or it has none."


def checkpoints(bench: Workbench) -> int:
    """T."""
    return len(bench.scores.eta)


def at_checkpoint(bench: Workbench, number: int) -> AtCheckpoint:
    """`number` from 1 to T, by plain gradients, or by grounded ones where the map is drawn from them."""
    scores = bench.scores
    grounded = bench.discovery.signal == "grounded" and scores.has_grounded
    gram = np.asarray(scores.gram_grounded if grounded else scores.gram)
    one, every = similarity(gram[number - 1:number], np.ones(1)), similarity(gram, scores.eta)
    whole = layout(every)
    off = np.triu_indices(len(one), 1)
    alike = _rank_correlation(one[off], every[off])
    now = _agreement(automatic(one).labels, np.array(bench.capabilities.of_unit))
    return AtCheckpoint(
        similarity=one, spots=turned(layout(one), whole), whole=whole,
        sentence=f"Checkpoint {number} of {checkpoints(bench)}, by {'grounded' if grounded else 'plain'} gradients. "
                 f"Rank correlation of its similarities with those of all checkpoints: {alike:.2f}. Communities found "
                 f"at it agree with the capabilities in force by {now:.2f} (adjusted Rand index).")


def turned(spots: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Spots [M, 2] turned, mirrored and scaled so that they lie as near to others as they can (Procrustes); a map has
    no up and no left of its own."""
    own, other = spots - spots.mean(0), onto - onto.mean(0)
    left, size, right = np.linalg.svd(own.T @ other)
    scale = size.sum() / max(float((own**2).sum()), 1e-12)
    return scale * own @ left @ right + onto.mean(0)


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks = [rankdata(one) - (len(one) + 1) / 2 for one in (a, b)]
    norm = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float(ranks[0] @ ranks[1] / norm) if norm > 0 else float("nan")


def _agreement(labels: np.ndarray, of_unit: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(apart(of_unit), apart(labels)))


def place_table(table: pd.DataFrame, found: AtCheckpoint) -> pd.DataFrame:
    """unit, capability, x, y, x (all), y (all): the two maps as numbers. table: `views.capabilities.unit_table`."""
    return pd.DataFrame({"unit": table["unit"], "capability": table["name"], "x": found.spots[:, 0],
                         "y": found.spots[:, 1], "x (all)": found.whole[:, 0], "y (all)": found.whole[:, 1]})


def share_table(bench: Workbench) -> pd.DataFrame:
    """capability (id), name, units, share: how the target's units are divided; the unassigned ones last, if any."""
    found = bench.capabilities
    rows = [(one, name, len(found.members(one))) for one, name in zip(found.ids, found.names, strict=True)]
    rows += [("", UNASSIGNED_NAME, len(found.unassigned))] if found.unassigned else []
    table = pd.DataFrame(rows, columns=["capability", "name", "units"])
    return table.assign(share=table["units"] / max(len(found.units), 1))
