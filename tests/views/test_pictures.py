"""Miniatures for table cells: small, empty where there is nothing to see, and new when the picture is."""

from PIL import Image

from cadc.views.pictures import SIDE, miniature, stamp


def test_picture_that_arrives_late_or_is_replaced_gets_another_stamp(tmp_path):
    where = ("a.png", tmp_path, tmp_path / "none")
    assert miniature(*where) == stamp(*where) == ""
    Image.new("RGB", (300, 200), "red").save(tmp_path / "a.png")
    red, first = miniature(*where), stamp(*where)
    assert red.startswith("data:image/png;base64,") and first
    Image.new("RGB", (200, 300), "blue").save(tmp_path / "a.png")
    assert miniature(*where) != red and stamp(*where) not in ("", first)


def test_row_without_a_picture_and_path_outside_the_root_are_empty(tmp_path):
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "out.png")
    (tmp_path / "root").mkdir()
    for name in ("", "../out.png"):
        assert miniature(name, tmp_path / "root", tmp_path) == stamp(name, tmp_path / "root", tmp_path) == ""
