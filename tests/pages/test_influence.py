"""The Influence page on a finished study: what is chosen decides which rows are shown."""

import pytest


def texts(page):
    return [t.value for t in page.text]


def test_it_opens_full_and_counts_every_row(study, open_page):
    page = open_page("4_influence", study="trial")
    assert not page.error
    assert any("all sources → all capabilities: " in t for t in texts(page))
