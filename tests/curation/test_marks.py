"""What is said of rows, replayed: against plain sets, and with decisions that cannot be read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.arrays import numbers_of, spans
from cadc.curation.marks import check_payload, marks_of, note_payload, tag_payload, view_payload
from cadc.errors import DataError

ROWS = st.sets(st.integers(0, 60), max_size=20)


@dataclass(frozen=True)
class Said:
    kind: str
    payload: dict[str, Any]


@given(ROWS)
def test_spans_come_back(rows):
    text = spans(rows)
    assert numbers_of(text).tolist() == sorted(rows)
    assert spans(np.array(sorted(rows), np.int64)) == text
    assert all(len(part.split("-")) <= 2 for part in text.split(","))


@pytest.mark.parametrize("text", ["a", "3-", "-3", "5-3", "1-2-3", "1,,2", "1.5", "0-99999999999", "9" * 30])
def test_what_is_no_set_of_rows_is_refused(text):
    with pytest.raises(DataError):
        numbers_of(text)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "check"]), ROWS.filter(bool), st.booleans()), max_size=12))
def test_replay_is_that_of_plain_sets(acts):
    expected: dict[str, set[int]] = {"a": set(), "b": set(), "check": set()}
    events = []
    for what, rows, on in acts:
        expected[what] = expected[what] | rows if on else expected[what] - rows
        payload = check_payload(rows, on=on) if what == "check" else tag_payload(what, rows, on=on)
        events.append(Said("check" if what == "check" else "tag", payload))
    found = marks_of(events)
    assert {tag: set(rows.tolist()) for tag, rows in found.tags.items()} == {
        tag: expected[tag] for tag in ("a", "b") if expected[tag]}
    assert set(found.checked.tolist()) == expected["check"] and not found.skipped
    for row in range(61):
        assert found.of(row) == tuple(tag for tag in found.tags if row in expected[tag])
        assert found.is_checked(row) == (row in expected["check"])


def test_notes_and_views_are_taken_away_by_nothing():
    events = [Said("note", note_payload(3, " odd ")), Said("note", note_payload(4, "x")),
              Said("note", note_payload(4, "")), Said("view", view_payload("mine", {"status": "wrong"})),
              Said("view", view_payload("old", {"unit": "u"})), Said("view", view_payload("old", {})),
              Said("rename", {"capability": "c1", "name": "n"})]
    found = marks_of(events)
    assert dict(found.notes) == {3: "odd"} and dict(found.views) == {"mine": {"status": "wrong"}}


def test_a_decision_that_cannot_be_read_is_told_and_left_aside():
    found = marks_of([Said("tag", {"tag": "t", "rows": "x"}), Said("note", {"text": "no row"}), Said("view", {}),
                      Said("check", {"rows": "1-3"})])
    assert len(found.skipped) == 3 and found.checked.tolist() == [1, 2, 3] and not found.tags


@pytest.mark.parametrize("make", [lambda: tag_payload(" ", [1]), lambda: tag_payload("t" * 41, [1]),
                                  lambda: tag_payload("a\nb", [1]), lambda: tag_payload("t", []),
                                  lambda: check_payload([]), lambda: note_payload(1, "x" * 4001)])
def test_what_cannot_be_said(make):
    with pytest.raises(DataError):
        make()
