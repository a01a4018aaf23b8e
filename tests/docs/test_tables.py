"""Tables in the documentation are what the code registers now."""

from dataclasses import dataclass

import pytest

from cadc.study import StudyConfig
from cadc.study.meanings import meanings
from cadc.study.registry import Registry
from tests.docs.tables import BLOCK, TABLES, entries, pages, renewed, table


@dataclass(frozen=True)
class Toy:
    name: str
    about: str


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_tables_of_the_page_are_what_make_docs_writes(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- table:") == len(BLOCK.findall(text)), "a block has no <!-- end -->"
    assert renewed(text) == text, "out of date: run `make docs`"


def test_every_table_stands_on_one_page():
    named = [found["name"] for page in pages() for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(named) == sorted(TABLES)


def test_every_setting_says_what_it_means():
    assert [key for key, text in meanings(StudyConfig).items() if not text] == []
    assert list(meanings(StudyConfig)) == list(StudyConfig.__dataclass_fields__)


def test_a_registry_is_a_table_and_a_plugin_a_line_more():
    toys = Registry("toy", [Toy("a", "the first")])
    before = entries(toys, "toy")
    toys.add(Toy("b", "this | <that> or `<this>`"))
    assert entries(toys, "toy") == before + "| `b` | this \\| &lt;that> or `<this>` |\n"


def test_a_block_is_replaced_and_the_text_around_it_stays():
    text = "before\n<!-- table: devices -->\nold\n<!-- end -->\nafter <!-- end -->\n"
    new = renewed(text)
    assert new == f"before\n<!-- table: devices -->\n{TABLES['devices']()}<!-- end -->\nafter <!-- end -->\n"
    assert renewed(new) == new
    with pytest.raises(KeyError):
        renewed(text.replace("devices", "nobody"))


def test_a_table_has_a_cell_for_every_head():
    assert table(("x", "y"), [(1, 2)]) == "| x | y |\n| --- | --- |\n| 1 | 2 |\n"
