"""Saved curricula: those of the log, two of them side by side."""

import pytest

from benchmarks.synthesise import synthesise
from cadc.curation import CurationSettings
from cadc.curation.workbench import open_workbench
from cadc.study.decisions import Decision
from cadc.views.saved import SideBySide, saved


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_workbench(synthesise(tmp_path_factory.mktemp("cache"), rows=200, units=5, checkpoints=2,
                                     samples_per_unit=4, name="trial"))


def decided(seq: int, undone: bool = False, **settings) -> Decision:
    return Decision(seq=seq, at=f"2026-01-01T00:00:0{seq}.5", scope="curation", kind="curate", undone=undone,
                    payload=settings)


def test_every_decision_is_a_saved_curriculum_and_one_is_in_force(bench):
    log = [decided(1, budget=20.0), decided(2, budget=30.0), decided(3, undone=True, budget=40.0),
           decided(4, wrong="key")]
    found = saved(bench, log)
    assert [one.seq for one in found] == [3, 2, 1, 0], "newest first, the preset's own last, unreadable ones not"
    assert [one.now for one in found] == [False, True, False, False]
    assert found[0].undone and "taken back" in found[0].label and "in force" in found[1].label
    assert [one.settings.budget for one in found[:3]] == [40, 30, 20]
    assert [one.now for one in saved(bench, [])] == [True]


def test_two_are_compared_by_rows_settings_and_composition(bench):
    one, other = CurationSettings(budget=20.0), CurationSettings(budget=35.0, rule="uniform")
    made = [bench.under(settings).curriculum for settings in (one, other)]
    both = SideBySide(bench=bench, left=made[0], right=made[1], settings=(one, other))
    first, second = (set(curriculum.rows["index"]) for curriculum in made)
    assert both.common.startswith(f"{len(first & second)} rows in common, ")
    assert f"{len(first - second)} only in the first" in both.common
    table = both.settings_table.set_index("setting")
    assert set(table.index) == {"budget", "rule"} and list(table.loc["budget"]) == ["20", "35"]
    budgets = both.budgets()
    assert budgets["first"].sum() == 20 and budgets["second"].sum() == 35
    assert (budgets["change"] == budgets["second"] - budgets["first"]).all()
    parts = both.composition().groupby("what")[["pool", "first", "second"]].sum()
    assert parts.to_numpy() == pytest.approx(1)
    assert list(both.totals().iloc[0]) == ["rows", "20", "35"]
