"""Two dozen ways in which data was lost or mislearnt in public bug reports, each as one of its kind: what `check`
says, and what ingest and the exports make of it."""

import base64
import gzip
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cadc.data import Ingest, check, ingest, open_images
from cadc.errors import DataError
from cadc.export.shapes import WRITERS, line
from tests.data.conftest import llava, picture


class Seen:
    """What became of a file: read, reported on, opened."""

    def __init__(self, path: Path, root: Path) -> None:
        self.root, self.kept = root, path.parent / "embedded"
        self.found: Ingest = ingest(path, root, embedded_to=self.kept)
        report = check(path, root)
        self.aside = {one["index"]: one["reason"] for one in report["set_aside"]}
        self.warned: dict[int, str] = {}
        for one in report["warnings"]:
            self.warned[one["index"]] = f"{self.warned.get(one['index'], '')} {one['reason']}"
        self.used = {sample.index: sample for sample in self.found.samples}
        assert sorted([*self.used, *self.aside]) == list(range(report["samples"]))

    def open(self, index: int) -> list[Image.Image]:
        return open_images(self.used[index], self.root, self.kept)


@pytest.fixture
def see(write, root):
    def seen(rows: Any, name: str = "pool.json") -> Seen:
        return Seen(rows if isinstance(rows, Path) else write(rows, name), root)

    return seen


def test_tags_and_pictures_that_do_not_match_are_counted_in_the_reason(see):
    seen = see([llava(), llava("<image><image>?"), llava("What?"), llava("<image>?", image=None)])
    assert list(seen.used) == [0, 2] and "without a tag" in seen.warned[2]
    assert "2 tags, 1 picture" in seen.aside[1] and "1 tags, 0 picture" in seen.aside[3]


def test_a_picture_tag_in_an_answer_reaches_no_trainer(see):
    seen = see([llava(answer="![figure](<image>)"), llava()])
    assert list(seen.used) == [1] and "text itself contains <image>" in seen.aside[0]


@pytest.mark.parametrize("text", ["Image 1: <image>\nImage 2: <image>\n\nWhat changed?",
                                  "Is <image> larger than <image>?", " <image>\n <image> "])
@pytest.mark.parametrize("shape", ["llava", "messages-tags"])
def test_white_space_around_pictures_leaves_as_it_came(see, text, shape):
    answer = "    for i in x:\n        print(i)"
    seen = see([llava(text, answer, ["a.png", "b.jpg"])])
    row = WRITERS[shape](seen.used[0], seen.used[0].images)
    turns = row["conversations" if shape == "llava" else "messages"]
    assert [turn["value" if shape == "llava" else "content"] for turn in turns] == [text, answer]


def test_a_picture_named_inside_the_text_is_one(see):
    seen = see([llava("Picture 1: <img>a.png</img>\nWhat?", image=None)])
    assert seen.used[0].images == ("a.png",) and seen.open(0)[0].size == (40, 30)


def test_a_system_prompt_in_a_column_is_not_dropped(see):
    seen = see([llava(system="Be brief."), {"instruction": "a", "output": "b", "system": "Be brief."}])
    assert [sample.turns[0].text for sample in seen.used.values()] == ["Be brief.", "Be brief."]


@pytest.mark.parametrize("mark", [{"weight": 0}, {"loss": False}, {"train": False}])
def test_a_wrong_answer_that_is_marked_is_not_taught(see, mark):
    turns = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "3"} | mark,
             {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "2"}]
    seen = see([{"messages": turns}])
    assert [turn.learnt for turn in seen.used[0].turns] == [True, False, True, True] and "not learnt" in seen.warned[0]


def test_columns_that_are_not_ours_come_out_again(see):
    seen = see([llava(model=""), llava("Hi", image=None, license="cc", meta={"a": 1})])
    rows = [WRITERS["llava"](sample, sample.images) for sample in seen.used.values()]
    assert rows[0]["model"] == "" and (rows[1]["license"], rows[1]["meta"]) == ("cc", {"a": 1})


def test_back_slashes_are_read_as_separators(see):
    seen = see([llava(image="coco\\train\\c.png")])
    assert seen.used[0].images == ("coco/train/c.png",) and "back slash" in seen.warned[0]


def test_a_link_out_of_the_root_is_called_a_link(see, root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    picture().save(tmp_path / "elsewhere" / "x.png")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "one.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    seen = see([llava(image="linked/x.png"), llava(image="one.png"), llava(image="../elsewhere/x.png")])
    assert not seen.used and "link" in seen.aside[0] and "link" in seen.aside[1]
    assert "follow_links" in seen.aside[0] and "outside the image root" in seen.aside[2]


def test_a_picture_inside_the_row_is_read(see, root):
    data, jpeg = ((root / name).read_bytes() for name in ("a.png", "b.jpg"))
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    seen = see([{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]},
                              {"role": "assistant", "content": "x"}]},
                llava(image=base64.b64encode(jpeg).decode()), llava(image="data:image/png;base64,???")], "pool.jsonl")
    assert list(seen.used) == [0, 1] and seen.open(0)[0].size == seen.open(1)[0].size == (40, 30)
    assert "base64" in seen.aside[2]


def test_nothing_is_fetched(see):
    seen = see([llava(image="https://example.org/a.png"), llava("Hi", image=None)])
    assert list(seen.used) == [1] and "remote picture: https://example.org/a.png" in seen.aside[0]


@pytest.mark.parametrize("name", ["image_file", "image_name", "file_name", "image_url", "image_path"])
def test_a_picture_column_of_another_name_is_seen(see, name):
    seen = see([{name: "a.png", "question": "What?", "answer": "x"}])
    assert seen.used[0].images == ("a.png",)


def test_choices_in_a_column_are_part_of_the_question(see):
    seen = see([{"question": "Which?", "options": ["A. red", "B. blue"], "answer": "B"}])
    assert seen.used[0].question == "Which?\nA. red\nB. blue"


@pytest.mark.parametrize("left", [-2, -15, -200, 0.5, 30])
def test_a_cut_picture_is_refused_or_opens(see, root, left):
    data = io.BytesIO()
    Image.effect_noise((400, 300), 80).save(data, "JPEG")
    whole = data.getvalue()
    (root / "cut.jpg").write_bytes(whole[:int(len(whole) * left) if isinstance(left, float) else left])
    seen = see([llava(image="cut.jpg"), llava()])
    assert 1 in seen.used
    if 0 in seen.used:
        assert seen.open(0)[0].size == (400, 300)
    else:
        assert "picture" in seen.aside[0]


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_is_opened_upright(see, root, turn):
    upright = np.zeros((30, 50, 3), np.uint8)
    upright[:10, :, 0] = 255
    back = {1: 0, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}[turn]
    image = Image.fromarray(upright)
    turned = image if turn == 1 else image.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = turn
    turned.save(root / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(see([llava(image="photo.png")]).open(0)[0]), upright)


def test_deep_grey_is_scaled_by_its_depth_and_not_by_its_brightest_point(see, root):
    ramp = np.linspace(0, 65535, 256 * 64).astype(np.uint16).reshape(64, 256)
    for name, values in {"ramp.png": ramp, "ramp.tif": ramp, "dark.png": ramp // 257}.items():
        Image.fromarray(values).save(root / name)
    seen = see([llava(image=name) for name in ("ramp.png", "ramp.tif", "dark.png")])
    levels = [len(np.unique(np.asarray(seen.open(i)[0])[..., 0])) for i in range(3)]
    assert levels[0] >= 250 and levels[1] >= 250 and levels[2] <= 3


def test_a_picture_of_absurd_size_is_refused_by_its_header(see, root):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 26000, 1, 0, 0, 0, 0)
    (root / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
                                    + chunk(b"IEND", b""))
    Image.new("1", (9000, 9000)).save(root / "scan.png")
    seen = see([llava(image="bomb.png"), llava(image="scan.png")])
    assert list(seen.used) == [1]
    assert "780 000 000 pixels" in seen.aside[0] and "max_pixels" in seen.aside[0]


def test_byte_order_marks_and_windows_line_ends(see):
    rows = [json.dumps(llava("Hi", image=None, id=name)).encode() for name in "abc"]
    seen = see(b"\xef\xbb\xbf" + rows[0] + b"\r\n" + rows[1] + b"\r\n\xef\xbb\xbf" + rows[2] + b"\r\n", "pool.jsonl")
    assert [sample.id for sample in seen.used.values()] == ["a", "b", "c"]


def test_an_object_around_the_rows_is_not_one_bad_row(write, root):
    rows = [llava("Hi", image=None), llava("Ho", image=None)]
    for around, keys in (({"data": rows}, "data"), ({"a": rows[0], "b": rows[1]}, "a, b")):
        for indent in (None, 1):
            with pytest.raises(DataError, match=rf"object.*{keys}.*jq"):
                ingest(write(json.dumps(around, indent=indent)), root)


def test_exchanges_with_pictures_as_bytes(see, root, tmp_path):
    shown = {"bytes": (root / "a.png").read_bytes(), "path": None}
    said = [{"user": "a", "assistant": "b", "source": "x"}, {"user": "c", "assistant": "d", "source": "x"}]
    pq.write_table(pa.Table.from_pylist([{"images": [shown], "texts": said}, {"images": [], "texts": said[:1]}]),
                   tmp_path / "pool.parquet")
    seen = see(tmp_path / "pool.parquet")
    assert [len(sample.turns) for sample in seen.used.values()] == [4, 2]
    assert seen.used[0].turns[0].parts[0] == 0 and seen.open(0)[0].size == (40, 30)


def test_a_compressed_file_is_read_as_it_was_downloaded(see):
    assert list(see(gzip.compress(json.dumps(llava("Hi", image=None)).encode()), "pool.jsonl.gz").used) == [0]


def test_a_row_that_may_be_too_long_is_named_before_anything_is_computed(see):
    seen = see([llava("word " * 3000, image=None), llava("Hi", "word " * 3000, None), llava("Hi", image=None)])
    assert "tokens" in seen.warned[0] and "tokens" in seen.warned[1] and "tokens" not in seen.warned[2]


def test_thinking_beside_an_answer_is_read(see):
    answer = {"role": "assistant", "content": "51", "reasoning_content": "30 + 21"}
    seen = see([{"messages": [{"role": "user", "content": "17 · 3?"}, answer]}])
    assert "30 + 21" in seen.used[0].answer and "51" in seen.used[0].answer and "thinking" in seen.warned[0]


def test_every_text_block_is_read(see):
    def blocks(*texts: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": text} for text in texts]

    seen = see([{"messages": [{"role": "user", "content": blocks("First part.", "Second part.")},
                              {"role": "assistant", "content": blocks("Both", "read.")}]}])
    assert (seen.used[0].question, seen.used[0].answer) == ("First part.Second part.", "Bothread.")


def test_unicode_line_separators_do_not_break_an_exported_row(see):
    seen = see([llava("a\u2028b\x85c\u2029", image=None, note="x\u2028y")])
    for shape in WRITERS.values():
        assert len(line(shape(seen.used[0], ())).splitlines()) == 1
