"""The words of the pages: each is used where it is said to be, and none holds markup."""

import ast
import re
from pathlib import Path

import pytest

from cadc.errors import DataError
from cadc.views.glossary import TERMS, first, told
from cadc.views.way import PLACES

ROOT = Path(__file__).resolve().parents[2]
READS = ("pages", "cadc.views", "cadc.evaluation", "cadc.discovery", "cadc.curation", "cadc.study.config",
         "cadc.signals")
"""Modules whose texts a page shows."""


def module_file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists()), None)


def imported(path: Path) -> set[Path]:
    """Files of `READS` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        found |= {module_file(name) for name in names if name.startswith(READS)} - {None}
    return found


def texts(path: Path) -> str:
    """Everything between quotes in a page and in what it imports; but for the glossary and the way, which only list."""
    seen, waiting = set(), {path}
    while waiting:
        one = waiting.pop()
        seen.add(one)
        waiting |= {p for p in imported(one) if p.name not in ("glossary.py", "way.py")} - seen
    strings = [node.value for one in seen for node in ast.walk(ast.parse(one.read_text(encoding="utf-8")))
               if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(strings).lower()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {place.name: f"{place.name.lower()} {texts(ROOT / 'pages' / f'{place.file}.py')}"
            for place in PLACES.values()}


def test_every_word_is_used_on_a_page_that_lists_it(pages):
    spelled = {term: re.escape(term.lower()).replace("y", "(y|ies)").replace(r"\ ", "[ -]") for term in TERMS}
    unused = {f"{term} on {place.name}" for place in PLACES.values() for term in place.terms
              if not re.search(spelled[term], pages[place.name])}
    assert unused == set()
    assert set(TERMS) == {term for place in PLACES.values() for term in place.terms}, "a word that no page lists"


def test_the_check_above_sees_a_word_that_no_page_has(pages):
    assert not any("hyperbolic" in text for text in pages.values())


@pytest.mark.parametrize("term", TERMS.values(), ids=lambda term: term.name)
def test_a_word_is_one_or_two_plain_sentences_of_a_known_section(term):
    assert 1 <= len(re.findall(r"[.!?](?= |$)", term.about)) <= 4 and term.about.endswith(".")
    assert not re.search(r"[*`<>\[\]]|https?:", term.about), "markup"
    assert 0 <= term.section <= 6


def test_words_of_a_page_stand_first_and_none_is_lost():
    assert [t.name for t in first(("budget", "unit"))][:2] == ["budget", "unit"]
    assert sorted(t.name for t in first(("budget", "unit"))) == sorted(TERMS)
    assert told("unit", "arm").startswith("**unit**: ") and "\n\n**arm**: " in told("unit", "arm")
    with pytest.raises(DataError, match="unknown word"):
        told("nonsense")
