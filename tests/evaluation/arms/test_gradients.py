"""Rivals by gradients against slow references that follow their definitions, and what holds for every arm."""

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.arrays import standardise
from cadc.curation.workbench import open_workbench
from cadc.errors import DataError
from cadc.evaluation import ARMS, SelectionContext
from cadc.evaluation.material import Material
from cadc.selection.rounds import round_robin


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Callable[..., SelectionContext]:
    """`context(seed)`: a synthetic study of 160 rows, a random fifth of them barred, and its 12 % curriculum."""
    study = synthesise(tmp_path_factory.mktemp("arms"), rows=160, units=5, checkpoints=2, samples_per_unit=6)
    workbench = open_workbench(study).with_settings(budget=0.12)
    rows = workbench.curriculum.rows

    def made(seed: int = 0) -> SelectionContext:
        barred = np.random.default_rng(seed).random(160) < 0.2
        return SelectionContext(index=np.asarray(workbench.scores.index), allowed=~barred, seed=seed,
                                curriculum=rows["position"].to_numpy(), stages=rows["stage"].to_numpy(),
                                asked=0.12, material=Material(study, workbench.inputs, barred))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_less_takes_the_highest_influence_on_the_whole_target(context, seed):
    given = context(seed)
    influence = given.known.target_influence
    wanted = sorted(np.flatnonzero(given.allowed), key=lambda row: (-influence[row], row))[:given.budget]
    assert ARMS["less"].select(given).positions.tolist() == wanted


@pytest.mark.parametrize("seed", range(4))
def test_icons_takes_the_rows_of_most_votes(context, seed):
    given = context(seed)
    influence, rows = given.known.unit_influence, np.flatnonzero(given.allowed)
    votes = dict.fromkeys(rows.tolist(), 0)
    for unit in range(influence.shape[1]):
        for row in sorted(rows.tolist(), key=lambda row: -influence[row, unit])[:given.budget]:
            votes[row] += 1
    mean = standardise(influence, 0).mean(1)
    wanted = sorted(votes, key=lambda row: (-votes[row], -mean[row]))[:given.budget]
    assert ARMS["icons"].select(given).positions.tolist() == wanted


@pytest.mark.parametrize("seed", range(4))
def test_bids_always_serves_the_unit_that_is_served_least(context, seed):
    given = context(seed)
    influence = standardise(given.known.unit_influence, 0)
    free, served, wanted = set(np.flatnonzero(given.allowed).tolist()), np.zeros(influence.shape[1]), []
    for _ in range(given.budget):
        unit = int(served.argmin())
        row = min(free, key=lambda row: (-influence[row, unit], row))
        free.discard(row)
        served += influence[row]
        wanted.append(row)
    assert ARMS["bids"].select(given).positions.tolist() == wanted


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if not arm.needs and name not in ("base", "full")])
def test_no_arm_takes_a_barred_row_or_more_than_the_curriculum_has(context, name):
    given = context(7)
    if ARMS[name].available(given.known):
        with pytest.raises(DataError, match="cannot be run on this study"):
            ARMS[name].select(given)
        return
    found = ARMS[name].select(given)
    assert given.allowed[found.positions].all() and 0 < len(set(found.positions.tolist())) <= given.budget
    if not ARMS[name].seeded:
        assert np.array_equal(found.positions, ARMS[name].select(given).positions)
    if name in ("cadc", "cadc-soft", "cadc-staged", "cadc-mixed"):  # each row of the curriculum, some again
        assert set(found.positions) == set(given.curriculum[given.allowed[given.curriculum]])
    else:
        assert len(set(found.positions.tolist())) == len(found.positions) == given.budget


def test_rounds_over_the_pool_as_one_give_every_unit_equally_many_rows(context):
    given = context(3)
    found = given.known.as_one_pool(given.budget).rows
    assert ARMS["rounds"].select(given).positions.tolist() == found["position"].tolist()
    turns = np.bincount(np.asarray(given.known.scores.sample_unit)[found["target"]], minlength=5)
    assert len(found) == given.budget and turns.max() - turns.min() <= 1
    inside = given.known.filtered & given.allowed
    wanted = islice(round_robin(given.known.scores, np.arange(5), inside), given.budget)
    assert set(found["position"]) == {position for position, *_ in wanted}
