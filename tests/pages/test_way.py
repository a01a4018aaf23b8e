"""The frame of every page: what it is for, the state of the study, steps, words, and where it goes on."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cadc.views.glossary import TERMS
from cadc.views.way import PLACES

ROOT = Path(__file__).resolve().parents[2]


def captions(page) -> list[str]:
    return [c.value for c in page.caption]


def links(page) -> dict[str, str]:
    """Label → what is in the address behind the page, of every link to a page."""
    return {one.proto.label: one.proto.query_string for one in page.get("page_link")}


@pytest.mark.parametrize("place", PLACES.values(), ids=lambda place: place.name)
def test_every_page_says_its_name_what_to_do_and_how_the_study_stands(study, open_page, place):
    page = open_page(place.file, study="trial")
    assert [t.value for t in page.title] == [place.name]
    assert place.asks in captions(page) and any(c.startswith("300 pool rows, ") for c in captions(page))
    assert all(f"**{term}**: {TERMS[term].about}" in page.title[0].help for term in place.terms)
    assert f"Help: {place.doc}" in [c.value for c in page.sidebar.caption]
    words = [m.value for m in page.sidebar.markdown]
    assert all(any(text.startswith(f"**{term}**") for text in words) for term in TERMS)


def test_the_app_links_every_step_and_keeps_the_study(study):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    app.query_params["study"] = "trial"
    app.run()
    assert not app.exception
    numbered = {f"{n} {name}": "study=trial" for n, name in enumerate(PLACES, 1)}
    found = links(app)
    assert numbered.items() <= found.items() and found["Next: 2 Trajectories"] == "study=trial"
    said = " ".join(c.value for c in app.sidebar.caption)
    assert "300 + 48 rows read" in said and "next: look at them, name them" in said


def test_without_a_study_the_app_leads_to_making_one(empty_cache, open_page):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180).run()
    assert not app.exception and "There is no study yet." in captions(app)
    assert any(c.value.endswith("next: make a study") for c in app.sidebar.caption)
    assert "Next: 2 Trajectories" not in links(app)
    assert "Make a study" in [t.value for t in open_page("4_influence").text]


def test_what_a_person_decides_is_a_step_that_is_done(study, open_page):
    page = open_page("3_capabilities", study="trial")
    next(t for t in page.text_input if t.label.startswith("Name of c1")).set_value("counting").run()
    assert not page.exception
    assert any("1 act in force" in c.value for c in page.sidebar.caption)
    assert any("1 act on capabilities" in c.value for c in page.caption)
    assert not any("counting" in c.value for c in [*page.caption, *page.sidebar.caption]), "a name is no markup"
