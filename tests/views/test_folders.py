"""Folders that a page may list: below the roots, wherever links lead."""

from pathlib import Path

import pytest

from cadc.errors import DataError
from cadc.views.folders import LISTED, VARIABLE, inside, look, roots


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An allowed root beside a folder that nobody may look into."""
    for name in ("allowed/data/shards", "secret/plans"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "secret" / "pool.json").write_text("[]")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "allowed"))
    return tmp_path / "allowed"


def test_data_and_folders_are_listed_and_the_rest_is_counted(place):
    for name in ("pool.JSONL", "pool.json.gz", "a.parquet", "notes.md", "picture.png", ".hidden.json"):
        (place / "data" / name).write_text("x")
    found = look(place / "data")
    assert (found.folders, found.files) == (("shards",), ("a.parquet", "pool.JSONL", "pool.json.gz"))
    assert found.others == 2 and found.above == (place, place / "data")
    assert found.note == "1 folder, 3 data files; 2 more are not listed"


@pytest.mark.parametrize("path", ["../secret", "../secret/plans", "..", "data/../../secret", "/"])
def test_nothing_outside_the_roots_is_told(place, path):
    with pytest.raises(DataError, match="may be looked into"):
        look(place / path)


def test_it_does_not_tell_whether_a_folder_outside_is_there(place):
    said = []
    for path in ("../secret", "../nothing"):
        with pytest.raises(DataError) as refused:
            look(place / path)
        said.append(str(refused.value).replace(path, "X"))
    assert said[0] == said[1]


def test_a_link_is_followed_inside_the_roots_only(place):
    (place / "out").symlink_to(place.parent / "secret")
    (place / "out.json").symlink_to(place.parent / "secret" / "pool.json")
    (place / "in").symlink_to(place / "data")
    (place / "round").symlink_to(place / "round")
    found = look(place)
    assert found.folders == ("data", "in") and found.files == () and found.others == 3
    assert look(place / "in").path == place / "data"
    with pytest.raises(DataError):
        look(place / "out")


def test_several_roots_the_innermost_counts_and_one_that_is_gone_does_not(place, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"{place}:{place / 'data'}:{place / 'gone'}:{place}")
    assert roots() == (place, place / "data")
    assert inside(place / "data" / "shards") == place / "data" and inside(place.parent) is None
    assert look(place / "data" / "shards").above == (place / "data", place / "data" / "shards")


def test_without_the_variable_the_roots_are_here_and_home(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert roots() == (tmp_path.resolve(),)


def test_a_folder_of_very_many_names_is_cut_and_says_so(place):
    for number in range(LISTED + 7):
        (place / "data" / f"{number}.json").touch()
    found = look(place / "data")
    assert len(found.files) == LISTED and found.others == 7


def test_a_name_that_no_text_can_be_is_not_listed(place):
    (place / "data" / "bad\udcff.json").touch()
    assert look(place / "data").files == () and look(place / "data").others == 1


def test_a_file_or_nothing_is_no_folder(place):
    (place / "pool.json").touch()
    for name in ("pool.json", "nowhere"):
        with pytest.raises(DataError, match="cannot be looked into"):
            look(place / name)
