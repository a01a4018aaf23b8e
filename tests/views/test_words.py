"""Names in lists of choices."""

from hypothesis import given
from hypothesis import strategies as st

from cadc.views.words import counted, told_apart, unbroken


@given(st.lists(st.sampled_from(["all", "“all”", "(no source)", "a", "b", ""]), max_size=8))
def test_no_two_options_have_one_name_and_the_first_keeps_its_own(names):
    found = told_apart([(None, "all"), *enumerate(names)])
    assert list(found) == [None, *range(len(names))]
    assert len(set(found.values())) == len(found) and found[None] == "all"
    assert all(found[n].strip("“”") == name.strip("“”") for n, name in enumerate(names))


def test_a_number_stands_with_what_it_counts():
    assert [counted(n, "export") for n in (0, 1, 1200)] == ["no exports", "1 export", "1,200 exports"]
    assert counted(2, "act", "in force") == "2 acts in force"


def test_a_number_stays_with_its_unit():
    assert unbroken("1 min 09 s").split(" ") == ["1\xa0min\xa009\xa0s"]
