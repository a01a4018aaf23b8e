"""What becomes of one row."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.data import Turn, ingest
from cadc.data.rawrow import RawRow
from cadc.data.reasons import SetAside
from cadc.data.rows import Reading, read_row
from tests.data.conftest import llava


def turns(*said: tuple[str, str]) -> dict:
    return {"messages": [{"role": role, "content": content} for role, content in said]}


GOOD = [
    (llava(), ((0, "\nWhat?"), ("red",)), ["a.png"]),
    (llava("What is this?", "red", None), (("What is this?",), ("red",)), []),
    (llava("Is <image> left of <image>?", "no", ["a.png", "b.jpg"]), (("Is ", 0, " left of ", 1, "?"), ("no",)),
     ["a.png", "b.jpg"]),
    ({"messages": [{"role": "user", "content": "<image>Hm?"}, {"role": "assistant", "content": "so"}],
      "images": ["a.png"]}, ((0, "Hm?"), ("so",)), ["a.png"]),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Compare"}, {"type": "image"},
                                                {"type": "image", "path": "b.jpg"}, {"type": "text", "text": "now"},
                                                {"type": "text", "text": "please"}]},
                   {"role": "assistant", "content": [{"type": "text", "text": "equal"}]}], "images": ["a.png"]},
     (("Compare", 0, 1, "nowplease"), ("equal",)), ["a.png", "b.jpg"]),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:a.png"}}]},
                   {"role": "assistant", "content": "ok"}]}, ((0,), ("ok",)), ["a.png"]),
    ({"question": "How many?", "answer": 3, "image": {"path": "a.png"}}, ((0, "How many?"), ("3",)), ["a.png"]),
    ({"instruction": "Translate", "input": "Haus", "output": "house"}, (("Translate\nHaus",), ("house",)), []),
    (turns(("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "Bye")),
     (("Be brief.",), ("Hi",), ("Hello",), ("Bye",), ("Bye",)), []),
    (turns(("system", ""), ("user", "Hi"), ("assistant", "Hello")), (("Hi",), ("Hello",)), []),
    (llava("<image>", "a street"), ((0,), ("a street",)), ["a.png"]),
    (llava("Hi", "Hello", ""), (("Hi",), ("Hello",)), []),
    (llava(images=["a.png"]), ((0, "\nWhat?"), ("red",)), ["a.png"]),
    ({"question": "<image> <image>", "answer": "x", "image_1": "a.png", "image_2": "b.jpg", "image_3": None},
     ((0, " ", 1), ("x",)), ["a.png", "b.jpg"]),
    ({"conversations": json.dumps(llava()["conversations"]), "image": "a.png"}, ((0, "\nWhat?"), ("red",)), ["a.png"]),
    ({"messages": {"role": ["user", "assistant"], "content": ["Hi", "Hello"]}}, (("Hi",), ("Hello",)), []),
]


@pytest.mark.parametrize("row, parts, pictures", GOOD, ids=range(len(GOOD)))
def test_every_accepted_shape_becomes_the_same_turns(row, parts, pictures):
    draft = read_row(RawRow(0, row, json.dumps(row)))
    assert tuple(turn.parts for turn in draft.turns) == parts
    assert list(draft.pictures) == pictures


BAD = [
    (None, "row is not an object: it is null"),
    (7, "row is not an object: it is a number"),
    ([llava()], "row is not an object: it is a list"),
    ("text", "row is not an object: it is a text"),
    ({}, "no conversation"),
    ({"id": 3, "image": "a.png"}, "no conversation"),
    ({"question": "Why?"}, "no conversation"),
    ({"question": "Why?", "answer": ["a", "b"]}, "text is not a text: answer is a list"),
    ({"conversations": "hello"}, "conversations is not a list"),
    ({"conversations": []}, "no turns"),
    ({"conversations": ["hello"]}, "turn is not an object"),
    ({"conversations": [{"value": "hello"}]}, "unknown role"),
    ({"conversations": [{"from": "human"}]}, "text is not a text"),
    ({"conversations": [{"from": "human", "value": 5}]}, "text is not a text"),
    ({"conversations": [{"from": ["human"], "value": "x"}]}, "unknown role"),
    (turns(("narrator", "x"), ("assistant", "y")), "unknown role: narrator"),
    (turns(("user", "only")), "no assistant answer"),
    (turns(("assistant", "first"), ("user", "then")), "does not start with a user turn"),
    (turns(("system", "alone")), "does not start with a user turn"),
    (turns(("user", "a"), ("user", "b"), ("assistant", "c")), "turns do not alternate"),
    (turns(("user", "a"), ("assistant", "b"), ("user", "c")), "ends with a user turn"),
    (turns(("user", "a"), ("assistant", " \n ")), "empty answer"),
    (turns(("user", "a"), ("assistant", ""), ("user", "c"), ("assistant", "d")), "empty answer"),
    (turns(("user", "  "), ("assistant", "b")), "empty question and no picture"),
    (turns(("user", "a"), ("assistant", "\ud800")), "unpaired surrogate"),
    (llava("<image> <image>"), "picture tags and pictures do not match: 2 tags, 1 pictures"),
    (llava("What is a <video>?", image=None), "the text itself contains <video>"),
    (llava("<image> what", image=None), "picture tags and pictures do not match: 1 tags, 0 pictures"),
    (llava("what", "see <image>"), "the text itself contains <image>: in the text of the assistant"),
    (llava(image="https://example.org/a.png"), "remote picture: https://example.org/a.png"),
    (llava(image="s3://bucket/a.png"), "remote picture"),
    (llava(image="data:image/png;base64,AAAA"), "picture is written into the text"),
    (llava(image=17), "picture is not a path: it is a number"),
    (llava(image={"height": 3}), "picture is not a path: an object with height"),
    (llava(image="a\0.png"), "NUL character"),
    (llava(image=["a.png"] * 65), "picture tags and pictures do not match"),
    (llava("<image>" * 65, image=["a.png"] * 65), "too many pictures"),
    (llava(images=["b.jpg"]), "picture columns disagree: images, image"),
    ({"conversations": "[1, 2"}, "conversations is not a list"),
    ({"messages": {"role": ["user"], "content": []}}, "messages is not a list: it is an object"),
    (llava(video="clip.mp4"), "not supported: video"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}, {"role": "assistant", "content": "x"}]},
     "not supported: block of type video"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a <image> b"}, {"type": "image"}]},
                   {"role": "assistant", "content": "x"}], "image": "a.png"}, "the text itself contains <image>"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "image"}]},
                   {"role": "assistant", "content": "x"}], "images": ["a.png"]},
     "picture tags and pictures do not match"),
    ({"messages": [{"role": "user", "content": [3]}, {"role": "assistant", "content": "x"}]}, "block is not an object"),
]


@pytest.mark.parametrize("row, reason", BAD, ids=range(len(BAD)))
def test_a_bad_row_is_set_aside_with_its_reason(row, reason):
    with pytest.raises(SetAside, match="^" + reason.replace("(", r"\(")):
        read_row(RawRow(0, row, ""))


def test_a_picture_without_a_tag_is_put_first_with_a_warning():
    draft = read_row(RawRow(0, llava("What?")))
    assert draft.turns[0] == Turn(role="user", parts=(0, "What?"))
    assert draft.warnings == ("picture without a tag: 1 put first",)


def test_a_long_answer_is_a_warning_not_an_error():
    assert "very long answer" in read_row(RawRow(0, llava(answer="word " * 2000))).warnings[0]


@pytest.mark.parametrize("row, source", [
    (llava(source="vg"), "vg"), (llava(dataset="gqa"), "gqa"), (llava(image="coco/train2017/1.jpg"), "coco"),
    (llava(image="images/nlvr/1.jpg"), "nlvr"), (llava(image="a.png"), ""), (llava("Hi", image=None), ""),
    (llava(source=3, image="images/1.jpg"), "")])
def test_source_is_the_column_or_the_first_telling_folder(row, source):
    assert read_row(RawRow(0, row)).source == source


@pytest.mark.parametrize("value, unit", [("count", "count"), (7, "7"), (True, "True"), (" x ", "x")])
def test_unit_is_made_text(value, unit):
    assert read_row(RawRow(0, llava(task=value)), Reading(unit_column="task")).unit == unit


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, "\ud800"])
def test_a_row_without_a_usable_unit_is_set_aside(value):
    with pytest.raises(SetAside):
        read_row(RawRow(0, llava(task=value)), Reading(unit_column="task"))


KEYS = st.sampled_from(["id", "image", "images", "conversations", "messages", "from", "value", "role", "content", 
                        "type", "text", "path", "url", "question", "answer", "source", "task", "video", "x"])
WORDS = st.sampled_from(["human", "gpt", "user", "assistant", "system", "image", "text", "<image>", "a.png", "../a",
                         "/", "http://x/y", "file:", "\0", "", "yes"]) | st.text(string.printable, max_size=6)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20)
CHAT = st.fixed_dictionaries(
    {"conversations": st.lists(st.fixed_dictionaries({"from": WORDS | ANYTHING, "value": WORDS | ANYTHING}),
                               max_size=4)},
    optional={"image": WORDS | ANYTHING, "id": ANYTHING, "task": ANYTHING})


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ANYTHING | CHAT, min_size=1, max_size=8), lines=st.booleans())
def test_any_json_value_is_either_accepted_or_set_aside(tmp_path_factory, rows, lines):
    folder = tmp_path_factory.mktemp("any")
    path = folder / "pool"
    rows = [llava("Hi", "Hello", None, task="t"), *rows, llava("Hi", "Hello", None, task="t")]
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    for column in ("", "task"):
        found = ingest(path, folder, unit_column=column)
        indices = sorted([s.index for s in found.samples] + [r.index for r in found.set_aside])
        assert indices == list(range(len(rows))) and found.rows == len(rows)
        assert {0, len(rows) - 1} <= {s.index for s in found.samples}
        assert all(reason.reason and isinstance(reason.id, str) for reason in found.set_aside + found.warnings)
        assert [json.loads(raw) for raw in found.raw] == [rows[s.index] for s in found.samples]
        assert not any("\n" in raw for raw in found.raw)
