"""Capabilities under names, moves and merges: every act a new value, every id used once, replay never fails."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.discovery import Partition, found, merge, move, rename, replay
from cadc.discovery.capabilities import Capabilities, inherit_names
from cadc.errors import DataError

UNITS = ("a", "b", "c", "d", "e", "f")


@dataclass
class Event:
    kind: str
    payload: dict = field(default_factory=dict)


def start(labels=(0, 0, 0, 1, 1, -1)) -> Capabilities:
    return found(Partition(labels=np.array(labels), modularity=0.0, method="leiden"), UNITS)


def test_found_capabilities_are_named_by_their_ids():
    now = start()
    assert now.ids == now.names == ("c1", "c2") and now.unassigned == ("f",)
    assert now.describe()[1] == {"id": "c2", "name": "c2", "units": ["d", "e"]}


def test_acts_leave_the_old_value_alone():
    before = start()
    rename(move(before, "a", "c2"), "c2", "Reading")
    assert before == start()


def test_a_unit_moves_to_another_a_new_one_or_none():
    now = move(move(move(start(), "a", "c2"), "b", "new"), "c", None)
    assert now.members("c2") == ("a", "d", "e") and now.members("c3") == ("b",)
    assert now.unassigned == ("c", "f") and now.ids == ("c2", "c3")  # c1 is empty and gone


def test_an_emptied_capability_never_gives_its_id_away():
    now = move(move(start(), "d", "c1"), "e", "c1")
    assert now.ids == ("c1",)
    now = move(now, "a", "new")
    assert now.ids == ("c1", "c3") and now.members("c3") == ("a",)
    now = move(move(now, "a", None), "a", "new")
    assert now.ids == ("c1", "c4")
    with pytest.raises(DataError, match="c1, c4"):
        move(now, "b", "c2")


def test_merging_keeps_the_id_and_name_it_goes_into():
    now = merge(rename(rename(start(), "c1", "One"), "c2", "Two"), "c1", "c2")
    assert now.ids == ("c2",) and now.names == ("Two",) and now.members("c2") == UNITS[:5]
    with pytest.raises(DataError):
        merge(now, "c2", "c2")


def test_merging_drops_no_name_that_somebody_typed():
    now = merge(rename(start(), "c1", "One"), "c1", "c2")
    assert now.ids == ("c2",) and now.names == ("One",)
    assert merge(start(), "c1", "c2").names == ("c2",), "an id is no name"


@pytest.mark.parametrize(
    "name", ["Räumliches Denken", "空间推理", "قراءة", "👁️ seeing", "<b>x</b>", "![p](http://x/p.png)", "x" * 80]
)
def test_any_writing_is_a_name_and_survives_json(name):
    now = rename(start(), "c1", f"  {name}\t")
    assert now.name_of("c1") == name
    assert json.loads(json.dumps(now.describe()))[0]["name"] == name


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "two\nlines", "nul\0", "\ud800", "c2", "C2", None, 7])
def test_names_that_cannot_be_told_or_written_are_refused(name):
    with pytest.raises(DataError):
        rename(start(), "c1", name)


def test_two_capabilities_never_share_a_name():
    now = rename(start(), "c1", "Zählen")
    with pytest.raises(DataError, match="already called"):
        rename(now, "c2", "ZA\u0308HLEN")  # the same word, decomposed and in capitals
    assert rename(now, "c1", "zählen").name_of("c1") == "zählen"  # its own name may change case


texts = st.one_of(
    st.sampled_from(["c1", "c2", "c3", "new", "a", "f", "zz"]), st.none(), st.integers(-1, 7), st.text(max_size=3)
)
events = st.lists(
    st.builds(
        Event,
        st.sampled_from(["rename", "move", "merge", "discover", "curate", "other"]),
        st.one_of(
            st.none(),
            st.dictionaries(st.sampled_from(["capability", "name", "unit", "to", "from", "into"]), texts, max_size=4),
        ),
    ),
    max_size=15,
)


@settings(max_examples=200, deadline=None)
@given(events=events)
def test_replay_is_total_and_keeps_every_unit(events):
    now = replay(start(), events)
    assert len(now.of_unit) == 6 and len(now.ids) == len(now.names) == len(set(now.ids)) == len(set(now.names))
    assert set(now.of_unit) - {-1} == set(range(now.k))  # no empty capability
    assert all(int(c[1:]) <= now.issued for c in now.ids)
    assert replay(start(), events) == now


def test_replay_reports_what_no_longer_applies():
    now = replay(
        start(),
        [
            Event("rename", {"capability": "c2", "name": "Two"}),
            Event("merge", {"from": "c1", "into": "c9"}),
            Event("move", {"unit": "a"}),
            Event("move", {"unit": "f", "to": "c2"}),
        ],
    )
    assert now.name_of("c2") == "Two" and now.members("c2") == ("d", "e", "f")
    assert len(now.skipped) == 2 and "c9" in now.skipped[0] and "'to' is missing" in now.skipped[1]


def test_typed_names_go_on_where_a_capability_is_mostly_the_same():
    before = rename(rename(start((0, 0, 0, 1, 1, 1)), "c1", "Reading"), "c2", "Counting")
    after = inherit_names(before, start((1, 0, 0, 0, 0, 1)))
    assert after.names == ("c1", "c2")  # {b, c, d, e} shares 2 of 5 with Reading, 2 of 5 with Counting
    after = inherit_names(before, start((1, 1, 0, 0, 0, 0)))
    assert after.names == ("Counting", "Reading")


def test_labels_of_another_target_are_refused():
    with pytest.raises(DataError):
        found(Partition(labels=np.array([0, 0]), modularity=0.0, method="leiden"), UNITS)


def test_capabilities_survive_json():
    now = replay(start(), [Event("rename", {"capability": "c1", "name": "قراءة"}),
                           Event("move", {"unit": "z", "to": "c1"})])
    assert now.skipped and Capabilities.from_dict(json.loads(json.dumps(now.to_dict()))) == now
