"""Other rules over the same signals: selection by design on a study that has an embedding."""

from itertools import islice

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.data.indices import FeedRow
from cadc.evaluation import ARMS, SelectionContext
from cadc.evaluation.arms.rules import kernels
from cadc.evaluation.material import Material
from cadc.selection.design import by_design, span
from cadc.signals.embedding import finish_embedding


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> SelectionContext:
    """A synthetic study of 160 rows with random embeddings, a fifth of its rows barred, and its 12 % curriculum."""
    study = synthesise(tmp_path_factory.mktemp("rules"), rows=160, units=5, checkpoints=2, samples_per_unit=6)
    workbench, rng = open_workbench(study).with_settings(budget=0.12), np.random.default_rng(0)
    sizes = {"pool": len(workbench.scores.index), "target": len(workbench.scores.sample_index)}
    states = {role: {FeedRow(row): rng.normal(size=(2, 8)).astype(np.float32) for row in range(size)}
              for role, size in sizes.items()}
    finish_embedding(study, states, {"pool": {}, "target": {}})
    barred, rows = rng.random(160) < 0.2, workbench.curriculum.rows
    return SelectionContext(index=np.asarray(workbench.scores.index), allowed=~barred, seed=0,
                            curriculum=rows["position"].to_numpy(), stages=rows["stage"].to_numpy(),
                            material=Material(study, workbench.inputs, barred))


def test_design_takes_what_leaves_least_uncertainty_behind_the_filters(context):
    found = ARMS["design"].select(context).positions
    pool, target = context.known.embedded
    with_target, among = kernels(context.known)
    np.testing.assert_allclose(with_target, pool @ target.T, atol=1e-6)
    np.testing.assert_allclose(among, target @ target.T, atol=1e-6)
    assert len(set(found.tolist())) == len(found) == context.budget
    assert (context.allowed & context.known.filtered)[found].all()
    exact = by_design(span(with_target, among), np.full(30, 1 / 30), context.allowed & context.known.filtered, again=1)
    assert found.tolist() == [row for row, _ in islice(exact, context.budget)]
