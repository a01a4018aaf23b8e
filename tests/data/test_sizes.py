"""Sizes of pictures: as ingest wrote them, else from headers; upright either way."""

from dataclasses import replace

from PIL import Image

from cadc.data import ingest
from cadc.data.inventory import read_inventory, renewed, write_inventory
from cadc.data.sizes import picture_sizes
from tests.data.conftest import llava


def test_sizes_are_upright_and_the_same_from_inventory_and_headers(root, write, tmp_path):
    turned = Image.new("RGB", (30, 20), (9, 9, 200))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(root / "turned.jpg", exif=exif)
    Image.new("RGB", (50, 10)).save(root / "wide.png")
    names = ("turned.jpg", "wide.png", "gone.png")
    found = ingest(write([llava(image=name) for name in names]), root).pictures
    sizes = {"turned.jpg": (30, 20), "wide.png": (10, 50)}
    assert picture_sizes(found, names, root, None) == sizes
    assert picture_sizes(found, names, tmp_path / "nowhere", None) == sizes, "no file is opened"
    assert picture_sizes(replace(found, widths=(), heights=()), names, root, None) == sizes


def test_inventories_of_earlier_versions_are_read_and_renewed_without_sizes(root, write, tmp_path):
    import pyarrow.parquet as pq

    found = ingest(write([llava(image="a.png")]), root).pictures
    write_inventory(tmp_path / "new.parquet", found)
    assert read_inventory(tmp_path / "new.parquet") == found and found.widths[0] > 0
    pq.write_table(pq.read_table(tmp_path / "new.parquet").drop(["width", "height"]), tmp_path / "old.parquet")
    old = read_inventory(tmp_path / "old.parquet")
    assert old == replace(found, widths=(), heights=())
    assert renewed(old, root, None).sha256 == found.sha256
    assert renewed(found, root, None) == found
