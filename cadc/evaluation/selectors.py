"""The controls: ways to choose rows that people use or could use instead of the curriculum (METHOD §6).

Each is a function of an `Offer`; all get as many rows as the curriculum has. Where a paper leaves a choice open, the
docstring says which was made. N pool rows, M units.
"""

import numpy as np

from cadc.evaluation.coincide import coincide
from cadc.evaluation.material import Material
from cadc.evaluation.offer import Chosen, Offer, Selector


# ---- by gradients ----------------------------------------------------------------------------------------------------
def _less(offer: Offer) -> Chosen:
    """Highest influence on the mean gradient of the whole target (LESS, Xia et al. 2024)."""
    return Chosen(positions=offer.best(offer.known.target_influence))


def _icons(offer: Offer) -> Chosen:
    """Every unit votes for its top x %, x the budget's share of the pool; most votes first (ICONS, Wu et al. 2024).

    Rows of equal votes by their mean influence in standard deviations of each unit.
    """
    influence = offer.known.unit_influence
    rows = np.flatnonzero(offer.allowed)
    top = max(1, min(len(rows), offer.budget))
    votes = np.zeros(len(influence))
    for unit in range(influence.shape[1]):
        order = rows[np.argsort(-influence[rows, unit], kind="stable")]
        votes[order[:top]] += 1
    tie = _standard(influence).mean(1)
    return Chosen(positions=offer.best(votes + 0.5 * (np.argsort(np.argsort(tie)) / max(len(tie), 1))))


def _bids(offer: Offer) -> Chosen:
    """Per-unit balanced greedy (after BIDS, Dai et al. 2025): influence normalised per unit over the pool, then always
    the row of highest influence on the unit that the rows chosen so far serve least."""
    influence = _standard(offer.known.unit_influence)
    ranked = [iter(order) for order in np.argsort(-influence, axis=0, kind="stable").T.tolist()]
    free, served, chosen = offer.allowed.copy(), np.zeros(influence.shape[1]), []
    for _ in range(min(offer.budget, int(free.sum()))):
        unit = int(served.argmin())
        row = next(r for r in ranked[unit] if free[r])
        free[row] = False
        served += influence[row]
        chosen.append(row)
    return Chosen(positions=np.array(chosen, np.int64))


def _standard(influence: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1 over the pool: float64 [N, M]; 0 where constant."""
    wide = np.asarray(influence, np.float64)
    spread = wide.std(0)
    return np.divide(wide - wide.mean(0), spread, out=np.zeros_like(wide), where=spread > 0)


def _self_influence(offer: Offer) -> Chosen:
    """Highest Σ_t Inf^Self: what the model finds hardest."""
    return Chosen(positions=offer.best(offer.known.ground.self_total))


# ---- without gradients -----------------------------------------------------------------------------------------------
def _last_loss(offer: Offer) -> np.ndarray:
    return np.asarray(offer.known.scores.loss)[:, -1].astype(np.float64)


def _loss(offer: Offer) -> Chosen:
    """Highest answer loss (perplexity) at the last checkpoint."""
    return Chosen(positions=offer.best(_last_loss(offer)))


def _middle_loss(offer: Offer) -> Chosen:
    """The middle of the loss distribution, which perplexity pruning keeps (Marion et al. 2023)."""
    loss = _last_loss(offer)
    rank = np.argsort(np.argsort(loss, kind="stable"))
    return Chosen(positions=offer.best(-np.abs(rank - np.median(rank[offer.allowed]))))


def _length(offer: Offer) -> Chosen:
    """Longest answers (Zhao et al. 2024, "Long is more"), ties by the earlier row."""
    return Chosen(positions=offer.best(np.asarray(offer.known.scores.tokens)))


def _random_no_duplicates(offer: Offer) -> Chosen:
    """Random rows, at most one of each group of near-duplicates; anew for each seed."""
    rows = np.flatnonzero(offer.allowed & ~offer.known.repeats)
    rng = np.random.default_rng([offer.seed, 72])
    return Chosen(positions=np.sort(rng.choice(rows, min(offer.budget, len(rows)), replace=False)))


def _random_filtered(offer: Offer) -> Chosen:
    """Random rows behind the filters of `studio` (rows that look wrong, near-duplicates); anew for each seed."""
    rows = np.flatnonzero(offer.allowed & offer.known.filtered)
    rng = np.random.default_rng([offer.seed, 74])
    return Chosen(positions=np.sort(rng.choice(rows, min(offer.budget, len(rows)), replace=False)))


def _gradients(offer: Offer) -> Chosen:
    """The rounds of `studio`, by gradients alone."""
    rows = offer.known.by_scores(offer.known.gradients, offer.budget).rows
    return Chosen(positions=rows["position"].to_numpy(np.int64))


def _words(offer: Offer) -> Chosen:
    """The rounds of `studio`, by TF-IDF of question and answer instead of gradients."""
    return _rounds(offer, offer.known.words)


def _embedding(offer: Offer) -> Chosen:
    """The rounds of `studio`, by last hidden states of the untrained base instead of gradients."""
    return _rounds(offer, offer.known.embedding)


def _rounds(offer: Offer, signal) -> Chosen:  # noqa: ANN001
    return Chosen(positions=offer.known.in_rounds(signal, offer.budget).rows["position"].to_numpy(np.int64))


def _coincide(offer: Offer) -> Chosen:
    known = offer.known
    return Chosen(positions=coincide(known.embedded[0], offer.allowed, offer.budget, known.study.config.seed))


# ---- the other preset, and the truth ---------------------------------------------------------------------------------
def _paper(offer: Offer) -> Chosen:
    rows = offer.known.curriculum("paper", offer.budget).rows
    return Chosen(positions=rows["position"].to_numpy(np.int64), stages=rows["stage"].to_numpy(np.int64))


def _paper_mixed(offer: Offer) -> Chosen:
    return Chosen(positions=_paper(offer).positions)


def _oracle(offer: Offer) -> Chosen:
    """Clean rows that the target asks for, none twice, balanced over the target's units: known to the generator.

    A unit that runs out leaves its turn to the others. Drawn anew for each seed.
    """
    truth, rng = offer.known.truth, np.random.default_rng([offer.seed, 73])
    good = truth["on_target"].astype(bool) & ~truth["wrong"].astype(bool) & offer.allowed
    first = truth["duplicate_of"].isna()
    waiting = [rng.permutation(np.flatnonzero(good & first & (truth["unit"] == unit))).tolist()
               for unit in offer.known.scores.units]
    out: list[int] = []
    while len(out) < offer.budget and any(waiting):
        for rows in waiting:
            if rows and len(out) < offer.budget:
                out.append(rows.pop())
    return Chosen(positions=np.array(out, np.int64))


def _no_truth(material: Material) -> str:
    return "" if material.truth is not None else "the pool has no ground truth beside it (generated pools have)"


CONTROLS = (
    Selector(name="random-no-duplicates", describe="random rows, one of each group of near-duplicates",
             select=_random_no_duplicates, seeded=True),
    Selector(name="random-filtered", describe="random rows behind studio's filters: what the filters do alone",
             select=_random_filtered, seeded=True),
    Selector(name="oracle", describe="clean rows, balanced over the target's units: needs the generator's ground truth",
             select=_oracle, seeded=True, available=_no_truth),
    Selector(name="paper", describe="the paper preset: top influence, stage after stage", select=_paper),
    Selector(name="paper-mixed", describe="the paper preset's rows, shuffled", select=_paper_mixed),
    Selector(name="less", describe="highest influence on the mean gradient of the whole target", select=_less),
    Selector(name="icons", describe="every unit votes for its top rows; most votes", select=_icons),
    Selector(name="bids", describe="greedy: always the unit that is served least", select=_bids),
    Selector(name="coincide", describe="clusters of embeddings, by how near and how spread they are",
             select=_coincide, needs="embedding"),
    Selector(name="self-influence", describe="highest self-influence", select=_self_influence),
    Selector(name="loss", describe="highest loss at the last checkpoint", select=_loss),
    Selector(name="middle-loss", describe="loss nearest to the median", select=_middle_loss),
    Selector(name="length", describe="longest answers", select=_length),
    Selector(name="gradients", describe="studio's rounds by gradients alone", select=_gradients),
    Selector(name="words", describe="studio's rounds by words (TF-IDF), no gradient", select=_words),
    Selector(name="embedding", describe="studio's rounds by last hidden states, no gradient", select=_embedding,
             needs="embedding"),
)
