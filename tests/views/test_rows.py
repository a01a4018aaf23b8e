"""Rows as pages show them: every turn of a conversation."""

from cadc.data import Sample, read_samples
from cadc.data.sample import Turn
from cadc.views.rows import told_turns, with_turns


def said(*turns: Turn, images: int = 1) -> list[tuple[str, str]]:
    return told_turns(Sample(index=0, id="0", images=tuple(f"{n}.png" for n in range(images)), turns=turns))


def test_one_question_and_its_answer():
    assert said(Turn(role="user", parts=(0, "What is it?")), Turn(role="assistant", parts=("a die",))) == [
        ("question", "What is it?"), ("answer", "a die")]


def test_every_turn_is_told_in_order_and_what_teaches_nothing_is_marked():
    told = said(Turn(role="system", parts=("Be short.",)), Turn(role="user", parts=(0, "And this?", 1)),
                Turn(role="assistant", parts=("no",), learnt=False), Turn(role="user", parts=("Sure?",)),
                Turn(role="assistant", parts=("yes",)), images=2)
    assert told == [("system", "Be short."), ("question", "[picture 1]\nAnd this?\n[picture 2]"),
                    ("answer (not trained on)", "no"), ("question", "Sure?"), ("answer", "yes")]


def test_rows_of_a_table_get_the_turns_of_their_samples(finished):
    samples = read_samples(finished.samples_file("pool"))
    rows = [{"index": samples[place].index, "id": samples[place].id} for place in (7, 0, 3)]
    found = with_turns(finished, "pool", rows)
    assert [row["turns"] for row in found] == [told_turns(samples[place]) for place in (7, 0, 3)]
    assert with_turns(finished, "pool", []) == []
