"""The Curriculum page on a finished study: the draft, the decision it becomes, and the files."""


def test_it_opens_full(study, open_page):
    page = open_page("5_curriculum", study="trial")
    assert not page.error
