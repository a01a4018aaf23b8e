"""What an export says of itself: README.md, manifest, the lines of the command."""

import pytest
from curricula import pictures, written
from PIL import Image

from cadc.export.told import notes


@pytest.fixture
def root(tmp_path):
    folder = pictures(tmp_path / "pool")
    Image.new("RGBA", (40, 30), (1, 2, 3, 99)).save(folder / "b.png")
    return folder


def test_rows_as_they_came_leave_nothing_and_change_nothing(root, tmp_path):
    done = written(tmp_path / "out", root, "input")
    assert done.manifest["columns"]["left"] == {} and "tags" in done.manifest["columns"]["written"]
    assert done.manifest["pictures"]["turned_or_flattened"] == 0
    said = (tmp_path / "out" / "README.md").read_text()
    assert "1 of them are turned" in said and "They are left as they came" in said and "as PNG" not in said
    assert "marked in the pool's own way" in said and "knows one type a column" in said
    assert notes(done.manifest) == []


def test_ids_alone_say_that_columns_and_pictures_are_the_pool_s(root, tmp_path):
    done = written(tmp_path / "out", root, "ids")
    assert done.manifest["columns"]["written"] == [] and done.manifest["data"] == ["ids.jsonl"]
    said = (tmp_path / "out" / "README.md").read_text()
    assert "Pictures are those of the pool." in said and "* Left: `tags`: rows are named by their ids alone." in said
    assert "From the pool" not in said


def test_pictures_of_shards_lie_in_them(root, tmp_path):
    written(tmp_path / "out", root, "webdataset")
    said = (tmp_path / "out" / "README.md").read_text()
    assert "Pictures lie in the shards" in said and "`images/`" not in said


def test_a_column_that_only_the_json_list_has_is_told_so(root, tmp_path):
    done = written(tmp_path / "out", root, "llava")
    left = done.manifest["columns"]["left"]
    assert left["tags"].endswith("in others; the JSON list has it")
    assert notes(done.manifest) == [
        "left out, 2 rows: several pictures: LLaVA takes one a row",
        "changed for the trainer, 1 rows: the system turn stands at the head of the question",
        "column tags left: a list in some rows, text in others; the JSON list has it"]


def test_pictures_that_are_written_anew_are_told(root, tmp_path):
    done = written(tmp_path / "out", root, "trl")
    assert notes(done.manifest)[-1].startswith("written anew as the study saw them, 1 pictures")
