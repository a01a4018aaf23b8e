import pytest

from cadc.evaluation.answers import is_right, normalise


@pytest.mark.parametrize("answer, expected, kind, right", [
    ("Yes.", "yes", "yes/no", True),
    ("yes, it is", "Yes", "yes/no", True),
    ("no", "yes", "yes/no", False),
    ("(B)", "B", "letter", True),
    ("b. red", "B", "letter", True),
    ("Answer: C", "C", "letter", True),
    ("Blue", "B", "letter", False),
    ("A", "B", "letter", False),
    ("1,000", "1000", "number", True),
    ("3.0", "3", "number", True),
    ("three", "3", "number", False),
    ("3 or 4", "3", "number", False),
    (" Red\n", "red", "word", True),
    ("red", "green", "word", False),
    ("", "red", "word", False),
    ("red car", "red", "word", False),
])
def test_answers_are_read_by_their_format(answer, expected, kind, right):
    assert is_right(answer, expected, kind) is right


def test_normalise_folds_case_space_and_quotes():
    assert normalise("  “The  Answer” . ") == "the answer"
