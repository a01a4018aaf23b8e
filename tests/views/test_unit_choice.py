"""An address means the same units wherever it is opened, and says what it does not mean."""

import pytest

from cadc.discovery import Capabilities
from cadc.views.unit_choice import LONGEST, TOLD, from_query, paired, to_query


def capabilities(units: list[str]) -> Capabilities:
    """Even units in c1, odd ones in c2."""
    return Capabilities(ids=("c1", "c2"), names=("c1", "read"), of_unit=tuple(m % 2 for m in range(len(units))),
                        units=tuple(units), issued=2)


FEW = ["a, b", "a", "数 & =1", "c#%"]
MANY = [f"unit number {m} of a long list" for m in range(162)]


def as_asked(query) -> dict[str, list[str]]:
    return {key: [value] if isinstance(value, str) else value for key, value in query.items()}


@pytest.mark.parametrize("chosen", [[], ["a"], ["c#%", "a, b"], FEW])
def test_names_go_out_and_come_back_in_the_order_they_were_picked(chosen):
    query = to_query(chosen, FEW)
    assert query == ({"units": chosen} if chosen else {})
    assert from_query(as_asked(query), capabilities(FEW)) == (tuple(chosen), ())


def test_too_many_names_become_places_that_come_back_as_the_same_units():
    chosen = MANY[3:140]
    query = to_query(chosen, MANY)
    assert set(query) == {"numbered"} and len(query["numbered"]) < LONGEST
    assert from_query(as_asked(query), capabilities(MANY)) == (tuple(chosen), ())


def test_places_of_another_list_of_units_are_told_and_choose_nothing():
    query = as_asked(to_query(MANY[3:140], MANY))
    chosen, odd = from_query(query, capabilities(MANY[::-1]))
    assert chosen == () and len(odd) == 1 and "other units" in odd[0]


@pytest.mark.parametrize("numbers", ["0-99999999999", "162", "x", "3-1", "-1", "1" * 40])
def test_places_that_are_none_are_told_and_fill_no_memory(numbers):
    mark = to_query(MANY, MANY)["numbered"].split(":")[0]
    chosen, odd = from_query({"numbered": [f"{mark}:{numbers}"]}, capabilities(MANY))
    assert chosen == () and len(odd) == 1 and len(odd[0]) < 300


def test_unknown_names_are_told_a_few_one_by_one_and_the_known_stay():
    chosen, odd = from_query({"units": ["a", *(f"none {n}" for n in range(9)), "a"]}, capabilities(FEW))
    assert chosen == ("a",)
    assert [text.startswith("No unit is called") for text in odd] == [True] * TOLD + [False]
    assert odd[-1] == f"And {9 - TOLD} more units that are not here."
    assert len(from_query({"units": ["x" * 5000]}, capabilities(FEW))[1][0]) < 100


def test_a_capability_stands_for_its_units():
    assert from_query({"capability": ["c2"]}, capabilities(FEW)) == (("a", "c#%"), ())
    assert from_query({"capability": ["c9"], "study": ["demo"]}, capabilities(FEW)) == (
        (), ("No capability is called 'c9' here.",))


def test_a_cell_picks_two_units_one_on_the_diagonal_and_lets_go_of_what_it_picked():
    assert paired(0, 2, ["a"], FEW) == ["a, b", "数 & =1"]
    assert paired(2, 0, ["a, b", "数 & =1"], FEW) == []
    assert paired(1, 1, [], FEW) == ["a"] and paired(1, 1, ["a"], FEW) == []
