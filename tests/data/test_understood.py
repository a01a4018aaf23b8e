"""What rows of public datasets say beside plain turns: it is read, or it is named."""

import json

import pytest

from cadc.data import Turn
from cadc.data.rawrow import Embedded, RawRow
from cadc.data.reasons import SetAside
from cadc.data.rows import Draft, Reading, read_row
from tests.data.conftest import llava


def read(row: dict, **how) -> Draft:
    return read_row(RawRow(0, row, json.dumps(row)), Reading(**how))


def said(draft: Draft) -> list[tuple[str, str]]:
    return [(turn.role, "".join(p if isinstance(p, str) else f"[{p}]" for p in turn.parts)) for turn in draft.turns]


def fates(draft: Draft, place: str = "column") -> dict[str, str]:
    return {name: fate for where, name, fate in draft.keys if where == place}


def chat(*turns: dict, **more) -> dict:
    return {"messages": list(turns)} | more


HI, HELLO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


# ---- system, roles, tools, thinking --------------------------------------------------------------------------------
@pytest.mark.parametrize("row", [
    llava("Hi", "Hello", None, system="Be brief."), {"instruction": "Hi", "output": "Hello", "system": "Be brief."},
    chat({"role": "developer", "content": "Be brief."}, HI, HELLO), chat(HI, HELLO, system_prompt="Be brief.")])
def test_a_system_prompt_is_the_first_turn_wherever_it_stands(row):
    assert said(read(row)) == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello")]


def test_a_system_column_beside_another_system_turn_loses_neither():
    row = chat({"role": "system", "content": "One."}, HI, HELLO, system="Two.")
    assert said(read(row))[0] == ("system", "Two.\n\nOne.") and "both are read" in read(row).warnings[0]
    same = chat({"role": "system", "content": "One."}, HI, HELLO, system="One.")
    assert said(read(same))[0] == ("system", "One.") and not read(same).warnings


@pytest.mark.parametrize("name, role", [("bot", "assistant"), ("Human", "user"), ("chatgpt", "assistant"),
                                        ("prompter", "user"), ("model", "assistant")])
def test_names_of_speakers(name, role):
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    turns[role == "assistant"]["from"] = name
    assert said(read({"conversations": turns})) == [("user", "a"), ("assistant", "b")]


def test_tools_their_calls_and_answers_are_part_of_the_text():
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": \"Rome\"}"}}
    draft = read(chat(HI, {"role": "assistant", "content": "", "tool_calls": [call, call]},
                      {"role": "tool", "content": "rain", "tool_call_id": "1"}, {"role": "tool", "content": "sun"},
                      {"role": "assistant", "content": "Both."}, tools=[{"name": "look"}]))
    told = said(draft)
    assert [role for role, _ in told] == ["system", "user", "assistant", "user", "assistant"]
    assert '<tools>\n{"name": "look"}\n</tools>' in told[0][1]
    one = '<tool_call>\n{"name": "look", "arguments": {"at": "Rome"}}\n</tool_call>'
    assert told[2][1] == f"{one}\n{one}"
    assert told[3][1] == "<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n</tool_response>"
    assert {w.split(":")[0] for w in draft.warnings} == {"tools", "tool call", "tool answer"}
    assert fates(draft) == {"messages": "read", "tools": "read"}
    assert fates(draft, "turn") == {"role": "read", "content": "read", "tool_calls": "read", "tool_call_id": "ignored"}


def test_calls_in_turns_of_their_own():
    draft = read({"conversations": [{"from": "human", "value": "Hi"},
                                    {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
                                    {"from": "observation", "value": "3"}, {"from": "gpt", "value": "Three"}]})
    assert said(draft)[1] == ("assistant", '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>')
    assert said(draft)[2] == ("user", "<tool_response>\n3\n</tool_response>")


def test_thinking_is_part_of_the_answer():
    draft = read(chat(HI, HELLO | {"reasoning_content": "They greet."}))
    assert said(draft)[1] == ("assistant", "<think>\nThey greet.\n</think>\n\nHello")
    assert "reasoning_content" in draft.warnings[0] and fates(draft, "turn")["reasoning_content"] == "read"
    draft = read({"question": "Hi", "answer": "Hello", "reasoning_content": "They greet."})
    assert said(draft)[1][1].startswith("<think>\nThey greet.")


def test_a_second_thought_is_named():
    draft = read(chat(HI, HELLO | {"reasoning": "One.", "thinking": "Two."}))
    assert said(draft)[1][1].startswith("<think>\nOne.") and fates(draft, "turn")["thinking"] == "ignored"
    assert any("thinking" in warning and "reasoning" not in warning for warning in draft.warnings)


def test_one_picture_in_two_numbered_places_is_no_row():
    blocks = [{"type": "image", "index": 0}, {"type": "text", "text": "or"}, {"type": "image", "index": 0}]
    with pytest.raises(SetAside, match="a number stands twice"):
        read(chat({"role": "user", "content": blocks}, HELLO, images=["a.png", "b.jpg"]))


# ---- marks ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mark", [{"weight": 0}, {"loss": False}, {"train": False}, {"weight": 0.0}, {"training": 0}])
def test_a_turn_marked_as_not_learnt(mark):
    draft = read(chat(HI, HELLO | mark, {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Ciao"}))
    assert [turn.learnt for turn in draft.turns] == [True, False, True, True]
    assert "turn 2 is marked" in draft.warnings[0]


@pytest.mark.parametrize("mark", [{"weight": 1}, {"loss": True}, {"train": None}, {"weight": 1.0}])
def test_a_turn_marked_as_learnt_is_as_any_other(mark):
    draft = read(chat(HI, HELLO | mark))
    assert draft.turns == read(chat(HI, HELLO)).turns and not draft.warnings


@pytest.mark.parametrize("row, reason", [
    (chat(HI, HELLO | {"loss": "no"}), "mark is not understood: loss=no in turn 2"),
    (chat(HI, HELLO | {"weight": 0}), "no answer to learn from"),
    (chat(HI, {"role": "assistant", "content": "x"}, tools=3), "tools are not a list"),
    ({"instruction": "a", "output": "b", "history": ["c"]}, "history is not a list of"),
    (chat(HI, HELLO, system=3), "text is not a text: system"),
])
def test_what_is_not_understood_and_would_change_what_is_learnt(row, reason):
    with pytest.raises(SetAside, match=reason):
        read(row)


def test_marks_that_cannot_be_kept_are_named():
    assert "mark read as 1: weight=0.5" in read(chat(HI, HELLO | {"weight": 0.5})).warnings[0]
    assert "only answers are learnt" in read(chat(HI | {"loss": True}, HELLO)).warnings[0]
    assert not read(chat(HI | {"weight": 0}, HELLO)).warnings


def test_only_the_completion_of_a_prompt_is_learnt():
    draft = read({"prompt": [HI, HELLO, {"role": "user", "content": "<image>And?"}],
                  "completion": [{"role": "assistant", "content": "So"}], "images": ["a.png"]})
    assert draft.shape == "prompt-completion" and [t.learnt for t in draft.turns] == [True, False, True, True]
    assert draft.turns[2].parts == (0, "And?")
    assert said(read({"prompt": "Hi", "completion": "Hello"})) == [("user", "Hi"), ("assistant", "Hello")]


# ---- columns beside the question -----------------------------------------------------------------------------------
LISTED = "Which?\nA. red\nB. blue"


@pytest.mark.parametrize("more", [
    {"options": ["red", "blue"]}, {"options": ["A. red", "B. blue"]},
    {"choices": {"A": "red", "B": "blue"}}, {"options": '["red", "blue"]'},
    {"options": "['red', 'blue']"}, {"A": "red", "B": "blue"},
    {"choices": {"text": ["red", "blue"], "label": ["A", "B"]}},
    {"options": [{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}]}], ids=str)
def test_options_become_part_of_the_question(more):
    draft = read({"question": "Which?", "answer": "B"} | more)
    assert said(draft) == [("user", LISTED), ("assistant", "B")]
    assert set(fates(draft).values()) == {"read"}


def test_options_that_stand_in_the_question_are_not_said_twice():
    draft = read({"question": LISTED, "answer": "B", "options": ["red", "blue"]})
    assert said(draft)[0][1] == LISTED and fates(draft)["options"] == "kept"


def test_an_answer_by_number_is_the_letter_of_its_option():
    draft = read({"question": "Which?", "answer": 1, "choices": ["red", "blue"]})
    assert said(draft)[1][1] == "B" and "1 is B" in draft.warnings[0]
    assert said(read({"question": "How many?", "answer": 1, "choices": ["1", "2"]}))[1][1] == "1"


def test_context_hint_and_history():
    draft = read({"question": "Why?", "answer": "So", "hint": "Look left.", "context": "A street."})
    assert said(draft)[0][1] == "A street.\nLook left.\nWhy?"
    draft = read({"instruction": "Bye", "input": "now", "output": "Ciao", "history": [["Hi", "Hello"]]})
    assert said(draft) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye\nnow"), ("assistant", "Ciao")]
    assert said(read({"query": "Hi", "response": "Hello"})) == [("user", "Hi"), ("assistant", "Hello")]


def test_options_beside_a_conversation_that_does_not_say_them_are_named():
    assert "options stands beside" in read(llava("Which?", "B", None, options=["red", "blue"])).warnings[0]
    assert not read(llava("red or blue?", "B", None, options=["red", "blue"])).warnings


def test_exchanges_of_the_cauldron():
    row = {"images": ["a.png"], "texts": [{"user": "a", "assistant": "b", "source": "x"},
                                          {"user": "c", "assistant": "d"}]}
    draft = read(row)
    assert said(draft) == [("user", "[0]a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    assert draft.shape == "texts" and fates(draft, "turn")["source"] == "ignored"


# ---- pictures ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["image_file", "image_name", "file_name", "image_url", "img_path", "photo",
                                  "picture_path"])
def test_picture_columns_of_other_names(name):
    draft = read(llava("<image>What?", "red", None, **{name: "a.png"}))
    assert draft.pictures == ("a.png",) and fates(draft)[name] == "read"


def test_numbered_picture_columns_stand_in_the_order_of_their_numbers():
    row = llava("<image>" * 11, "x", None) | {f"image_{n}": f"{n}.png" for n in (10, 2, 1, 11, *range(3, 10))}
    assert read(row).pictures == tuple(f"{n}.png" for n in range(1, 12))


def test_a_main_picture_column_goes_before_an_address():
    draft = read(llava("<image>What?", "red", "a.png", image_url="http://x/a.png"))
    assert draft.pictures == ("a.png",) and fates(draft)["image_url"] == "kept"


def test_a_column_that_may_name_a_picture_is_named_when_the_row_has_none():
    draft = read(llava("What?", "red", None, depiction="x/a.JPG"))
    assert not draft.pictures and "column depiction may name a picture" in draft.warnings[0]
    assert not read(llava("What?", "red", None, file_name="notes.txt")).pictures


def test_pictures_named_in_the_text():
    draft = read(llava("Picture 1: <img>a.png</img>\nPicture 2: <img> b.jpg</img>?", "x", None))
    assert draft.pictures == ("a.png", "b.jpg") and said(draft)[0][1] == "Picture 1: [0]\nPicture 2: [1]?"


@pytest.mark.parametrize("text, shown, pictures", [
    ("<|image_1|>\nWhat?", "[0]\nWhat?", ["a"]), ("<ImageHere>What?", "[0]What?", ["a"]),
    ("<image_2> or <image_1>?", "[0] or [1]?", ["b", "a"]), ("<image 1>: <image 1>?", "[0]: <image 1>?", ["a"]),
    ("<|vision_start|><|image_pad|><|vision_end|>What?", "[0]What?", ["a"]), ("<Image>What?", "[0]What?", ["a"])])
def test_other_words_for_a_place(text, shown, pictures):
    draft = read(llava(text, "x", sorted(pictures)))
    assert said(draft)[0][1] == shown and list(draft.pictures) == pictures


def test_words_for_a_place_that_has_no_picture_are_named():
    assert "unknown picture mark stays in the text: <|image_1|>" in str(read(llava("<|image_1|>?", "x", None)).warnings)
    with pytest.raises(SetAside, match="2 tags like <image_1>, 1 pictures"):
        read(llava("<image_1> <image_2>", "x", "a.png"))


def test_a_block_with_text_and_picture_keeps_both():
    blocks = [{"type": "text", "text": "left", "image": "a.png"}, {"image": "b.jpg", "text": "right"}]
    draft = read(chat({"role": "user", "content": blocks}, HELLO))
    assert draft.turns[0].parts == ("left", 0, 1, "right") and draft.pictures == ("a.png", "b.jpg")


def test_a_picture_inside_the_row_is_taken_as_one():
    inside = Embedded("ingest/images/x.png", b"...")
    blocks = [{"type": "image_url", "image_url": {"url": inside}}]
    draft = read_row(RawRow(0, chat({"role": "user", "content": blocks}, HELLO)))
    assert draft.pictures == (inside,)


# ---- texts as they stand -------------------------------------------------------------------------------------------
TEXTS = ["Image 1: <image>\n\nImage 2: <image> ok", "  <image>  \n What?\n", "<image>\r\nx", "\t<image>"]


@pytest.mark.parametrize("text", TEXTS)
def test_white_space_around_pictures_is_kept(text):
    draft = read(llava(text, "  def f():\n    pass\n", ["a.png", "b.jpg"][:text.count("<image>")]))
    assert "".join("<image>" if isinstance(p, int) else p for p in draft.turns[0].parts) == text
    assert draft.turns[1] == Turn(role="assistant", parts=("  def f():\n    pass\n",))


def test_reading_of_earlier_versions_takes_it_off():
    draft = read(llava(TEXTS[0], " so ", ["a.png", "b.jpg"]), stripped=True)
    assert draft.turns[0].parts == ("Image 1:", 0, "Image 2:", 1, "ok") and draft.turns[1].parts == ("so",)


def test_control_tokens_are_named_and_broken_up_where_asked():
    row = llava("Hi <|im_end|>", "see [INST] </s>", None)
    assert "<|im_end|> in turn 1" in read(row).warnings[0] and said(read(row))[0][1] == "Hi <|im_end|>"
    draft = read(row, neutralise=True)
    assert said(draft) == [("user", "Hi < |im_end|>"), ("assistant", "see [ INST] < /s>")]
    assert "neutralised" in draft.warnings[0]


def test_nul_is_taken_out_with_a_warning():
    draft = read(llava("a\0b", "c", None))
    assert said(draft)[0][1] == "ab" and draft.warnings == ("NUL character taken out of the text",)


@pytest.mark.parametrize("word", ["<video>", "<audio>"])
def test_words_behind_which_trainers_look_for_a_film_or_a_sound(word):
    for row in (llava(f"What is {word}?", "x", None), llava("What?", f"a {word}", None)):
        with pytest.raises(SetAside, match=f"the text itself contains {word}"):
            read(row)


def test_an_empty_system_turn_is_not_dropped_in_silence():
    assert read(chat({"role": "system", "content": " "}, HI, HELLO)).warnings == ("empty system turn taken out",)


# ---- other columns -------------------------------------------------------------------------------------------------
def test_columns_that_nothing_reads_are_kept_as_they_came():
    row = llava(model="", license="cc-by", meta={"a": [1, None]}, source="vg")
    draft = read(row)
    assert json.loads(draft.kept) == {"model": "", "license": "cc-by", "meta": {"a": [1, None]}, "source": "vg"}
    assert fates(draft) == {"id": "read", "conversations": "read", "image": "read", "source": "read",
                            "model": "kept", "license": "kept", "meta": "kept"}


def test_what_cannot_be_kept_is_named():
    draft = read_row(RawRow(0, llava(blob=b"\x00", note="\ud800"), "{}"))
    assert json.loads(draft.kept) == {"note": "\ufffd"}
    assert {w.split(":")[0] for w in draft.warnings} >= {"column cannot be kept", "unpaired surrogate in a kept column"}


def test_a_second_conversation_is_named():
    draft = read(llava("Hi", "Hello", None, messages=[HI, HELLO]))
    assert "not read: messages" in draft.warnings[0] and fates(draft)["messages"] == "kept"
