"""Everything that is kept per pool sample equals a float64 one-sample-at-a-time autograd reference to 1e-5."""

import numpy as np
import pytest
from reference import Reference, slow_feature
from tiny_study import make_study, scored

from cadc.data import read_samples


def close(ours, truth) -> None:
    ours, truth = np.asarray(ours, np.float64), np.asarray(truth)
    assert ours.shape == truth.shape
    assert np.abs(ours - truth).max() <= 1e-5 * np.abs(truth).max()


@pytest.mark.parametrize(("features", "layers"), [("adam", "all"), ("less", "last:2"), ("sgd", "last:1")])
def test_scores_equal_one_sample_autograd(data, tmp_path, features, layers):
    study = make_study(data, tmp_path, features=features, lora_layers=layers)
    scores, truth = scored(study), Reference(study)
    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    assert list(scores.index) == [s.index for s in pool]
    singles = [target[i] for i in scores.sample_index]
    weights = scores.eta.astype(np.float64) / scores.eta.astype(np.float64).sum()
    influence, ids = 0, used(study)
    for t in range(2):
        pairs = [truth.gradient(s, t) for s in pool]
        losses, gradients = np.array([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
        gamma = np.stack([slow_feature(truth, features, t, g) for g in gradients])
        of_single = np.stack([truth.gradient(s, t)[1] for s in singles])
        of_single /= np.linalg.norm(of_single, axis=1, keepdims=True)
        norm = np.linalg.norm(gamma, axis=1)
        close(scores.loss[:, t], losses)
        close(scores.gradient_norm[:, t], np.linalg.norm(gradients, axis=1))
        close(scores.feature_norm[:, t], norm)
        close(scores.sample_gram[t], of_single @ of_single.T)
        means = np.stack([np.mean([truth.gradient(s, t)[1] for s in target if s.id in ids[unit]], 0)
                          for unit in scores.units])
        close(scores.dots[t], means @ gamma.T / norm)
        close(scores.gram[t], means @ means.T)
        influence = influence + weights[t] * (gamma / norm[:, None]) @ of_single.T
    for unit in range(len(scores.units)):
        columns = np.flatnonzero(scores.sample_unit == unit)
        close(scores.near[unit], np.sort(influence[:, columns], 1)[:, -2:].mean(1))
        assert (scores.winner[unit] == columns[influence[:, columns].argmax(1)]).all()
    order = np.argsort(-influence, 0)[:5].T
    close(scores.best_value, np.take_along_axis(influence.T, order, 1))
    assert (scores.best_index == order).mean() > 0.99


def used(study) -> dict[str, set[str]]:
    """Ids of the target samples that enter each unit's mean."""
    from cadc.gradients.choice import choose
    from cadc.models.feed import Feed

    feed = Feed(study, "target", None)
    choice = choose(study.config, feed.samples)
    return {unit: {feed.samples[row].id for row in rows} for unit, rows in zip(choice.units, choice.rows, strict=True)}
