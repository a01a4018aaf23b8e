"""Bootstrap stability: high for planted structure, low for noise."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from cadc.discovery import automatic, leiden, stability
from cadc.errors import DataError


def run(made, method=automatic, **chosen):
    scores = made.scores
    return stability(scores.sample_gram, scores.sample_unit, scores.eta, method, **({"rounds": 8} | chosen))


def test_planted_groups_are_stable_and_noise_is_not(make_scores):
    structured = run(make_scores(rows=5, units=12, per_unit=10, groups=3))
    noise = run(make_scores(rows=5, units=12, per_unit=3, groups=12))
    assert structured.mean_ari > 0.95 and set(structured.ks) == {3}
    assert noise.mean_ari < 0.7


def test_rounds_and_seed_are_honoured(made):
    once = run(made, seed=5)
    assert once.aris == run(made, seed=5).aris and len(once.aris) == 8
    assert once.mean_ari == pytest.approx(np.mean(once.aris))


def test_a_method_that_ignores_the_samples_is_perfectly_stable(made):
    fixed = leiden(np.eye(8) + 0.5 * (np.arange(8)[:, None] % 2 == np.arange(8)[None] % 2) * (1 - np.eye(8)), 0.2)
    assert run(made, lambda similar: fixed).mean_ari == 1.0
    assert adjusted_rand_score(fixed.labels, np.arange(8) % 2) == 1


def test_nothing_to_resample_is_refused(made):
    with pytest.raises(DataError):
        run(made, rounds=0)
