"""A picture that is not where its row says: other writings of the name are used, anything else is named."""

import os
import unicodedata

import numpy as np
import pytest

from cadc.data import PictureLimits, Sample, Turn, ingest, open_images
from cadc.data import places as places_module
from cadc.data.inventory import Change, differences, renewed
from cadc.data.limits import USUAL
from cadc.data.places import Places
from cadc.data.reasons import SetAside
from cadc.errors import DataError
from tests.data.conftest import llava, picture

NFC, NFD = "caf\u00e9", "cafe\u0301"
LINKS = PictureLimits(follow_links=True)


def sample_of(*names: str) -> Sample:
    turns = (Turn(role="user", parts=(0,)), Turn(role="assistant", parts=("x",)))
    return Sample(index=4, id="s", images=names, turns=turns)


def reason(root, write, name: str, limits=USUAL) -> str:
    """Why a row with this picture is set aside."""
    found = ingest(write([llava(image=name), llava(question="q?", image=None)]), root, limits=limits)
    assert [s.index for s in found.samples] == [1]
    return found.set_aside[0].reason


@pytest.fixture
def written(root):
    """Folders and files whose names can be written in several ways."""
    (root / NFD).mkdir()
    picture(4).save(root / NFD / f"{NFC}.png")
    picture(5).save(root / "two words.jpg")
    return root


@pytest.mark.parametrize("name, used, kinds", [
    ("coco\\train\\c.png", "coco/train/c.png", {"picture path written with back slashes"}),
    (f"{NFC}/{NFC}.png", f"{NFD}/{NFC}.png", {"picture name in another Unicode form"}),
    (f"{NFD}/{NFD}.png", f"{NFD}/{NFC}.png", {"picture name in another Unicode form"}),
    ("two%20words.jpg", "two words.jpg", {"picture path written with percent signs"}),
    ("coco%5Ctrain%5Cc.png", "coco/train/c.png",
     {"picture path written with percent signs", "picture path written with back slashes"}),
    (f"{NFC}\\{NFC}.png", f"{NFD}/{NFC}.png",
     {"picture path written with back slashes", "picture name in another Unicode form"})])
def test_another_writing_of_the_name_is_used_with_a_warning(written, write, name, used, kinds):
    found = ingest(write([llava(image=name)]), written)
    assert [s.images for s in found.samples] == [(used,)] and found.pictures.names == (used,)
    assert {r.kind for r in found.warnings} == kinds
    assert list(found.hashes) == [used] and open_images(found.samples[0], written)[0].size == (40, 30)
    assert differences(found.pictures, renewed(found.pictures, written, None)) == []


def test_a_file_that_is_there_under_the_very_name_comes_first(root, write):
    picture(6).save(root / "coco\\train\\c.png", "PNG")
    picture(7).save(root / "a%20b.png")
    picture(8).save(root / "a b.png")
    found = ingest(write([llava(image="coco\\train\\c.png"), llava(image="a%20b.png", id="2")]), root)
    assert not found.warnings
    for sample, seed in zip(found.samples, (6, 7), strict=True):
        assert np.array_equal(open_images(sample, root)[0], picture(seed))


@pytest.mark.parametrize("name", ["..\\outside.png", "coco\\..\\..\\outside.png", "%2e%2e%2foutside.png",
                                  "coco%2f..%2f..%2foutside.png", "%2Fetc%2Fpasswd", "..\\nowhere.png"])
def test_no_writing_of_a_name_leads_out_of_the_root(root, write, name):
    assert reason(root, write, name).startswith("picture outside the image root: ")


@pytest.mark.parametrize("name", ["C:\\data\\a.png", "D:/data/a.png", "file:///C:/data/a.png", "\\\\server\\a.png"])
def test_an_absolute_windows_path_is_called_so(root, write, name):
    assert "an absolute Windows path: write it relative to the image root" in reason(root, write, name)


@pytest.mark.parametrize("name, there", [
    ("A.png", "a.png"), ("a.PNG", "a.png"), ("a.jpg", "a.png"), ("b.JPEG", "b.jpg"), ("a", "a.png"),
    ("Coco/train/c.png", "coco/train/c.png"), ("coco/Train/C.JPG", "coco/train/c.png"),
    ("coco\\TRAIN\\c.png", "coco/train/c.png")])
def test_other_letters_and_endings_are_named_and_not_used(root, write, name, there):
    said = reason(root, write, name)
    assert said.startswith(f"picture not found: {name}; there is {there}.")


def test_what_only_begins_alike_is_not_named(root, write):
    (root / "n.txt").write_text("words")
    (root / "m.png.part").write_bytes(b"")
    for name in ("n.png", "m.png", "coco.png", "none.png"):
        assert reason(root, write, name) == f"picture not found: {name}"


def test_the_image_root_that_would_find_it_is_named(root, write):
    assert reason(root, write, "train/c.png") == f"picture not found: train/c.png. The image root {root / 'coco'} " \
                                                 "would find it"
    low = root / "coco" / "train"
    assert f"The image root {root} would find it" in reason(low, write, "coco/train/c.png")
    assert f"The image root {root / 'coco'} would find it" in reason(low, write, "train/c.png")
    assert reason(root, write, "train/none.png") == "picture not found: train/none.png"


def test_a_link_out_of_the_root_is_called_one_and_may_be_allowed(root, write, tmp_path):
    away = tmp_path / "away"
    (away / "deep").mkdir(parents=True)
    picture(9).save(away / "deep" / "d.png")
    os.symlink(away, root / "linked")
    os.symlink(away / "deep" / "d.png", root / "one.png")
    for name in ("linked/deep/d.png", "one.png", "linked/deep/none.png", "linked\\deep\\d.png"):
        said = reason(root, write, name)
        assert said.startswith("picture is a link out of the image root: ") and "follow_links" in said
        assert "away" not in said
    rows = write([llava(image=name, id=name) for name in ("linked/deep/d.png", "one.png", "linked\\deep\\d.png")])
    found = ingest(rows, root, limits=LINKS)
    assert [s.images[0] for s in found.samples] == ["linked/deep/d.png", "one.png", "linked/deep/d.png"]
    for sample in found.samples:
        assert np.array_equal(open_images(sample, root, limits=LINKS)[0], picture(9))
        with pytest.raises(DataError, match="link out of the image root"):
            open_images(sample, root)
    assert differences(found.pictures, renewed(found.pictures, root, None, LINKS)) == []
    assert {c.what for c in differences(found.pictures, renewed(found.pictures, root, None))} <= {"gone"}


@pytest.mark.parametrize("name", ["../outside.png", "coco/../../outside.png", "linked/../outside.png",
                                  "linked/../../etc/passwd", "/etc/passwd", "../linked/deep/d.png"])
def test_dots_never_lead_out_even_where_links_may(root, write, tmp_path, name):
    (tmp_path / "away").mkdir()
    os.symlink(tmp_path / "away", root / "linked")
    assert reason(root, write, name, LINKS).startswith("picture outside the image root: ")


def test_links_inside_the_root_need_no_leave(root, write):
    os.symlink(root / "coco", root / "shortcut")
    assert ingest(write([llava(image="shortcut/train/c.png")]), root).samples[0].images == ("shortcut/train/c.png",)


def test_links_that_a_copy_turned_into_text_are_called_so(root, write):
    (root / "vg").write_text("../elsewhere/vg")
    (root / "one.png").write_text("../elsewhere/coco/000001.png\n")
    assert "vg should be a folder and is a link that was copied as a text" in reason(root, write, "vg/VG_100K/1.jpg")
    said = reason(root, write, "one.png")
    assert said.startswith("not a picture: one.png, it is a link that was copied") and "elsewhere" not in said


@pytest.mark.parametrize("name, what", [("a\ud800.png", "unpaired surrogate"), ("x" * 300 + ".png", "not found"),
                                        ("y/" * 2000 + "a.png", "not found"), ("é/" * 1300 + "a.png", "not found"),
                                        ("a%00.png", "not found")])
def test_names_that_no_file_can_have_get_a_reason(root, name, what):
    with pytest.raises(SetAside, match=what):
        Places(root).find(name)


def test_a_nul_in_a_name_is_called_so(root):
    with pytest.raises(SetAside, match="picture name cannot be a file's: .*NUL"):
        Places(root).find("a\0.png")


def test_folders_are_listed_once_and_only_so_many_names_are_remembered(root, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(places_module.os, "scandir", lambda path: listed.append(str(path)) or scandir(path))
    places = Places(root)
    for number in range(50):
        with pytest.raises(SetAside, match="not found"):
            places.find(f"coco/train/{number}.png")
    assert sorted(os.path.relpath(path, root) for path in listed) == [".", ".", "coco", "coco/train"]
    monkeypatch.setattr(places_module, "ENTRIES", 1)
    few = Places(root)
    with pytest.raises(SetAside, match="picture not found: A.png$"):
        few.find("A.png")


def test_a_picture_that_arrives_under_another_writing_is_noticed(root, write):
    found = ingest(write([llava(image="late\\x%20y.png"), llava(image=f"{NFC}.png", id="2"), llava(id="3")]),
                   root).pictures
    (root / "late").mkdir()
    picture(3).save(root / "late" / "x%20y.png")
    picture(4).save(root / f"{NFD}.png")
    changes = differences(found, renewed(found, root, None))
    assert changes == [Change(f"{NFC}.png", "arrived"), Change("late\\x%20y.png", "arrived")]
    assert unicodedata.is_normalized("NFC", changes[0].name)
