"""Parquet with pictures inside it, beside it, or none."""

import datetime
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cadc.data import ingest, open_images
from cadc.errors import DataError
from tests.data.conftest import picture


def png(seed: int, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, form)
    return buffer.getvalue()


CHAT = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "red"}]
TWO = [{"role": "user", "content": "<image><image>What?"}, {"role": "assistant", "content": "red"}]


def save(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("columns, seeds", [
    ({"image": [{"bytes": png(1), "path": None}], "messages": [CHAT]}, [1]),
    ({"images": [[{"bytes": png(1), "path": "x.png"}, {"bytes": png(2, "JPEG"), "path": None}]],
      "conversations": [TWO]}, [1, 2]),
    ({"image": [png(3)], "question": ["<image>What?"], "answer": ["red"]}, [3]),
    ({"images": [[png(3), png(4)]], "messages": [TWO]}, [3, 4]),
    ({"image": ["a.png"], "messages": [CHAT]}, [0]),
    ({"images": [["a.png"]], "messages": [CHAT]}, [0]),
    ({"image": [{"bytes": None, "path": "a.png"}], "messages": [CHAT]}, [0]),
    ({"image_1": [png(5)], "image_2": [png(6)], "instruction": ["<image> or <image>"], "output": ["first"]}, [5, 6])])
def test_every_way_to_hold_pictures_is_read(root, tmp_path, columns, seeds):
    path, kept = save(tmp_path / "pool.parquet", **columns), tmp_path / "kept"
    found = ingest(path, root, embedded_to=kept)
    assert not found.set_aside and "parquet" in found.format
    images = open_images(found.samples[0], root, kept)
    for seed, image in zip(seeds, images, strict=True):
        assert np.abs(np.asarray(image, float) - np.asarray(picture(seed), float)).mean() < 10
    assert not [p for p in kept.iterdir() if p.name.startswith(".")]


def test_embedded_pictures_are_kept_once_and_the_raw_row_names_them(root, tmp_path):
    cell = {"bytes": png(1), "path": "x.png"}
    words = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    path = save(tmp_path / "p", image=[cell, cell, None, {"bytes": b"no picture", "path": None}],
                id=["a", "b", "c", "d"], messages=[CHAT, CHAT, words, CHAT], when=[datetime.date(2020, 1, 2)] * 4,
                score=[1.5, float("nan"), None, 2.0], blob=[b"\xff"] * 4)
    found = ingest(path, root, embedded_to=tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert [r.reason.split(":")[0] for r in found.set_aside] == ["not a picture"]
    rows = [json.loads(raw) for raw in found.raw]
    assert rows[0]["image"] == found.samples[0].images[0] == found.samples[1].images[0]
    assert rows[0]["image"].startswith("ingest/images/") and rows[0]["image"].endswith(".png")
    assert rows[0]["when"] == "2020-01-02" and rows[1]["score"] is None and rows[0]["blob"] is None
    assert found.samples[2].images == () and rows[2]["image"] is None


def test_without_a_folder_embedded_pictures_are_examined_but_not_kept(root, tmp_path):
    path = save(tmp_path / "p", image=[png(1), png(1)[:-40]], messages=[CHAT, CHAT])
    found = ingest(path, root)
    assert len(found.samples) == 1 and found.set_aside[0].kind == "picture is truncated"
    with pytest.raises(DataError, match="not kept"):
        open_images(found.samples[0], root)


def test_a_picture_inside_a_block_is_read(root, tmp_path):
    none = {"type": "text", "text": "What?", "image": None}
    shown = {"type": "image", "text": None, "image": {"bytes": png(4), "path": None}}
    said = [{"role": "user", "content": [shown, none]}, {"role": "assistant", "content": [none | {"text": "red"}]}]
    found = ingest(save(tmp_path / "p", messages=[said]), root, embedded_to=tmp_path / "kept")
    assert found.samples[0].turns[0].parts == (0, "What?")
    assert np.array_equal(open_images(found.samples[0], root, tmp_path / "kept")[0], picture(4))
    assert found.samples[0].images[0] in found.raw[0]


def test_a_unit_column_of_numbers_and_blocks_with_nulls(root, tmp_path):
    blocks = [{"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "What?"}]},
              {"role": "assistant", "content": [{"type": "text", "text": "red"}]}]
    path = save(tmp_path / "p", images=[["a.png"]] * 2, messages=[blocks] * 2, subtask=[3, None])
    found = ingest(path, root, unit_column="subtask")
    assert found.samples[0].unit == "3" and found.samples[0].turns[0].parts == (0, "What?")
    assert found.set_aside[0].kind == "unit column is empty" and found.format == "messages-blocks parquet"


def test_a_parquet_file_cut_or_without_conversations_is_one_clear_line(root, tmp_path):
    path = save(tmp_path / "p", image=[png(1)] * 50, messages=[CHAT] * 50)
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="parquet file cannot be read"):
        ingest(cut, root)
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    cut.write_bytes(data)
    with pytest.raises(DataError, match="parquet file cannot be read"):
        ingest(cut, root)
    with pytest.raises(DataError, match="columns here: a, b"):
        ingest(save(tmp_path / "q", a=[1], b=["x"]), root)
    with pytest.raises(DataError, match="no rows"):
        ingest(save(tmp_path / "q", messages=pa.array([], pa.string())), root)
