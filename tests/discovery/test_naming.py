"""Proposed names: what tells a capability's questions from the others'."""

from hypothesis import given
from hypothesis import strategies as st

from cadc.discovery.naming import propose


def test_words_that_others_have_too_name_nothing():
    said = propose({"c1": ["What colour is the die?", "Which colour has the die?"],
                    "c2": ["What is the sum of the dice?", "What sum do they make?"],
                    "c3": ["What is it?", "Which is it?"]},
                   {"c1": ["word", "word"], "c2": ["number", "number"], "c3": ["word", "letter"]})
    assert {*said["c1"].removesuffix(" (word)").split(", ")} == {"colour", "die"}
    assert said["c2"].startswith("sum") and said["c2"].endswith("(number)") and "(" not in said["c3"]


def test_one_long_list_of_options_does_not_drown_what_is_asked():
    asked = ["Which shape has corners: " + "blob " * 50, "Which shape has corners", "What shape has no corners"]
    said = propose({"c1": asked, "c2": ["Count them"]}, {})
    assert {*said["c1"].split(", ")} == {"shape", "corners"}


def test_any_script_names():
    assert propose({"c1": ["骰子 点数"], "c2": ["形状 颜色"]}, {})["c1"] == "点数, 骰子"


@given(st.dictionaries(st.sampled_from(["c1", "c2", "c3"]), st.lists(st.text(max_size=30), max_size=4), max_size=3))
def test_every_capability_has_an_answer_and_it_is_one_line(questions):
    said = propose(questions, {name: ["word"] for name in questions})
    assert said.keys() == questions.keys()
    assert all("\n" not in name and len(name.split(", ")) <= 2 for name in said.values())
