"""Capabilities from a file: after the decisions every unit and every name is where the file has it."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.discovery import Capabilities, replay
from cadc.discovery.capabilities import found
from cadc.discovery.partition import Partition, ordered_labels
from cadc.discovery.regroup import Grouping, read_grouping, regroup, written
from cadc.errors import DataError

UNITS = tuple("abcdefg")
NOW = Capabilities(ids=("c1", "c2"), names=("reading", "c2"), of_unit=(0, 0, 1, 1, -1, 0, 1), units=UNITS, issued=4)


def after(now: Capabilities, parts) -> Capabilities:
    return replay(now, [SimpleNamespace(kind=kind, payload=payload) for kind, payload in parts])


def groups(now: Capabilities) -> dict[frozenset, str]:
    """Units → name, '' for an id."""
    return {frozenset(now.members(i)): "" if name == i else name
            for i, name in zip(now.ids, now.names, strict=True)}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=7, max_size=7), st.lists(st.integers(-1, 4), min_size=7, max_size=7),
       st.lists(st.sampled_from(["", "reading", "counting", "Ψ", "colour"]), min_size=5, max_size=5), st.data())
def test_every_unit_and_name_arrives(start, goal, names, data):
    import numpy as np

    now = found(Partition(labels=ordered_labels(np.array(start)), modularity=0.0, method="leiden"), UNITS)
    for capability in now.ids:
        free = [n for n in ("reading", "counting", "Ψ") if n not in now.names]
        if free and data.draw(st.booleans()):
            now = after(now, [("rename", {"capability": capability, "name": data.draw(st.sampled_from(free))})])
    used = dict.fromkeys(k for k in goal if k >= 0)
    named = {k: name if name not in names[:k] else "" for k, name in enumerate(names)}
    wanted = Grouping(names=tuple(named[k] for k in used),
                      units=tuple(tuple(u for u, g in zip(UNITS, goal, strict=True) if g == k) for k in used),
                      unassigned=tuple(u for u, g in zip(UNITS, goal, strict=True) if g < 0))
    there = after(now, regroup(now, wanted))
    assert there.skipped == ()
    assert groups(there) == {frozenset(u): n for u, n in zip(wanted.units, wanted.names, strict=True)}
    assert set(there.unassigned) == set(wanted.unassigned)
    assert regroup(there, wanted) == [], "what is there already needs no decision"


def test_what_is_written_down_is_read_back_and_changes_nothing():
    again = read_grouping(written(NOW), UNITS)
    assert again.names == ("reading", "") and regroup(NOW, again) == []


def test_ids_stay_where_most_units_stay_and_names_can_be_swapped():
    both = after(NOW, [("rename", {"capability": "c2", "name": "counting"})])
    swapped = Grouping(names=("counting", "reading"), units=(("a", "b", "f", "e"), ("c", "d", "g")))
    there = after(both, regroup(both, swapped))
    assert (there.ids, there.names) == (("c1", "c2"), ("counting", "reading"))
    new = Grouping(names=("one", "rest"), units=(("e",), ("a", "b", "c", "d", "f", "g")))
    there = after(both, regroup(both, new))
    assert there.ids == ("c1", "c5") and there.members("c5") == ("e",), "ids that were given out are not used again"


@pytest.mark.parametrize("values, words", [
    ([], "no capabilities"), ({"capabilities": 3}, "no capabilities"), ({"capabilities": [{"name": "x"}]}, "Expected"),
    ({"capabilities": [{"units": "abc"}]}, "Expected"),
    ({"capabilities": [{"units": ["a", "z"]}]}, "no target unit 'z'"),
    ({"capabilities": [{"units": ["a"]}], "unassigned": ["a"]}, "stands 2 times"),
    ({"capabilities": [{"units": ["a"]}]}, "'b' stands nowhere")])
def test_a_file_that_does_not_fit_is_refused_in_a_line(values, words):
    with pytest.raises(DataError, match=words):
        read_grouping(values, UNITS)


def test_names_that_cannot_be_told_apart_are_refused():
    with pytest.raises(DataError, match="already called"):
        regroup(NOW, Grouping(names=("x", "X"), units=(("a", "b", "c", "d"), ("e", "f", "g"))))
