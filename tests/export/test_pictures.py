"""Pictures of an export as any trainer sees them: Pillow alone shows what the study saw, however they were stored."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from curricula import talk, written
from PIL import Image

from cadc.data import PictureLimits, Sample, open_images
from cadc.errors import DataError

ODD = ("turned.jpg", "glass.png", "palette.gif", "deep.png")


@pytest.fixture
def root(tmp_path):
    """A photograph that lies on its side, two that are partly transparent, one of 16 bits, a plain one."""
    folder = tmp_path / "pool"
    folder.mkdir()
    grey = np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.uint8)
    colours = np.stack([grey, grey[::-1], grey // 2], -1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours).save(folder / "turned.jpg", exif=exif)
    Image.fromarray(np.dstack([colours, grey])).save(folder / "glass.png")
    Image.fromarray(colours).quantize(8).save(folder / "palette.gif", transparency=3)
    Image.fromarray(grey.astype(np.uint16) << 8).save(folder / "deep.png")
    Image.fromarray(colours).save(folder / "plain.png")
    return folder


def samples() -> list[Sample]:
    return [Sample(index=n, id=name, images=(name,), turns=talk((0, "What?"), "That."))
            for n, name in enumerate((*ODD, "plain.png"))]


def seen(folder, how: str) -> list[np.ndarray]:
    """What a trainer shows that knows Pillow and nothing else."""
    if how == "parquet":
        cells = [cell for path in sorted(folder.glob("stage-*.parquet"))
                 for row in pq.read_table(path)["images"].to_pylist() for cell in row]
        opened = [Image.open(io.BytesIO(cell["bytes"])) for cell in cells]
    elif how == "tar":
        opened = []
        for shard in sorted(folder.glob("*.tar")):
            with tarfile.open(shard) as tar:
                for name in [name for name in tar.getnames() if name.endswith(".json")]:
                    row = json.load(tar.extractfile(name))
                    opened += [Image.open(io.BytesIO(tar.extractfile(one).read())) for one in row["images"]]
    else:
        rows = [json.loads(line) for line in (folder / "curriculum.jsonl").read_text().splitlines()]
        opened = [Image.open(folder / path) for row in rows for path in row["images"]]
    return [np.asarray(image.convert("RGB")) for image in opened]


@pytest.mark.parametrize("form, how", [("ms-swift", "copy"), ("ms-swift", "link"), ("trl", "parquet"),
                                       ("webdataset", "tar")])
def test_pillow_alone_shows_what_the_study_saw(root, tmp_path, form, how):
    out = tmp_path / "out"
    done = written(out, root, form, found=samples(), how=None if how == "tar" else how)
    wanted = [np.asarray(open_images(sample, root)[0]) for sample in samples()]
    for found, expected, sample in zip(seen(out, how), wanted, samples(), strict=True):
        assert np.array_equal(found, expected), sample.id
    assert done.manifest["pictures"]["turned_or_flattened"] == len(ODD)
    assert f"{len(ODD)} of them are turned by their EXIF data" in (out / "README.md").read_text()


def test_only_odd_pictures_are_written_anew(root, tmp_path):
    written(tmp_path / "out", root, "trl", found=samples(), how="link")
    made = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert made == sorted([*(f"{name}.png" for name in ODD), "plain.png"])
    assert (tmp_path / "out" / "images" / "plain.png").samefile(root / "plain.png")


def test_absolute_paths_name_the_pool_s_own_files_but_for_those_that_are_written_anew(root, tmp_path):
    written(tmp_path / "out", root, "trl", found=samples(), how="absolute")
    rows = [json.loads(line) for line in (tmp_path / "out" / "curriculum.jsonl").read_text().splitlines()]
    assert [row["images"] for row in rows] == [*([str(tmp_path / "out" / "images" / f"{name}.png")] for name in ODD),
                                               [str(root / "plain.png")]]
    assert "of them are turned" in (tmp_path / "out" / "README.md").read_text()


def test_a_picture_that_changed_since_the_study_read_it_is_refused(root, tmp_path):
    known = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.iterdir()}
    written(tmp_path / "out", root, "ms-swift", found=samples(), known=known)
    Image.new("RGB", (40, 30)).save(root / "plain.png")
    for form, how in (("ms-swift", "copy"), ("trl", "parquet"), ("input", "absolute"), ("webdataset", None)):
        with pytest.raises(DataError, match=r"picture plain.png has changed since the study read it .* Put it back"):
            written(tmp_path / "other", root, form, how=how, found=samples(), known=known)
    written(tmp_path / "ids", root, "ids", found=samples(), known=known)  # names no picture


def test_odd_pictures_are_opened_within_the_limits_of_the_study(root, tmp_path):
    """Pillow's own bound is twice 89 million pixels; a study may set more, or less."""
    wide = Image.new("1", (18_000, 10_000))
    wide.save(root / "wide.png", transparency=0)
    one = [Sample(index=0, id="wide", images=("wide.png",), turns=talk((0, "What?"), "That."))]
    found = written(tmp_path / "out", root, "ms-swift", found=one, limits=PictureLimits(max_pixels=200_000_000))
    assert found.manifest["pictures"]["turned_or_flattened"] == 1


def test_links_are_followed_where_the_study_follows_them(root, tmp_path):
    (root / "away.png").symlink_to(tmp_path / "elsewhere.png")
    Image.new("RGBA", (40, 30), (1, 2, 3, 99)).save(tmp_path / "elsewhere.png")
    one = [Sample(index=0, id="away", images=("away.png",), turns=talk((0, "What?"), "That."))]
    with pytest.raises(DataError, match="link out of the image root"):
        written(tmp_path / "out", root, "ms-swift", found=one)
    written(tmp_path / "out", root, "ms-swift", found=one, limits=PictureLimits(follow_links=True))
    assert (tmp_path / "out" / "images" / "away.png.png").is_file()
