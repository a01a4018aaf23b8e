"""Every page of the app has a page of the documentation with its picture."""

import re

import pytest
from PIL import Image

from cadc.views.way import EVERY
from tests.docs.pictures import LARGEST, ROOT, SIZE, picture_of

HEADINGS = ("**What it is for.**", "**What to do", "**What to look at", "**What to distrust**")


@pytest.mark.parametrize("place", EVERY.values(), ids=lambda place: place.name)
def test_every_page_is_described_and_pictured(place):
    page = ROOT / place.doc
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {place.name}\n") and [h for h in HEADINGS if h not in text] == []
    named = [(page.parent / link).resolve() for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)]
    assert named == [picture_of(place)], "its picture, with words for whom does not see it"
    with Image.open(picture_of(place)) as picture:
        assert picture.size == (SIZE["width"], SIZE["height"])
    assert picture_of(place).stat().st_size < LARGEST


def test_no_picture_or_page_is_of_a_page_that_is_gone():
    docs, pictures = ROOT / "docs" / "pages", ROOT / "docs" / "images" / "pages"
    assert {p.stem for p in docs.glob("*")} == {p.stem for p in pictures.glob("*")} == {
        place.name.lower() for place in EVERY.values()}
