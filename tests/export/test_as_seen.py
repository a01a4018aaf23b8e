"""Pictures that trainers would see otherwise than the study did are written as the study saw them, all others as they
are."""

import json
from pathlib import Path

import curricula
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cadc.data import Sample, Turn, open_images
from cadc.export.pictures import Pictures, Shown

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)


def _turned(image: Image.Image) -> Image.Exif:
    exif = image.getexif()
    exif[0x0112] = 6
    return exif


def _late_exif(path: Path, image: Image.Image) -> None:
    """A PNG whose EXIF data stands behind its pixels, as some cameras write it."""
    image.save(path, exif=_turned(image))
    data = path.read_bytes()
    at = data.index(b"eXIf") - 4
    length = int.from_bytes(data[at:at + 4], "big") + 12
    chunk, rest = data[at:at + length], data[:at] + data[at + length:]
    end = rest.index(b"IEND") - 4
    path.write_bytes(rest[:end] + chunk + rest[end:])
    assert "exif" not in Image.open(path).info  # only decoding finds it


def _save(folder: Path, kind: str) -> str:
    """A picture of a kind; its name."""
    rgb = Image.fromarray(NOISE)
    name = kind + {"jpeg": ".jpg", "jpeg turned": ".jpg", "print": ".jpg", "moving": ".gif"}.get(kind, ".png")
    path = folder / name
    info = PngImagePlugin.PngInfo()
    info.add_text("XML:com.adobe.xmp", "<x:xmpmeta/>")
    match kind:
        case "plain" | "jpeg":
            rgb.save(path)
        case "turned" | "jpeg turned":
            rgb.save(path, exif=_turned(rgb))
        case "turned late":
            _late_exif(path, rgb)
        case "with a note":
            rgb.save(path, pnginfo=info)
        case "see-through":
            rgb.putalpha(Image.linear_gradient("L").resize(rgb.size))
            rgb.save(path)
        case "colour key":
            rgb.quantize(16).save(path, transparency=0)
        case "deep":
            Image.fromarray(NOISE[:, :, 0].astype(np.uint16) * 200).save(path)
        case "moving":
            rgb.save(path, save_all=True, append_images=[rgb.rotate(180)])
        case "print":
            rgb.convert("CMYK").save(path)
        case "grey" | "palette":
            rgb.convert("L" if kind == "grey" else "P").save(path)
    return name


ANEW = ("turned", "jpeg turned", "turned late", "see-through", "colour key", "deep", "print", "moving")
KEPT = ("plain", "jpeg", "with a note", "grey", "palette")


def _shown(folder: Path, name: str) -> Shown:
    sample = Sample(index=0, id="", images=(name,), turns=())
    return Shown(Pictures(root=folder), folder / "out", [sample], "copy")


@pytest.mark.parametrize("kind", ANEW)
def test_a_picture_that_readers_see_otherwise_becomes_what_the_study_saw(tmp_path, kind):
    name = _save(tmp_path, kind)
    (tmp_path / "anew.png").write_bytes(_shown(tmp_path, name).content(name))
    saw = open_images(Sample(index=0, id="", images=(name,), turns=()), tmp_path)[0]
    with Image.open(tmp_path / "anew.png") as image:
        assert image.mode == "RGB" and image.tobytes() == saw.tobytes() and image.size == saw.size
        assert not image.getexif() and not getattr(image, "is_animated", False)


@pytest.mark.parametrize("kind", KEPT)
def test_a_picture_that_every_reader_sees_alike_stays(tmp_path, kind):
    name = _save(tmp_path, kind)
    assert _shown(tmp_path, name).content(name) == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("how", ["copy", "link", "absolute", "parquet"])
def test_an_export_writes_them_anew_and_says_so(tmp_path, how):
    (tmp_path / "pool").mkdir()
    names = tuple(_save(tmp_path / "pool", kind) for kind in ("plain", "turned", "see-through"))
    turns = (Turn(role="user", parts=(0, 1, 2, "Which?")), Turn(role="assistant", parts=("This.",)))
    sample = Sample(index=0, id="one", images=names, turns=turns)
    done = curricula.written(tmp_path / "out", tmp_path / "pool", "trl", found=[sample], how=how)
    assert done.manifest["pictures"]["turned_or_flattened"] == 2
    assert "2 of them are turned" in (tmp_path / "out" / "README.md").read_text()
    if how == "parquet":
        import pyarrow.parquet as pq

        shown = [tmp_path / f"{n}.png" for n in range(3)]
        for path, cell in zip(shown, pq.read_table(tmp_path / "out" / "stage-01.parquet")["images"][0].as_py(),
                              strict=True):
            path.write_bytes(cell["bytes"])
    else:
        row = json.loads((tmp_path / "out" / "curriculum.jsonl").read_text())
        shown = [tmp_path / "out" / name for name in row["images"]]  # an absolute path stays itself
        inside = [path.is_relative_to(tmp_path / "out") for path in shown]
        assert inside == [how != "absolute", True, True]
    saw = open_images(sample, tmp_path / "pool")
    for path, image in zip(shown, saw, strict=True):
        with Image.open(path) as found:
            assert found.convert("RGB").tobytes() == image.tobytes()
