"""What becomes of bytes: limits, deep grey, formats; and what is examined opens, what is refused does not."""

import io
import struct
import threading
import time
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cadc.data import PictureLimits, Sample, Turn, ingest, open_images
from cadc.data import decoding as decoding_module
from cadc.data.decoding import AVIF, _Gate
from cadc.data.limits import USUAL
from cadc.data.pictures import examine
from cadc.errors import DataError
from tests.data.conftest import llava, picture
from tests.data.test_parquet import save
from tests.data.test_pictures import huge_png

needs_avif = pytest.mark.skipif(not AVIF, reason="this Pillow reads no AVIF")


def encoded(image: Image.Image, form: str, **how) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def opened(root, name: str, limits=USUAL) -> np.ndarray:
    turns = (Turn(role="user", parts=(0,)), Turn(role="assistant", parts=("x",)))
    return np.asarray(open_images(Sample(index=0, id="s", images=(name,), turns=turns), root, limits=limits)[0])


# ---- check and training agree ----------------------------------------------------------------------------------------
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
MORE = [picture(1, (80, 60)), picture(2, (80, 60))]
WHOLE = {
    "jpeg": encoded(NOISE, "JPEG"), "jpeg-444": encoded(NOISE, "JPEG", subsampling=0, quality=95),
    "jpeg-progressive": encoded(NOISE, "JPEG", progressive=True),
    "jpeg-restarts": encoded(NOISE, "JPEG", restart_marker_rows=1), "jpeg-grey": encoded(NOISE.convert("L"), "JPEG"),
    "jpeg-cmyk": encoded(NOISE.convert("CMYK"), "JPEG"), "png": encoded(NOISE, "PNG"),
    "apng": encoded(NOISE, "PNG", save_all=True, append_images=MORE), "webp": encoded(NOISE, "WEBP"),
    "webp-moving": encoded(NOISE, "WEBP", save_all=True, append_images=MORE),
    "gif": encoded(NOISE, "GIF", save_all=True, append_images=MORE),
    "tiff": encoded(NOISE, "TIFF", save_all=True, append_images=MORE), "bmp": encoded(NOISE, "BMP"),
} | ({"avif": encoded(NOISE, "AVIF")} if AVIF else {})


@pytest.mark.parametrize("form", list(WHOLE))
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_cut_or_damaged_picture_has_a_problem_exactly_when_it_does_not_open(form, tmp_path_factory, data):
    whole = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    back = st.one_of(st.integers(0, 40), st.integers(0, len(whole) - 1))
    content = bytes(whole[:len(whole) - data.draw(back)])
    root = tmp_path_factory.getbasetemp()
    (root / "x.bin").write_bytes(content)
    problem = examine(content, "x.bin").problem
    if problem:
        with pytest.raises(DataError):
            opened(root, "x.bin")
    else:
        assert opened(root, "x.bin").ndim == 3


@pytest.mark.parametrize("form", list(WHOLE))
def test_whole_pictures_pass_and_halves_do_not(form):
    assert examine(WHOLE[form], "x.bin").problem == ""
    half = examine(WHOLE[form][:len(WHOLE[form]) // 2], "x.bin").problem
    assert half.startswith(("picture is", "not a picture")) or form in ("gif", "apng", "tiff")  # whole first frame


def test_a_jpeg_that_lost_its_last_bytes_is_truncated():
    for lost in (2, 15, 200):
        assert examine(WHOLE["jpeg"][:-lost], "x.jpg").problem == "picture is truncated: x.jpg"


# ---- limits ----------------------------------------------------------------------------------------------------------
def test_the_pixel_limit_is_a_setting_that_the_reason_names(root, write):
    Image.new("L", (300, 200)).save(root / "large.png")
    Image.new("L", (299, 200)).save(root / "fits.png")
    limits = PictureLimits(max_pixels=299 * 200)
    found = ingest(write([llava(image="large.png"), llava(image="fits.png")]), root, limits=limits)
    assert [s.images for s in found.samples] == [("fits.png",)]
    assert found.set_aside[0].reason == ("picture has too many pixels: large.png, 300 × 200, 60 000 pixels, at most "
                                         "59 800 (setting max_pixels)")
    with pytest.raises(DataError, match="max_pixels"):
        opened(root, "large.png", limits)
    assert opened(root, "large.png").shape == (200, 300, 3)


def test_a_small_file_of_very_many_pixels_is_refused_before_it_is_decoded():
    for width, height, size in ((30_000, 26_000, "780 000 000 pixels"), (12_000, 9_000, "12000 × 9000, 108 000 000")):
        problem = examine(huge_png(width, height), "bomb.png").problem
        assert problem.startswith("picture has too many pixels: bomb.png") and size in problem
        assert problem.endswith("at most 100 000 000 (setting max_pixels)")


def test_a_limit_above_pillows_own_is_heeded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    data = encoded(picture(), "PNG")
    assert examine(data, "a.png", PictureLimits(max_pixels=40 * 30)).problem == ""
    assert "max_pixels" in examine(data, "a.png", PictureLimits(max_pixels=40 * 30 - 1)).problem


def test_threads_hold_no_more_pixels_together_than_allowed_and_a_larger_one_is_alone():
    gate, lock = _Gate(100), threading.Lock()
    now, seen = [], []

    def work(amount: int) -> None:
        with gate.hold(amount):
            with lock:
                now.append(amount)
                seen.append(tuple(now))
            time.sleep(0.002)
            with lock:
                now.remove(amount)

    threads = [threading.Thread(target=work, args=(amount,)) for amount in (60, 60, 40, 250, 30, 30, 100, 10) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 24 and all(sum(held) <= 100 or held == (250,) for held in seen)


def test_conversion_in_strips_gives_the_same_pixels(root, monkeypatch):
    clear = Image.merge("RGBA", (*NOISE.split(), NOISE.convert("L")))
    clear.save(root / "clear.png")
    Image.fromarray(np.random.default_rng(1).integers(0, 65536, (60, 80), np.uint16)).save(root / "deep.png")
    NOISE.convert("P").save(root / "palette.png", transparency=3)
    names = ("clear.png", "deep.png", "palette.png")
    before = [opened(root, name) for name in names]
    monkeypatch.setattr(decoding_module, "STRIP", 7 * 80)
    assert all(np.array_equal(opened(root, name), old) for name, old in zip(names, before, strict=True))


# ---- deep grey -------------------------------------------------------------------------------------------------------
def test_a_dark_16_bit_frame_stays_dark_and_shares_its_scale_with_a_bright_one(root):
    ramp = np.linspace(0, 65_535, 256 * 4).astype(np.uint16).reshape(4, 256)
    dark = np.arange(256, dtype=np.uint16).reshape(1, 256)
    for name in ("ramp.png", "ramp.tif"):
        Image.fromarray(ramp).save(root / name)
        assert len(np.unique(opened(root, name))) == 256 and opened(root, name).max() == 255
    Image.fromarray(dark).save(root / "dark.png")
    assert opened(root, "dark.png").max() == 0
    assert np.abs(opened(root, "ramp.png")[..., 0] - ramp / 257).max() <= 1


def usual(warnings: Iterable[str]) -> tuple[str, ...]:
    """Warnings without those of the size of a made picture."""
    return tuple(one for one in warnings if not one.startswith("very small picture"))


def tiff(values: np.ndarray, *, bits: int, photometric: int = 1, kind: int = 1, order: str = "<") -> bytes:
    """An uncompressed grey TIFF of one strip; `values`: its rows as they are stored."""
    data = values.tobytes()
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height),
            (279, len(data)), (339, kind)]
    table = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + table + b"\0\0\0\0"


def test_the_depth_of_a_tiff_says_what_is_white(root):
    half = {"16": tiff(np.full((2, 4), 32_768, "<u2"), bits=16), "16-mm": tiff(np.full((2, 4), 32_768, ">u2"), bits=16,
                                                                              order=">"),
            "signed": tiff(np.full((2, 4), 16_384, "<i2"), bits=16, kind=2),
            "inverted": tiff(np.full((2, 4), 32_768, "<u2"), bits=16, photometric=0)}
    twelve = np.frombuffer(bytes([0x80, 0x08, 0x00] * 4), np.uint8).reshape(2, 6)  # 0x800 = 2048 of 4095
    tags = tiff(twelve, bits=12).replace(struct.pack("<HHII", 256, 4, 1, 6), struct.pack("<HHII", 256, 4, 1, 4))
    for name, content in (half | {"12": tags}).items():
        (root / f"{name}.tif").write_bytes(content)
        fact = examine(content, f"{name}.tif")
        assert (fact.problem, usual(fact.warnings)) == ("", ()), name
        assert set(np.unique(opened(root, f"{name}.tif"))) <= {127, 128}, name


@pytest.mark.parametrize("brightest, white", [(0.5, 1), (1, 1), (1.5, 255), (200, 255), (300, 65_535),
                                              (70_000, 70_000), (0, 1)])
def test_a_picture_of_floats_is_scaled_by_its_own_range_with_a_warning(root, write, brightest, white):
    values = np.array([[0, brightest / 2, brightest, -3, np.nan]], np.float32)
    Image.fromarray(values).save(root / "f.tif")
    found = ingest(write([llava(image="f.tif")]), root)
    assert usual(r.reason for r in found.warnings) == (
        f"picture of 32 bits has no fixed white: f.tif, {white} is taken for white",)
    shown = opened(root, "f.tif")[0, :, 0].astype(float)
    assert np.abs(shown - [0, brightest / white * 127.5, brightest / white * 255, 0, 0]).max() <= 1


def test_a_picture_of_whole_numbers_of_32_bits_is_scaled_by_its_own_range_with_a_warning(root):
    for brightest, white in ((1, 255), (300, 65_535), (100_000, 4_294_967_295)):
        data = encoded(Image.fromarray(np.full((2, 2), brightest, np.int32)), "TIFF")
        (root / "i.tif").write_bytes(data)
        assert usual(examine(data, "i.tif").warnings) == (
            f"picture of 32 bits has no fixed white: i.tif, {white} is taken for white",)
        assert abs(int(opened(root, "i.tif").max()) - brightest / white * 255) <= 1


def test_deep_ppm_has_16_bits(root):
    (root / "p.pgm").write_bytes(b"P5 2 1 1023\n" + struct.pack(">2H", 1023, 512))
    assert opened(root, "p.pgm")[0, :, 0].tolist() in ([255, 127], [255, 128])


# ---- formats ---------------------------------------------------------------------------------------------------------
@needs_avif
def test_avif_is_read_from_files_and_from_inside_parquet(root, write, tmp_path):
    (root / "a.avif").write_bytes(encoded(picture(3), "AVIF", quality=100))
    found = ingest(write([llava(image="a.avif")]), root)
    assert not found.warnings and np.abs(opened(root, "a.avif").astype(int) - np.asarray(picture(3))).mean() < 8
    save(tmp_path / "p.parquet", image=[{"bytes": (root / "a.avif").read_bytes(), "path": None}],
         question=["<image>q?"], answer=["a"])
    inside = ingest(tmp_path / "p.parquet", root, embedded_to=tmp_path / "kept")
    assert inside.samples[0].images[0].endswith(".avif") and not inside.warnings


def test_where_avif_cannot_be_read_the_reason_says_so(monkeypatch):
    monkeypatch.setattr(decoding_module, "AVIF", False)
    monkeypatch.setattr(decoding_module, "FORMATS", ("JPEG", "PNG"))
    problem = examine(b"\0\0\0\x20ftypavif" + bytes(40), "a.avif").problem
    assert problem.startswith("picture format is not read: AVIF, a.avif. ") and "Pillow" in problem


@pytest.mark.parametrize("content, said", [
    (b"\0\0\0\x18ftypheic" + bytes(90), "picture format is not read: HEIC, x"),
    (b"\0\0\0\x18ftypmif1" + bytes(90), "picture format is not read: HEIC, x"),
    (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "picture format is not read: SVG, x"),
    (b"\xef\xbb\xbf  <svg></svg>", "picture format is not read: SVG, x"),
    (b"%PDF-1.7\n", "picture format is not read: PDF, x"),
    (b"<!DOCTYPE html><html>404</html>", "not a picture: x, it is an HTML page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "not a picture: x, it is a pointer of Git LFS"),
    (b"<?xml version='1.0'?><note/>", "not a picture: x"), (b"plain words", "not a picture: x"), (b"\0", "not a pic")])
def test_what_is_not_read_is_named_by_what_it_is(content, said):
    assert examine(content, "x").problem.startswith(said)
