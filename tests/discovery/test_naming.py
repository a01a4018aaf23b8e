"""Proposed names: what a capability's questions ask and others do not."""

from hypothesis import given
from hypothesis import strategies as st

from cadc.discovery.naming import propose


def test_words_that_others_have_too_name_nothing():
    said = propose({"c1": ["What colour is the die?", "Which colour has the die?"],
                    "c2": ["What is the sum of the dice?", "What sum do they make?"],
                    "c3": ["What is it?", "Which is it?"]},
                   {"c1": ["word", "word"], "c2": ["number", "number"], "c3": ["word", "letter"]})
    assert said["c1"].split(" · ")[1] == "word" and {*said["c1"].split(" · ")[0].split(", ")} <= {"colour", "die"}
    assert said["c2"].startswith("sum") and said["c2"].endswith(" · number") and said["c3"] == ""


def test_how_something_is_asked_names_although_its_words_are_everywhere():
    said = propose({"c1": ["How many are there?", "How many do you see?"], "c2": ["Where are they?", "Where is it?"]},
                   {"c1": ["number", "number"]})
    assert said == {"c1": "how many · number", "c2": "where"}


def test_options_and_how_to_answer_are_not_what_is_asked():
    with_options = [f"Which shape is it? A circle, B {other}, C star. Answer with a letter." for other in "xy"]
    said = propose({"c1": with_options, "c2": ["Read the label. Answer with a letter.", "Read it all."]}, {})
    assert said["c1"] == "shape" and "answer" not in said["c2"] and said["c2"].startswith("read")


def test_a_second_term_speaks_of_the_questions_that_the_first_leaves_out():
    said = propose({"c1": ["largest bar?"] * 5 + ["missing slice?"] * 4 + ["odd?"], "c2": ["a line?"]}, {})
    assert said["c1"] == "largest bar, missing slice"
    assert propose({"c1": ["largest bar?"] * 9 + ["odd?"], "c2": ["a line?"]}, {})["c1"] == "largest bar"


def test_a_capability_that_asks_what_others_ask_is_named_by_its_commonest_words():
    same = ["What number is it?"] * 3
    said = propose({"c1": same, "c2": same}, {"c1": ["word"] * 3, "c2": ["letter"] * 3})
    assert said == {"c1": "number · word", "c2": "number · letter"}


def test_a_form_that_is_in_the_name_already_is_not_said_twice():
    assert propose({"c1": ["Which number?"], "c2": ["Which colour?"]}, {"c1": ["number"]})["c1"] == "number"


def test_any_script_names():
    assert propose({"c1": ["骰子 点数"], "c2": ["形状 颜色"]}, {})["c1"] == "骰子 点数"


@given(st.dictionaries(st.sampled_from(["c1", "c2", "c3"]), st.lists(st.text(max_size=30), max_size=4), max_size=3))
def test_every_capability_has_an_answer_and_it_is_one_line(questions):
    said = propose(questions, {name: ["word"] for name in questions})
    assert said.keys() == questions.keys()
    assert all("\n" not in name and len(name.split(", ")) <= 2 for name in said.values())
