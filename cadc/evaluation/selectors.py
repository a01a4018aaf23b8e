"""The controls: ways to choose rows that people use or could use instead of the curriculum (METHOD §6).

Each is a function of a `SelectionContext`; all get as many rows as the curriculum has. Where a paper leaves a choice
open, the docstring says which was made. N pool rows, M units.
"""

import numpy as np

from cadc.arrays import standardise
from cadc.evaluation.coincide import coincide
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.material import Material


# ---- by gradients ----------------------------------------------------------------------------------------------------
def _less(context: SelectionContext) -> TrainingRows:
    """Highest influence on the mean gradient of the whole target (LESS, Xia et al. 2024)."""
    return TrainingRows(positions=context.best(context.known.target_influence))


def _icons(context: SelectionContext) -> TrainingRows:
    """Every unit votes for its top x %, x the budget's share of the pool; most votes first (ICONS, Wu et al. 2024).

    Rows of equal votes by their mean influence in standard deviations of each unit.
    """
    influence = context.known.unit_influence
    rows = np.flatnonzero(context.allowed)
    top = max(1, min(len(rows), context.budget))
    votes = np.zeros(len(influence))
    for unit in range(influence.shape[1]):
        order = rows[np.argsort(-influence[rows, unit], kind="stable")]
        votes[order[:top]] += 1
    tie = standardise(influence, 0).mean(1)
    return TrainingRows(positions=context.best(votes + 0.5 * (np.argsort(np.argsort(tie)) / max(len(tie), 1))))


def _bids(context: SelectionContext) -> TrainingRows:
    """Per-unit balanced greedy (after BIDS, Dai et al. 2025): influence normalised per unit over the pool, then always
    the row of highest influence on the unit that the rows chosen so far serve least."""
    influence = standardise(context.known.unit_influence, 0)
    ranked = [iter(order) for order in np.argsort(-influence, axis=0, kind="stable").T.tolist()]
    free, served, chosen = context.allowed.copy(), np.zeros(influence.shape[1]), []
    for _ in range(min(context.budget, int(free.sum()))):
        unit = int(served.argmin())
        row = next(r for r in ranked[unit] if free[r])
        free[row] = False
        served += influence[row]
        chosen.append(row)
    return TrainingRows(positions=np.array(chosen, np.int64))


def _self_influence(context: SelectionContext) -> TrainingRows:
    """Highest Σ_t Inf^Self: what the model finds hardest."""
    return TrainingRows(positions=context.best(context.known.inputs.self_total))


# ---- without gradients -----------------------------------------------------------------------------------------------
def _last_loss(context: SelectionContext) -> np.ndarray:
    return np.asarray(context.known.scores.loss)[:, -1].astype(np.float64)


def _loss(context: SelectionContext) -> TrainingRows:
    """Highest answer loss (perplexity) at the last checkpoint."""
    return TrainingRows(positions=context.best(_last_loss(context)))


def _middle_loss(context: SelectionContext) -> TrainingRows:
    """The middle of the loss distribution, which perplexity pruning keeps (Marion et al. 2023)."""
    loss = _last_loss(context)
    rank = np.argsort(np.argsort(loss, kind="stable"))
    return TrainingRows(positions=context.best(-np.abs(rank - np.median(rank[context.allowed]))))


def _length(context: SelectionContext) -> TrainingRows:
    """Longest answers (Zhao et al. 2024, "Long is more"), ties by the earlier row."""
    return TrainingRows(positions=context.best(np.asarray(context.known.scores.tokens)))


def _random_no_duplicates(context: SelectionContext) -> TrainingRows:
    """Random rows, at most one of each group of near-duplicates; anew for each seed."""
    rows = np.flatnonzero(context.allowed & ~context.known.repeats)
    rng = np.random.default_rng([context.seed, 72])
    return TrainingRows(positions=np.sort(rng.choice(rows, min(context.budget, len(rows)), replace=False)))


def _random_filtered(context: SelectionContext) -> TrainingRows:
    """Random rows behind the filters of `studio` (rows that look wrong, near-duplicates); anew for each seed."""
    rows = np.flatnonzero(context.allowed & context.known.filtered)
    rng = np.random.default_rng([context.seed, 74])
    return TrainingRows(positions=np.sort(rng.choice(rows, min(context.budget, len(rows)), replace=False)))


def _gradients(context: SelectionContext) -> TrainingRows:
    """The rounds of `studio`, by gradients alone."""
    rows = context.known.by_scores(context.known.gradients, context.budget).rows
    return TrainingRows(positions=rows["position"].to_numpy(np.int64))


def _words(context: SelectionContext) -> TrainingRows:
    """The rounds of `studio`, by TF-IDF of question and answer instead of gradients."""
    return _rounds(context, context.known.words)


def _embedding(context: SelectionContext) -> TrainingRows:
    """The rounds of `studio`, by last hidden states of the untrained base instead of gradients."""
    return _rounds(context, context.known.embedding)


def _rounds(context: SelectionContext, signal) -> TrainingRows:  # noqa: ANN001
    return TrainingRows(positions=context.known.round_robin(signal, context.budget).rows["position"].to_numpy(np.int64))


def _coincide(context: SelectionContext) -> TrainingRows:
    known = context.known
    return TrainingRows(positions=coincide(known.embedded[0], context.allowed, context.budget, known.study.config.seed))


# ---- the other preset, and the truth ---------------------------------------------------------------------------------
def _paper(context: SelectionContext) -> TrainingRows:
    rows = context.known.curriculum("paper", context.budget).rows
    return TrainingRows(positions=rows["position"].to_numpy(np.int64), stages=rows["stage"].to_numpy(np.int64))


def _paper_mixed(context: SelectionContext) -> TrainingRows:
    return TrainingRows(positions=_paper(context).positions)


def _oracle(context: SelectionContext) -> TrainingRows:
    """Clean rows that the target asks for, none twice, balanced over the target's units: known to the generator.

    A unit that runs out leaves its turn to the others. Drawn anew for each seed.
    """
    truth, rng = context.known.truth, np.random.default_rng([context.seed, 73])
    good = truth["on_target"].astype(bool) & ~truth["wrong"].astype(bool) & context.allowed
    first = truth["duplicate_of"].isna()
    waiting = [rng.permutation(np.flatnonzero(good & first & (truth["unit"] == unit))).tolist()
               for unit in context.known.scores.units]
    out: list[int] = []
    while len(out) < context.budget and any(waiting):
        for rows in waiting:
            if rows and len(out) < context.budget:
                out.append(rows.pop())
    return TrainingRows(positions=np.array(out, np.int64))


def _no_truth(material: Material) -> str:
    return "" if material.truth is not None else "the pool has no ground truth beside it (generated pools have)"


CONTROLS = (
    Arm(name="random-no-duplicates", describe="random rows, one of each group of near-duplicates",
             select=_random_no_duplicates, seeded=True),
    Arm(name="random-filtered", describe="random rows behind studio's filters: what the filters do alone",
             select=_random_filtered, seeded=True),
    Arm(name="oracle", describe="clean rows, balanced over the target's units: needs the generator's ground truth",
             select=_oracle, seeded=True, available=_no_truth),
    Arm(name="paper", describe="the paper preset: top influence, stage after stage", select=_paper),
    Arm(name="paper-mixed", describe="the paper preset's rows, shuffled", select=_paper_mixed),
    Arm(name="less", describe="highest influence on the mean gradient of the whole target", select=_less),
    Arm(name="icons", describe="every unit votes for its top rows; most votes", select=_icons),
    Arm(name="bids", describe="greedy: always the unit that is served least", select=_bids),
    Arm(name="coincide", describe="clusters of embeddings, by how near and how spread they are",
             select=_coincide, needs="embedding"),
    Arm(name="self-influence", describe="highest self-influence", select=_self_influence),
    Arm(name="loss", describe="highest loss at the last checkpoint", select=_loss),
    Arm(name="middle-loss", describe="loss nearest to the median", select=_middle_loss),
    Arm(name="length", describe="longest answers", select=_length),
    Arm(name="gradients", describe="studio's rounds by gradients alone", select=_gradients),
    Arm(name="words", describe="studio's rounds by words (TF-IDF), no gradient", select=_words),
    Arm(name="embedding", describe="studio's rounds by last hidden states, no gradient", select=_embedding,
             needs="embedding"),
)
