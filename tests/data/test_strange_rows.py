"""Rows as other tools write them: what a careful reader would read is read, what else would change what is learnt is
named."""

import pytest

from cadc.data.rawrow import RawRow
from cadc.data.reasons import SetAside
from cadc.data.rows import Draft, read_row

SYSTEM = {"role": "system", "content": "Be brief."}
HI, HELLO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def read(row: dict[str, object]) -> Draft:
    return read_row(RawRow(0, row))


def said(row: dict[str, object]) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(turn.role, turn.parts) for turn in read(row).turns]


def chat(*turns: object, **more: object) -> dict[str, object]:
    return {"messages": list(turns) or [HI, HELLO], **more}


def user(content: object, **more: object) -> dict[str, object]:
    return {"role": "user", "content": content, **more}


def answer(content: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **more}


PLAIN = [("user", ("Hi",)), ("assistant", ("Hello",))]


@pytest.mark.parametrize("row", [
    {"conversation": [{"human": "Hi", "assistant": "Hello"}]},
    {"conversation": [{"input": "Hi", "output": "Hello"}]},
    {"conversations": [{"from": "human", "text": "Hi"}, {"from": "gpt", "text": "Hello"}]},
    {"conversations": "[{'from': 'human', 'value': 'Hi'}, {'from': 'gpt', 'value': 'Hello'}]"},
    {"conversations": [], "messages": [HI, HELLO]},
    {"messages": [], "question": "Hi", "answer": "Hello"},
    chat({"role": " User ", "content": "Hi"}, HELLO),
    chat(user({"type": "text", "text": "Hi"}), HELLO),
    chat(user([{"type": "text", "text": {"value": "Hi", "annotations": []}}]), HELLO),
    chat(user([{"type": "text", "content": "Hi"}]), answer([{"type": "text", "value": "Hello"}])),
    {"question": "Hi", "hint": "nan", "answer": "Hello"}, {"instruction": "", "input": "Hi", "output": "Hello"},
    {"question": "Hi", "options": "[]", "answer": "Hello"},
], ids=range(13))
def test_other_writings_of_one_exchange(row):
    assert said(row) == PLAIN and read(row).warnings == ()


@pytest.mark.parametrize("prompt, completion", [("Where?", "[12, 30, 44, 60]"), ("[1, 2, 3]", "6"),
                                                ("Find", '[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]')])
def test_a_prompt_or_completion_that_is_a_list_in_words_is_words(prompt, completion):
    assert said({"prompt": prompt, "completion": completion}) == [("user", (prompt,)), ("assistant", (completion,))]


@pytest.mark.parametrize("mark", [{"loss_mask": 0}, {"train": "false"}, {"weight": "0"}, {"loss_scale": 0},
                                  {"masked": True}, {"ignore": True}, {"calculate_loss": 0}])
def test_more_marks_of_answers_that_are_not_learnt(mark):
    draft = read(chat(HI, HELLO | mark, user("And?"), answer("So.")))
    assert [turn.learnt for turn in draft.turns] == [True, False, True, True]
    assert draft.warnings[0].startswith("turn that is not learnt")


def test_a_mask_beside_the_conversation_marks_its_turns():
    draft = read(chat(HI, HELLO, user("And?"), answer("So."), loss_mask=[0, 0, 0, 1]))
    assert [turn.learnt for turn in draft.turns] == [True, False, True, True] and not draft.kept


@pytest.mark.parametrize("row", [
    chat(HI, HELLO | {"mask": True}), chat(HI, HELLO | {"train_detail": [{"begin_offset": 0}]}),
    chat(HI, HELLO, loss_mask=[1]), chat(HI, HELLO, loss_mask="0,1")])
def test_a_mark_that_may_mean_either_is_not_guessed(row):
    with pytest.raises(SetAside, match="mark is not understood"):
        read(row)


@pytest.mark.parametrize("row, words", [
    ({"query": "Hi", "response": "Hello", "rejected_response": "Go"}, "column of preferences: rejected_response"),
    (chat(rejected=[HI, HELLO]), "column of preferences: rejected"),
    (chat(label=False), "may say what is learnt: label=false"),
    (chat(weight=0), "may say what is learnt: weight"),
    (chat(train_on_input=True), "may say what is learnt: train_on_input"),
    (chat(instruction="In French."), "column is not in the text: instruction"),
    (chat(systemPrompt="Be brief."), "column is not in the text: systemPrompt"),
    (chat(history=[["a", "b"]]), "column is not in the text: history"),
    ({"question": "Q", "answer": "a", "passage": "Long ago"}, "column is not in the text: passage"),
    ({"question": "Q", "answer": "a", "rationale": "Since"}, "column is not in the text: rationale"),
    ({"question": "Q", "answer": "a", "response": "b"}, "column is not in the text: response"),
    ({"instruction": "Q", "input": {"x": 1}, "output": "a"}, "column is not in the text: input"),
    (chat(user("<bbox>?"), HELLO, objects={"bbox": [[1, 2, 3, 4]]}), "column is not in the text: objects"),
    (chat(user("<image>?"), HELLO, image="x/a.png", depth="d/b.png"), "column may name another picture: depth"),
    (chat(HI, HELLO | {"prefix": True}), "key of a turn is not read: prefix"),
    (chat(HI, HELLO | {"reasoning_details": [{"text": "t"}]}), "key of a turn is not read: reasoning_details"),
    (chat(user([{"type": "image", "image": "a.png", "max_pixels": 9}]), HELLO), "key of a block is not read: max_pix"),
    (chat(user('[{"type": "text", "text": "Hi"}]'), HELLO), "text may be blocks written as text"),
    (chat(user("![plan](a.png) What?"), HELLO), "taken as text only: ![plan](a.png)"),
])
def test_what_would_teach_something_else_is_named(row, words):
    assert [note for note in read(row).warnings if words in note]


@pytest.mark.parametrize("row", [
    chat(instruction="Hi", model="x", id=3), chat(HI | {"name": "Ann", "refusal": None}, HELLO | {"tool_calls": []}),
    chat(user("<image>?"), HELLO, image="x/a.png", file="a.png", coco="http://x/b.png"),
    chat(label=True, objects={"bbox": []}, rejected=None), chat(label="cat")])
def test_what_teaches_nothing_else_is_not(row):
    assert read(row).warnings == ()


@pytest.mark.parametrize("more, reason", [
    ({"video_path": "x.mp4"}, "not supported: video_path"), ({"Audio": "x.wav"}, "not supported: Audio")])
def test_films_and_sounds_in_columns(more, reason):
    with pytest.raises(SetAside, match=reason):
        read(chat(**more))


@pytest.mark.parametrize("row, reason", [
    (chat(HI, answer("\u200b\ufeff")), "empty answer"),
    (chat(HI, HI, HELLO), "turns do not alternate: two turns of the user in a row"),
    (chat(SYSTEM, SYSTEM, HI, HELLO), "turns do not alternate: a system turn that is not the first"),
    (chat({"speaker": 1, "content": "a"}), "unknown role: turn 1 names no speaker, its keys are speaker, content"),
    (chat(HI, chosen=HELLO, rejected=HELLO), "no assistant answer: chosen and rejected are preferences"),
    ({"conversations": []}, "no turns"), ({"question": "Q", "answer": float("inf")}, "text is not a text"),
    ({"question": "Q", "choices": ["x", "y"], "answer": 2}, "answer is no option: 2 of 2"),
    (chat(images=[{"name": "a.png"}]), "picture is not a path: an object with name"),
    (chat(user("<|image|> <|image_1|>"), HELLO, images=["a.png", "b.png"]), "picture tags .* some tags have numbers"),
])
def test_reasons_say_what_is_wrong(row, reason):
    with pytest.raises(SetAside, match=f"^{reason}"):
        read(row)


@pytest.mark.parametrize("row", [
    chat(user("<image>Hi", image="a.png"), HELLO), chat(user("Hi", images=["a.png"]), HELLO),
    chat(user("<image>Hi"), HELLO, images='["a.png"]'), chat(user("<image>Hi"), HELLO, images="['a.png']"),
    chat(user("<image>Hi"), HELLO, images=[["a.png"]]), chat(user("<img></img>Hi"), HELLO, images=["a.png"]),
    chat(user("<image_00>Hi"), HELLO, image={"<image_00>": "a.png"}),
    chat(user("<|image_pad|>Hi"), HELLO, image="a.png"),
    chat(user([{"type": "image", "source": {"type": "url", "url": "a.png"}}, {"type": "text", "text": "Hi"}]), HELLO),
])
def test_a_picture_named_in_other_ways(row):
    assert said(row)[0] == ("user", (0, "Hi")) and read(row).pictures == ("a.png",)


def test_blocks_say_by_index_which_picture_they_show():
    shown = [{"type": "image", "index": 1}, {"type": "text", "text": "or"}, {"type": "image", "index": 0}]
    assert read(chat(user(shown), HELLO, images=["a.png", "b.png"])).pictures == ("b.png", "a.png")


def test_the_picture_of_a_turn_is_no_other_than_that_of_the_row():
    with pytest.raises(SetAside, match="do not match: 1 tags, 2 pictures"):
        read(chat(user("<image>Hi", image="b.png"), HELLO, image="a.png"))


@pytest.mark.parametrize("options", [{"option_a": "red", "option_b": "blue"}, {"opa": "red", "opb": "blue"},
                                     {"A": "red", "B": "blue", "C": "nan"}])
def test_options_in_columns_of_their_own(options):
    assert said({"question": "Which?", "answer": "B"} | options)[0] == ("user", ("Which?\nA. red\nB. blue",))


@pytest.mark.parametrize("number, letter", [(1, "B"), ("1", "B"), (1.0, "B")])
def test_an_answer_by_number_however_it_is_written(number, letter):
    assert said({"question": "Which?", "options": ["red", "blue"], "answer": number})[1] == ("assistant", (letter,))


@pytest.mark.parametrize("number", ["1", "42"])
def test_a_number_in_words_may_be_no_place_among_the_options(number):
    row = {"question": "How far?", "options": ["1 km", "2 km"], "answer": number}
    assert said(row)[1] == ("assistant", (number,)) and f"answer is none of the options: {number}" in read(row).warnings


def test_thinking_that_stands_in_the_answer_is_not_said_twice():
    assert said(chat(HI, answer("<think>So</think>Hello", reasoning_content="So")))[1][1] == ("<think>So</think>Hello",)


def test_what_a_tool_answers_may_be_an_object():
    call = answer(None, tool_calls=[{"function": {"name": "f", "arguments": {}}}])
    turns = said(chat(HI, call, {"role": "tool", "content": {"a": 1}}, HELLO))
    assert turns[2][1] == ('<tool_response>\n{"a": 1}\n</tool_response>',)


def test_functions_are_tools():
    assert '{"name": "f"}' in str(said(chat(functions=[{"name": "f"}]))[0])
