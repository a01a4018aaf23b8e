"""What an export does to the folder that it is written into, and what it leaves alone."""

import json

import pytest
from exports import everything, ordered, written

from cadc.data import ingest
from cadc.errors import DataError
from cadc.export.clearing import FIRST_LAYOUT


def test_an_earlier_export_is_replaced_and_foreign_files_are_not(found, root, tmp_path):
    out = tmp_path / "out"
    written(found, root, out, "llava")
    (out / "notes.txt").write_text("mine")
    (out / "images" / "mine.png").write_text("mine")
    written(found, root, out, "ids", ordered(found, stages=1))
    alone = {"ids.csv", "ids.jsonl", "manifest.json", "README.md"}
    assert set(everything(out)) == {*alone, "notes.txt", "images/mine.png"}
    (out / "images" / "mine.png").unlink()
    written(found, root, out, "trl")
    written(found, root, out, "ids")
    assert set(everything(out)) == {*alone, "notes.txt"}
    for name in FIRST_LAYOUT:
        (out / name).write_text("of the first version")
    (out / "manifest.json").write_text('{"export": 1, "stage_files": [], "files": []}')
    written(found, root, out, "hub")
    assert not any((out / name).exists() for name in FIRST_LAYOUT)
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "someone else"}')
    with pytest.raises(DataError, match="not of an export"):
        written(found, root, other, "llava")


def test_a_foreign_file_in_the_way_is_never_written_over(found, root, tmp_path):
    for name in ("README.md", "train.py", "images/a.png", "curriculum.jsonl", "stage-02.jsonl"):
        out = tmp_path / name.replace("/", "-")
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text("somebody else's")
        with pytest.raises(DataError, match="is there already and not of an export"):
            written(found, root, out, "trl")
        assert (out / name).read_text() == "somebody else's" and not (out / "manifest.json").exists()


@pytest.mark.parametrize("form, name", [("hub", "stage-01.parquet"), ("ids", "ids.csv"), ("webdataset", "index.jsonl"),
                                        ("webdataset", "curriculum-000000.tar"), ("llava", "curriculum.json")])
def test_rows_are_never_written_over_somebody_else_s_file_but_over_our_own(found, root, tmp_path, form, name):
    out = tmp_path / "out"
    written(found, root, out, form)
    (out / "manifest.json").unlink()  # as an export that was interrupted leaves it
    written(found, root, out, form)
    (out / "manifest.json").unlink()
    (out / name).write_text("somebody else's")
    with pytest.raises(DataError, match=f"{name} is there already and not of an export"):
        written(found, root, out, form)
    assert (out / name).read_text() == "somebody else's"


def test_a_manifest_from_elsewhere_takes_nothing_away_outside_the_folder(found, root, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "kept.txt").write_text("kept")
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    names = ["../kept.txt", str(tmp_path / "kept.txt"), "link/kept.txt"]
    (tmp_path / "out" / "manifest.json").write_text(
        json.dumps({"export": 2, "stage_files": [], "files": [{"file": name} for name in names]}))
    written(found, root, tmp_path / "out", "trl")
    assert (tmp_path / "kept.txt").read_text() == "kept"


def test_a_pool_is_not_exported_onto_itself(found, root, tmp_path):
    first = tmp_path / "first"
    written(found, root, first, "trl")
    before = everything(first)
    moved = ingest(tmp_path / "in.json", first / "images")
    with pytest.raises(DataError, match="Choose another folder"):
        written(moved, first / "images", first, "trl")
    assert everything(first) == before


def test_pictures_are_copied_or_linked_and_nothing_else_is_needed(found, root, tmp_path):
    written(found, root, tmp_path / "copy", "trl", how="copy")
    written(found, root, tmp_path / "link", "trl", how="link")
    for how, same in (("copy", False), ("link", True)):
        picture = tmp_path / how / "images" / "a.png"
        assert picture.read_bytes() == (root / "a.png").read_bytes() and not picture.is_symlink()
        assert picture.samefile(root / "a.png") == same
    assert set(everything(tmp_path / "copy")) == set(everything(tmp_path / "link"))
    assert (tmp_path / "copy" / "run.sh").stat().st_mode & 0o111


@pytest.mark.parametrize("form, how, said", [("axolotl", "parquet", "Choose copy or link or absolute"),
                                             ("llava", "parquet", "cannot read pictures by `parquet`"),
                                             ("webdataset", "link", "Choose copy"),
                                             ("hub", "absolute", "Choose"),
                                             ("ids", "copy", "name no pictures")])
def test_a_way_that_a_trainer_cannot_read_is_refused_with_what_it_can(found, root, tmp_path, form, how, said):
    with pytest.raises(DataError, match=said):
        written(found, root, tmp_path / "out", form, how=how)
    assert not (tmp_path / "out").exists()
