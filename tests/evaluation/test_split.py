import pytest

from cadc.evaluation.split import HELD_OUT, MEANS_ONLY, SAME, scored_samples


def first(units: list[str], count: int) -> set[int]:
    return {p for p, unit in enumerate(units) if units[:p].count(unit) < count}


@pytest.mark.parametrize("each, kind", [(100, HELD_OUT), (40, MEANS_ONLY), (34, SAME), (1, SAME)])
def test_scored_samples_keep_clear_of_the_gradients_where_they_can(each, kind):
    units = ["a", "b"] * each
    means, single = first(units, 64), first(units, 32)
    found = scored_samples(units, in_means=means, single=single, at_most=10)
    assert found.kind == kind
    seen = {HELD_OUT: means | single, MEANS_ONLY: single, SAME: set()}[kind]
    assert not seen & set(found.positions)
    left = {name: sum(u == name and p not in seen for p, u in enumerate(units)) for name in "ab"}
    assert all(sum(units[p] == name for p in found.positions) == min(10, left[name]) for name in "ab")


def test_one_small_unit_decides_for_all():
    units = ["a"] * 100 + ["b"] * 10
    single = first(units, 8)
    assert scored_samples(units, in_means=single, single=single, at_most=10).kind == SAME
