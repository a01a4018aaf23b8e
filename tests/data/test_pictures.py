"""Pictures: inside the root only, whole, of bearable size."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cadc.data import Sample, Turn, ingest, open_images
from cadc.data.limits import MAX_BYTES
from cadc.errors import DataError
from tests.data.conftest import llava, picture


def huge_png(width: int, height: int) -> bytes:
    """A valid PNG head that promises width × height pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def nasty(root):
    """The image root with every kind of bad picture in it."""
    whole_png, whole_jpg = (root / "a.png").read_bytes(), (root / "b.jpg").read_bytes()
    (root / "cut.png").write_bytes(whole_png[:-30])
    (root / "cut.jpg").write_bytes(whole_jpg[: len(whole_jpg) * 2 // 3])
    middle = len(whole_png) // 2
    (root / "bitten.png").write_bytes(whole_png[:middle] + b"\xff\x00\xff" + whole_png[middle + 3:])
    (root / "text.png").write_text("<svg/>")
    (root / "program.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (root / "empty.png").write_bytes(b"")
    (root / "bomb.png").write_bytes(huge_png(12_000, 9_000))
    (root / "megabomb.png").write_bytes(huge_png(60_000, 60_000))
    (root / "zero.png").write_bytes(huge_png(0, 4))
    with (root / "heavy.png").open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    os.symlink(root.parent / "outside.png", root / "link.png")
    os.symlink(root / "a.png", root / "inner.png")
    os.symlink(root / "loop.png", root / "loop.png")
    os.mkfifo(root / "pipe.png")
    (root / "wrong.jpg").write_bytes(whole_png)
    picture(5).save(root / "moving.gif", save_all=True, append_images=[picture(6), picture(7)])
    return root


@pytest.mark.parametrize("name, reason", [
    ("none.png", "picture not found: none.png"), ("coco", "picture is not a file: coco"),
    ("cut.png", "picture is truncated"),
    ("cut.jpg", "picture is truncated"), ("bitten.png", "picture is broken"),
    ("text.png", "picture format is not read: SVG, text.png"),
    ("program.png", "not a picture"), ("empty.png", "picture file is empty"),
    ("bomb.png", "picture has too many pixels"),
    ("megabomb.png", "picture has too many pixels"), ("zero.png", "not a picture"),
    ("heavy.png", "picture file is too large"),
    ("link.png", "picture is a link out of the image root: link.png"),
    ("loop.png", "picture not found"), ("pipe.png", "picture is not a file"),
    ("../outside.png", "picture outside the image root"), ("coco/../../outside.png", "picture outside the image root"),
    ("/etc/passwd", "picture outside the image root"), ("../../../../nowhere.png", "picture outside the image root"),
    ("a.png/b.png", "picture not found"), ("x" * 5000, "picture not found"), (".", "picture outside the image root")])
def test_a_bad_picture_sets_its_row_aside(nasty, write, name, reason):
    found = ingest(write([llava(image=name), llava()]), nasty)
    assert [s.index for s in found.samples] == [1]
    assert found.set_aside[0].reason.startswith(reason) and len(found.set_aside[0].reason) < 400


def test_pictures_that_are_all_right_are_found_and_named_relative_to_the_root(nasty, write):
    names = ["a.png", "./b.jpg", "coco/train/c.png", "coco/../a.png", str(nasty / "b.jpg"), f"file://{nasty}/a.png",
             "inner.png", "moving.gif", "wrong.jpg"]
    found = ingest(write([llava(image=name) for name in names]), nasty)
    kept = ["a.png", "./b.jpg", "coco/train/c.png", "coco/../a.png", "b.jpg", "a.png"]
    assert [s.images[0] for s in found.samples] == [*kept, "inner.png", "moving.gif", "wrong.jpg"]
    assert {r.index: r.kind for r in found.warnings if "id" not in r.kind} == {
        7: "animated picture, the first frame is used", 8: "extension does not match the content"}


def test_a_root_that_is_a_link_is_followed(nasty, write, tmp_path):
    os.symlink(nasty, tmp_path / "shortcut")
    found = ingest(write([llava(image=str(tmp_path / "shortcut" / "a.png")), llava()]), tmp_path / "shortcut")
    assert [s.images for s in found.samples] == [("a.png",), ("a.png",)]


def test_a_path_that_looks_like_an_embedded_picture_is_still_a_path(root, write):
    (root / "ingest" / "images").mkdir(parents=True)
    picture(9).save(root / "ingest" / "images" / "x.png")
    sample = ingest(write([llava(image="ingest/images/x.png")]), root).samples[0]
    assert np.array_equal(open_images(sample, root)[0], picture(9))


def sample_of(*names: str) -> Sample:
    turns = (Turn(role="user", parts=(0,)), Turn(role="assistant", parts=("x",)))
    return Sample(index=4, id="s", images=names, turns=turns)


def test_open_images_gives_upright_rgb_on_white(root):
    clear = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 255, 255))
    clear.save(root / "clear.png")
    Image.fromarray(np.full((3, 5), 40_000, dtype=np.uint16)).save(root / "deep.png")
    Image.new("1", (3, 3), 1).save(root / "bit.png")
    Image.new("CMYK", (3, 3), (0, 255, 255, 0)).save(root / "print.jpg")
    turned = picture(1, (40, 20))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(root / "turned.jpg", exif=exif)
    images = open_images(sample_of("clear.png", "deep.png", "bit.png", "print.jpg", "turned.jpg"), root)
    assert all(image.mode == "RGB" for image in images)
    assert images[0].getpixel((0, 0)) == (0, 0, 255) and images[0].getpixel((3, 1)) == (255, 255, 255)
    assert abs(images[1].getpixel((0, 0))[0] - 40_000 / 257) <= 1
    assert images[2].getpixel((0, 0)) == (255, 255, 255) and images[4].size == (20, 40)


def test_broken_exif_data_does_not_cost_the_picture(root, write):
    picture(4).save(root / "exif.jpg", exif=b"Exif\x00\x00MM\x00*" + b"\xff" * 40)
    found = ingest(write([llava(image="exif.jpg")]), root)
    assert len(found.samples) == 1 and open_images(found.samples[0], root)[0].size == (40, 30)


@pytest.mark.parametrize("name", ["none.png", "cut.png", "cut.jpg", "text.png", "bomb.png", "megabomb.png", "link.png",
                                  "../outside.png", "ingest/images/00.png"])
def test_open_images_refuses_what_ingest_would_set_aside(nasty, name):
    with pytest.raises(DataError):
        open_images(sample_of(name), nasty)
