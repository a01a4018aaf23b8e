"""Shapes of rows: text as it came, other columns again, marks in each trainer's spelling, one line each."""

import json
from dataclasses import replace

import pytest
from curricula import samples, talk
from hypothesis import given
from hypothesis import strategies as st

from cadc.data import Sample, Turn
from cadc.errors import DataError
from cadc.export.shapes import WRITERS, hidden, line

BY_ID = {sample.id: sample for sample in samples()}


def said(row: dict) -> list[str]:
    """What the turns of a row say, picture blocks as tags."""
    turns = row.get("conversations") or row.get("messages") or [*row["prompt"], *row["completion"]]
    texts = [turn.get("value", turn.get("content")) for turn in turns]
    return ["".join(part.get("text", "<image>") for part in text) if isinstance(text, list) else text for text in texts]


@pytest.mark.parametrize("name", WRITERS)
def test_text_comes_out_as_it_came(name):
    for sample in samples():
        wanted = ["".join("<image>" if isinstance(part, int) else part for part in turn.parts) for turn in sample.turns]
        assert said(WRITERS[name](sample, sample.images)) == wanted


@pytest.mark.parametrize("name", WRITERS)
def test_other_columns_stand_at_the_top_again_and_write_nothing_over(name):
    sample = replace(BY_ID["one"], kept=json.dumps({"license": "mit", "id": "other", "meta": {"k": [1]}, "messages": 5,
                                                    "conversations": 5, "prompt": 5}))
    row = WRITERS[name](sample, sample.images)
    assert row["license"] == "mit" and row["meta"] == {"k": [1]} and row["id"] == "one"
    own = {key for key in ("conversations", "messages", "prompt") if row[key] != 5}
    assert len(own) == 1 and set(hidden(sample, row)) == own | {"id"}


@pytest.mark.parametrize("name, key, mark", [
    ("llava", "weight", 0), ("messages-tags", "loss", False), ("messages-blocks", "weight", 0),
    ("messages-blocks-paths", "train", False)])
def test_an_answer_not_learnt_from_is_marked_and_others_are_not(name, key, mark):
    row = WRITERS[name](BY_ID["unlearnt"], ["a", "b"])
    turns = row.get("conversations") or row["messages"]
    assert [turn.get(key) for turn in turns] == [None, mark, None, None]
    alike = WRITERS[name](BY_ID["unlearnt"], ["a", "b"], marked=True)
    turns = alike.get("conversations") or alike["messages"]
    assert [turn.get(key) for turn in turns] == [None, mark, None, not mark if key != "weight" else 1]
    assert key not in json.dumps(WRITERS[name](BY_ID["chat"], []))


def test_a_completion_begins_with_the_first_answer_that_is_learnt_from():
    row = WRITERS["prompt-completion"](BY_ID["unlearnt"], ["a", "b"])
    assert [turn["role"] for turn in row["prompt"]] == ["user", "assistant", "user"] and len(row["completion"]) == 1
    row = WRITERS["prompt-completion"](BY_ID["system"], ["a"])
    assert [len(row["prompt"]), len(row["completion"])] == [2, 3]
    later = Sample(index=0, id="", turns=talk("a", "b", "c", ("unlearnt", "d"), "e", "f"))
    row = WRITERS["prompt-completion"](later, [])
    assert [turn.get("weight") for turn in row["completion"]] == [None, None, 0, None, None]


def test_llava_has_a_path_a_list_or_nothing():
    assert WRITERS["llava"](BY_ID["one"], ["x"])["image"] == "x"
    assert WRITERS["llava"](BY_ID["two"], ["x", "y"])["image"] == ["x", "y"]
    assert "image" not in WRITERS["llava"](BY_ID["words"], [])


@pytest.mark.parametrize("name", WRITERS)
def test_a_tag_in_a_text_is_refused(name):
    turns = (Turn(role="user", parts=("see <image>",)), Turn(role="assistant", parts=("x",)))
    with pytest.raises(DataError, match="contains <image> itself"):
        WRITERS[name](Sample(index=0, id="", turns=turns), [])


@given(st.text().filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)))
def test_a_row_is_one_line_for_every_reader(text):
    one = line({"text": text})
    assert len(one.splitlines()) == 1 and json.loads(one) == {"text": text}
    assert line(one) == one
