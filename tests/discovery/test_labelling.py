"""Capabilities as a file, and how a capability is divided."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.discovery.capabilities import Capabilities, keep_locked, lock, move, replay
from cadc.discovery.labelling import contingency, from_json, to_json, two_parts
from cadc.errors import DataError
from cadc.study.decisions import Decision

UNITS = ("a", "b", "c", "d", "e")


def made(*of_unit: int, names: tuple[str, ...] = ("reading", "c2")) -> Capabilities:
    return Capabilities(ids=("c1", "c2"), names=names, of_unit=of_unit or (0, 0, 1, 1, -1), units=UNITS, issued=2)


def decided(kind: str, **payload: object) -> Decision:
    return Decision(seq=0, at="", scope="capabilities", kind=kind, payload=payload)


def test_a_file_read_back_changes_nothing():
    assert from_json(to_json(made()), made()) == []


@given(st.lists(st.integers(-1, 1), min_size=5, max_size=5).filter(lambda of: {0, 1} <= set(of)))
def test_a_file_makes_other_capabilities_what_it_says(of_unit):
    wanted, now = made(*of_unit, names=("räumlich", "two")), made()
    after = replay(now, [decided("label", **payload) for payload in from_json(to_json(wanted), now)])
    assert after.describe() == wanted.describe() and after.unassigned == wanted.unassigned and not after.skipped


def test_a_group_without_an_id_gets_one_that_was_never_given_out():
    text = json.dumps({"format": "cadc-capabilities-1", "capabilities": [{"name": "all", "units": list(UNITS)}]})
    [payload] = from_json(text, made())
    after = replay(made(), [decided("label", **payload)])
    assert after.ids == ("c3",) and after.names == ("all",) and after.issued == 3


@pytest.mark.parametrize(("change", "why"), [
    ({"format": "other"}, "format"),
    ({"capabilities": "c1"}, "expected"),
    ({"capabilities": [{"id": "c1", "units": ["a", 3]}]}, "expected"),
    ({"capabilities": [{"id": "c1", "units": ["a", "nobody"]}]}, "no target unit 'nobody'"),
    ({"capabilities": [{"id": "c1", "units": ["a", "a"]}]}, "named twice"),
    ({"capabilities": [{"id": "c1", "units": ["a"]}]}, "nothing is said of target unit"),
    ({"capabilities": [{"id": "c1", "units": []}]}, "has no units"),
    ({"capabilities": [{"id": "first", "units": list(UNITS)}]}, "no id"),
    ({"capabilities": [{"id": "c1", "units": ["a"]}, {"id": "c1", "units": list("bcde")}]}, "no id of its own"),
    ({"capabilities": [{"id": "c1", "name": "c2", "units": ["a"]}, {"id": "c2", "units": list("bcde")}]}, "already"),
])
def test_a_file_that_does_not_fit_is_refused_with_the_reason(change, why):
    text = json.dumps({"format": "cadc-capabilities-1", "capabilities": [], "unassigned": []} | change)
    with pytest.raises(DataError, match=why):
        from_json(text, made())


def test_text_that_is_no_json_is_refused():
    with pytest.raises(DataError, match="no JSON"):
        from_json("c1: a", made())


def test_locked_units_cannot_be_moved_merged_or_read_over_until_they_are_unlocked():
    held = lock(made(), "c1", True)
    acts = [decided("move", unit="a", to="c2"), decided("move", unit="e", to="c1"),
            decided("merge", **{"from": "c2", "into": "c1"}),
            decided("label", capabilities=[{"id": "c1", "name": "x", "units": list(UNITS)}])]
    after = replay(held, acts)
    assert after.describe() == held.describe()
    assert len(after.skipped) == 4 and all("locked" in why for why in after.skipped)
    free = replay(held, [decided("lock", capability="c1", on=False), acts[0]])
    assert free.members("c2") == ("a", "c", "d") and free.locked == () and not free.skipped


def test_a_locked_capability_survives_a_new_clustering_with_its_units():
    before = lock(made(), "c1", True)
    new = Capabilities(ids=("c1", "c2"), names=("c1", "c2"), of_unit=(0, 1, 1, 0, 0), units=UNITS, issued=2)
    after = keep_locked(before, new)
    assert after.members("c3") == ("a", "b") and after.locked == ("c3",) and after.members("c1") == ("d", "e")
    same = keep_locked(before, Capabilities(ids=("c1",), names=("c1",), of_unit=(0, 0, -1, -1, -1), units=UNITS,
                                            issued=1))
    assert same.ids == same.locked == ("c1",), "found as it was: its id is the community's"


def test_an_emptied_capability_cannot_stay_locked():
    after = move(move(lock(made(), "c2", True), "a", "new"), "b", "c3")
    assert after.locked == ("c2",) and set(after.ids) == {"c2", "c3"}


def test_a_payload_of_any_shape_is_skipped_and_told():
    after = replay(made(), [decided("label", capabilities=3), decided("label", capabilities=[4]),
                            decided("lock"), decided("label", capabilities=[{"id": "c1", "units": 5}])])
    assert len(after.skipped) == 4 and after.describe() == made().describe()


def test_two_clear_groups_are_divided_and_the_smaller_one_leaves():
    near = np.full((5, 5), 0.1)
    for group in ([0, 2, 4], [1, 3]):
        near[np.ix_(group, group)] = 0.9
    np.fill_diagonal(near, 1)
    assert two_parts(near).tolist() == [False, True, False, True, False]
    assert two_parts(np.eye(2)).tolist() == [False, True]


def test_every_unit_is_counted_once_by_both_its_groups():
    counts = contingency((0, 0, 1, 1, -1), (0, 1, 1, -1, -1), (2, 2))
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
