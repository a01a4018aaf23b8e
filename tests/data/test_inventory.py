"""Pictures count by what is in them: replaced, lost and late ones are noticed, touched and copied ones are not."""

import os
import shutil

import pytest

from cadc.data import ingest
from cadc.data.inventory import Change, Inventory, differences, read_inventory, renewed, write_inventory
from cadc.data.limits import MAX_BYTES
from cadc.errors import JobError
from tests.data.conftest import llava, picture
from tests.data.test_parquet import png, save


def changed(found, root, embedded):
    """What a new look finds."""
    return differences(found, renewed(found, root, embedded))


NAMES = ("a.png", "b.jpg", "broken.png", "coco/train/c.png", "late.png")


@pytest.fixture
def found(root, write) -> Inventory:
    """Pictures of a pool: three whole ones (one named by two rows), one broken, one that is not there yet."""
    (root / "broken.png").write_bytes(b"no picture")
    return ingest(write([llava(image=name) for name in (*NAMES, "a.png")]), root).pictures


def test_every_picture_that_a_row_names_is_listed_once_also_those_of_rows_set_aside(found, root):
    assert found.names == NAMES and len(found) == len(NAMES)
    assert found.problems == ("", "", "not a picture", "", "picture not found")
    assert found.bytes == (*((root / name).stat().st_size for name in NAMES[:-1]), -1)
    assert found.mtime_ns == (*((root / name).stat().st_mtime_ns for name in NAMES[:-1]), -1)
    assert [bool(content) for content in found.sha256] == [True, True, True, True, False]


def test_pictures_of_rows_with_unusable_words_are_not_asked_for(root, write):
    rows = [llava(), {"image": "b.jpg", "conversations": []}]
    assert ingest(write(rows), root).pictures.names == ("a.png",)


def test_the_digest_tells_contents_and_names_but_not_times_and_places(found, root, write):
    for name in NAMES[:-1]:
        os.utime(root / name, ns=(1, 1))
    shutil.copytree(root, root.parent / "elsewhere")
    assert ingest(write([llava(image=name) for name in NAMES]), root.parent / "elsewhere").pictures.digest \
        == found.digest
    (root / "b.jpg").rename(root / "d.jpg")
    assert ingest(write([llava(image=name.replace("b.", "d.")) for name in NAMES]), root).pictures.digest \
        != found.digest
    (root / "late.png").write_bytes((root / "a.png").read_bytes())
    (root / "d.jpg").rename(root / "b.jpg")
    assert ingest(write([llava(image=name) for name in NAMES]), root).pictures.digest != found.digest


def test_nothing_has_changed_while_nothing_has(found, root):
    assert changed(found, root, None) == []


def test_replaced_lost_and_late_pictures_are_told_apart(found, root):
    before = (root / "a.png").stat().st_size
    (root / "a.png").write_bytes(b"x" * before)
    (root / "b.jpg").unlink()
    picture(8).save(root / "late.png")
    picture(9).save(root / "broken.png")
    assert changed(found, root, None) == [Change("a.png", "replaced"), Change("b.jpg", "gone"),
                                          Change("broken.png", "replaced"), Change("late.png", "arrived")]


def test_a_file_that_was_only_touched_is_no_change_and_a_renewed_inventory_knows_its_time(found, root):
    os.utime(root / "a.png", ns=(5, 5))
    os.utime(root / "broken.png", ns=(6, 6))
    assert changed(found, root, None) == []
    now = renewed(found, root, None)
    assert now.mtime_ns[0] == 5 and now.mtime_ns[2] == 6 and now.problems == found.problems
    assert now.digest == found.digest and differences(found, now) == []


def test_only_files_of_another_size_or_time_are_read(found, root):
    about = (root / "a.png").stat()
    (root / "a.png").write_bytes(b"x" * about.st_size)
    os.utime(root / "a.png", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert changed(found, root, None) == []


def test_a_picture_that_may_not_be_read_any_more_is_gone(found, root):
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(root.parent / "outside.png")
    with (root / "b.jpg").open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    assert changed(found, root, None) == [Change("a.png", "gone"), Change("b.jpg", "gone")]


def test_copies_of_embedded_pictures_are_looked_at_and_made_anew(tmp_path):
    path, kept = tmp_path / "pool.parquet", tmp_path / "kept"
    save(path, image=[{"bytes": data, "path": None} for data in (png(0), png(1), b"no picture")],
         question=["q?"] * 3, answer=["a"] * 3)
    found = ingest(path, tmp_path, embedded_to=kept).pictures
    assert len(found) == 3 and changed(found, tmp_path, kept) == []
    one, other = sorted(kept.iterdir())
    whole = one.read_bytes()
    one.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    other.unlink()
    assert changed(found, tmp_path, kept) == [Change(f"ingest/images/{one.name}", "replaced"),
                                              Change(f"ingest/images/{other.name}", "gone")]
    assert changed(found, tmp_path, None) == []  # they count with the input file
    again = ingest(path, tmp_path, embedded_to=kept).pictures
    assert one.read_bytes() == whole and other.exists() and again.digest == found.digest


def test_written_and_read_again_it_is_equal(found, tmp_path):
    path = tmp_path / "study" / "ingest" / "pictures-pool.parquet"
    write_inventory(path, found)
    assert read_inventory(path) == found
    write_inventory(path, Inventory())
    assert read_inventory(path) == Inventory()


def test_a_missing_or_damaged_inventory_says_what_to_do(found, tmp_path):
    path = tmp_path / "study" / "ingest" / "pictures-pool.parquet"
    with pytest.raises(JobError, match="pictures-pool.parquet of study study .*Run the ingest job again"):
        read_inventory(path)
    write_inventory(path, found)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(JobError, match="Run the ingest job again"):
        read_inventory(path)
