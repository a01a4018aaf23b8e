"""What the browser is told of the map, and what can be done with a selection."""

import json

import numpy as np
import pandas as pd

from cadc.discovery import Capabilities, replay
from cadc.study.decisions import Decision
from cadc.views import capabilities as views
from cadc.views import shaping
from cadc.views.palette import UNASSIGNED, colour
from cadc.views.unit_map import ASKED, map_data

FOUND = Capabilities(ids=("c1", "c5"), names=("read", "c5"), of_unit=(0, 1, -1, 0, 1), units=tuple("abcde"), issued=5)


def table() -> pd.DataFrame:
    units = pd.DataFrame({"unit": list("abcde"), "answer_format": "letter", "samples": 9})
    return views.unit_table(units, np.eye(5), FOUND.of_unit, FOUND.ids, FOUND.names)


def told(**changed):
    usual = {"questions": {"a": "<b>Which\nletter?</b>", "b": "x" * 500}, "note": "drawn", "file": "map", "height": 300}
    return map_data(table(), np.arange(10.0).reshape(5, 2), ["e", "a"], **(usual | changed))


def test_every_unit_has_its_place_and_every_capability_its_centroid():
    found = told()
    assert [(p["x"], p["y"]) for p in found["points"]] == [(2.0 * m, 2.0 * m + 1) for m in range(5)]
    assert [(g["name"], g["x"], g["y"]) for g in found["groups"]] == [("read", 3.0, 4.0), ("c5", 5.0, 6.0)]
    assert [p["group"] for p in found["points"]] == [0, 1, -1, 0, 1] and found["chosen"] == [0, 4]
    assert found["points"][2]["colour"] == UNASSIGNED and found["groups"][1]["colour"] == colour("c5")


def test_what_is_said_of_a_unit_is_plain_text_on_short_lines():
    found = told()
    assert found["points"][0]["lines"][2] == "asks: <b>Which letter?</b>", "the browser puts it in as text"
    assert len(found["points"][1]["lines"][2]) == len("asks: ") + ASKED
    assert len(found["points"][2]["lines"]) == 2 and json.dumps(found)


def view(found: Capabilities = FOUND) -> views.CapabilitiesView:
    similar = np.eye(5)
    return views.CapabilitiesView(found=found, table=table(), similarity=similar, partition=None, discovery=None,
                                  signals=(), revision="0")


def after(kind: str, payloads: list) -> Capabilities:
    made = replay(FOUND, [Decision(seq=0, at="", scope="", kind=kind, payload=p) for p in payloads])
    assert not made.skipped
    return made


def test_a_part_is_split_off_and_a_whole_one_divided():
    assert after("move", shaping.splitting(view(), ["a", "b"])).members("c6") == ("a", "b")
    divided = after("move", shaping.splitting(view(), ["a", "d"]))
    assert (divided.members("c1"), divided.members("c6")) == (("a",), ("d",))
    assert shaping.splitting(view(), []) == []


def test_a_unit_that_is_a_capability_already_cannot_be_split_off():
    alone = Capabilities(ids=("c1",), names=("c1",), of_unit=(0, -1, -1, -1, -1), units=tuple("abcde"), issued=1)
    assert shaping.splitting(view(alone), ["a"]) == []


def test_merge_takes_all_that_are_touched_and_lock_turns_round_only_when_all_are_locked():
    assert after("merge", shaping.merging(FOUND, ["a", "b", "c"])).describe() == [
        {"id": "c1", "name": "read", "units": ["a", "b", "d", "e"]}]
    assert shaping.merging(FOUND, ["a", "d"]) == [] == shaping.merging(FOUND, ["c"])
    locked = after("lock", shaping.locking(FOUND, ["a"]))
    assert locked.locked == ("c1",)
    assert shaping.locking(locked, ["a", "b"]) == [{"capability": "c5", "on": True}]
    assert shaping.locking(locked, ["a"]) == [{"capability": "c1", "on": False}] and shaping.locking(FOUND, []) == []
