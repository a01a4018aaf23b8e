"""Every preset decides the same things and hands out each free row of a pool once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.curation import PRESETS, CapabilityRows, CurationSettings
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(sorted(PRESETS)), seed=st.integers(0, 100), share=st.floats(0.05, 1),
       signal=st.sampled_from(["plain", "grounded"]))
def test_every_row_of_the_pool_is_ranked_once(made, name, seed, share, signal):
    rng, rows = np.random.default_rng(seed), len(made.scores.index)
    preset, inside = PRESETS[name], rng.random(rows) < share
    influence = preset.influence(InfluenceColumns(made.scores), [0, 0, 1, -1, 1, 1, 0, -1], signal=signal)
    assert influence.shape == (rows, 2) and influence.dtype == np.float32
    picks = list(preset.pick(CapabilityRows(
        scores=made.scores, influence=influence[:, 1], units=np.array([2, 4, 5]), inside=inside)))
    assert sorted(position for position, *_ in picks) == np.flatnonzero(inside).tolist()
    assert all(reason and (target == -1 or made.scores.sample_unit[target] in (2, 4, 5))
               for _, target, _, reason in picks)


def test_presets_decide_the_same_things_and_studio_is_the_default():
    decided = {name: set(preset.settings) for name, preset in PRESETS.items()}
    assert len(set(map(frozenset, decided.values()))) == 1, decided
    assert CurationSettings.of_preset("studio") == CurationSettings()
    for name, preset in PRESETS.items():
        made = CurationSettings.of_preset(name, seed=3)
        assert made.preset == name and made.seed == 3
        assert {key: getattr(made, key) for key in preset.settings} == dict(preset.settings)
    assert CurationSettings.of_preset("paper", rule="uniform").rule == "uniform"


def test_an_unknown_preset_is_one_clear_line():
    with pytest.raises(DataError, match="unknown preset 'magic'. Known: quick, studio, paper"):
        CurationSettings.of_preset("magic")
    with pytest.raises(DataError, match="preset='magic': expected one of quick, studio, paper"):
        CurationSettings(preset="magic")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_predicted_rows_are_judged_by_the_rows_that_were_measured(made, name):
    of_unit, rows = [0, 0, 1, -1, 1, 1, 0, -1], np.arange(240) % 3 == 0
    columns = InfluenceColumns(replace(made.scores, measured=rows))
    perfect = replace(made.scores, dots=made.scores.dots[:, :, rows], near=made.scores.near[:, rows],
                      index=made.scores.index[rows], measured=np.zeros(rows.sum(), bool))
    found = PRESETS[name].held_out(columns, perfect, of_unit)  # near(z, s) of the same rows is the same
    assert found.shape == (2,) and (found > 0.95).all()
    reversed_ = replace(perfect, dots=-perfect.dots, near=-perfect.near)
    assert (PRESETS[name].held_out(columns, reversed_, of_unit) < -0.2).all()
