"""docs/method.md and the code point at each other, and neither points into the void."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
SECTIONS = {int(number): text for number, text in
            re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)}
NAME = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*:[A-Za-z_.]+)`")
EXPORTED = {"TRAINING.md"}
"""Pages that exports of the first version had: a new export into their folder takes them away."""
CITED = re.compile(r"METHOD((?:,? §\d+(?:\.\d+)?)+)")


def _resolve(name: str) -> tuple[ModuleType, list[object]]:
    """The module and the chain of objects (class, method) that `room.module:name` means. Raises LookupError.

    What starts with `benchmarks.` lies there, everything else in `cadc`.
    """
    place, _, attributes = name.partition(":")
    place = place if place.startswith("benchmarks.") else f"cadc.{place}"
    try:
        module = importlib.import_module(place)
    except ImportError as error:
        raise LookupError(f"{place} cannot be imported ({error})") from error
    chain: list[object] = [module]
    for part in attributes.split("."):
        if not hasattr(chain[-1], part):
            raise LookupError(f"{place} has no {attributes}")
        chain.append(getattr(chain[-1], part))
    if inspect.getmodule(chain[1]) not in (module, None):
        raise LookupError(f"{place} only imports it from {inspect.getmodule(chain[1]).__name__}")
    return module, chain


def _cited(text: str) -> set[int]:
    """Numbers n of all "METHOD §n" in a text, also in "METHOD §3, §5" and across a line break."""
    return {int(n) for cite in CITED.findall(" ".join(text.split())) for n in re.findall(r"§(\d+)", cite)}


def _sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def test_sections_are_numbered_as_docstrings_cite_them():
    assert list(SECTIONS) == [0, 1, 2, 3, 4, 5, 6] and len(NAME.findall(PAGE)) > 60


def test_every_function_that_the_page_names_exists():
    missing = []
    for name in dict.fromkeys(NAME.findall(PAGE)):
        try:
            _resolve(name)
        except LookupError as error:
            missing.append(f"docs/method.md names `{name}`, but {error}")
    assert not missing, "\n".join(missing)


def test_every_function_that_the_page_names_cites_its_section():
    """In its own docstring, its class's or its module's."""
    silent = []
    for section, text in SECTIONS.items():
        for name in dict.fromkeys(NAME.findall(text)):
            try:
                _, chain = _resolve(name)
            except LookupError:
                continue  # the test above says so
            cited = set().union(*(_cited(inspect.getdoc(part) or "") for part in chain))
            if section not in cited:
                silent.append(f"`{name}` stands in section {section} of docs/method.md and cites {sorted(cited)}")
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("room", ["cadc", "pages", "benchmarks", "tests"])
def test_every_section_that_is_cited_exists(room):
    wrong = [f"{path.relative_to(ROOT)}: METHOD §{n}" for path in _sources(room)
             for n in sorted(_cited(path.read_text(encoding="utf-8")) - set(SECTIONS))]
    assert not wrong, "\n".join(wrong)


def test_no_docstring_sends_anybody_to_a_page_that_is_not_here():
    wrong = []
    for path in _sources("cadc", "pages", "benchmarks"):
        text, here = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        wrong += [f"{here}: {name}" for name in sorted(set(re.findall(r"\b[A-Z]{2,}\.md\b", text)) - EXPORTED)
                  if not any((ROOT / folder / name).exists() for folder in ("", "docs", "benchmarks"))]
        wrong += [f"{here}: {name}" for name in re.findall(r"\bdocs/[\w/-]+\.md\b", text) if not (ROOT / name).exists()]
        wrong += [f"{here}: docs/decisions/{n}" for n in re.findall(r"decisions?[ /](\d{4})", text)
                  if not list((ROOT / "docs/decisions").glob(f"{n}-*.md"))]
    assert not wrong, "\n".join(wrong)
