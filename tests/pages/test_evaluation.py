"""The Evaluation page: before anything was compared, and with a comparison that is half done."""


def test_it_opens_before_anything_was_compared(study, open_page):
    page = open_page("6_evaluation", study="trial")
    assert not page.error and any("Nothing was compared yet" in i.value for i in page.info)
