"""Near-duplicates, and what the study keeps of its samples."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from cadc.data import Sample, Turn, answer_format, duplicate_groups, ingest, read_samples, read_table, write_samples
from cadc.data import table as table_module
from cadc.errors import JobError
from tests.data.conftest import llava


def scene(colour="red", x=20, marks=3, size=96):
    """A drawn scene; other arguments are another picture."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((x, 20, x + 30, 50), fill=colour)
    for step in range(marks):
        draw.rectangle((8 + 18 * step, 66, 18 + 18 * step, 80), fill="black")
    return image


@pytest.fixture
def scenes(root):
    scene().save(root / "one.png")
    scene().save(root / "copy.jpg", quality=60)
    scene().resize((64, 64), Image.Resampling.LANCZOS).save(root / "small.png")
    scene("blue").save(root / "blue.png")
    scene(x=40).save(root / "moved.png")
    scene(marks=4).save(root / "more.png")
    Image.new("RGB", (30, 30), "white").save(root / "white.png")
    Image.new("RGB", (30, 30), (254, 255, 253)).save(root / "white.jpg")
    Image.new("RGB", (30, 30), "grey").save(root / "grey.png")
    return root


def groups_of(write, root, rows):
    return duplicate_groups(ingest(write(rows), root)).tolist()


def test_copies_are_found_and_other_pictures_are_not(scenes, write):
    names = ["one.png", "copy.jpg", "blue.png", "moved.png", "more.png", "small.png", "one.png", "white.png",
             "white.jpg", "grey.png"]
    assert groups_of(write, scenes, [llava(image=n) for n in names]) == [0, 0, 2, 3, 4, 0, 0, 7, 7, 9]


def test_words_must_agree_but_for_case_spacing_and_punctuation(scenes, write):
    rows = [llava("<image>\nWhat is it?", "A ball."), llava("what is  it <image>", "a BALL"), 
            llava("<image> What is it?", "ball"),
            llava("What is it?", "A ball.", None), llava("What is it", "a ball", None), llava("+", "-", None),
            llava("-", "+", None), llava("<image><image>What is it?", "A ball.", ["a.png", "a.png"]),
            llava("<image><image>What is it?", "A ball.", ["a.png", "b.jpg"])]
    assert groups_of(write, scenes, rows) == [0, 0, 2, 3, 3, 5, 6, 7, 8]


def test_what_is_written_is_read_back(scenes, write, tmp_path):
    rows = [llava(id="ä\u2028", source="s"), llava("Is <image> <image>?", "yes", ["a.png", "b.jpg"]),
            llava("Hi", "Ho", None)]
    found = ingest(write(rows), scenes)
    groups = duplicate_groups(found)
    write_samples(tmp_path / "deep" / "pool.parquet", found, groups)
    assert read_samples(tmp_path / "deep" / "pool.parquet") == found.samples
    table = read_table(tmp_path / "deep" / "pool.parquet")
    assert list(table.columns) == ["index", "id", "images", "source", "unit", "question", "answer", "answer_format",
                                   "group", "raw"]
    assert table["images"].tolist() == [["a.png"], ["a.png", "b.jpg"], []]
    assert table["group"].to_numpy().dtype == np.int64 and [json.loads(r) for r in table["raw"]] == rows
    assert table["answer"].tolist() == ["red", "yes", "Ho"]


def test_a_table_of_many_row_groups_is_read_in_one_piece(scenes, write, tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "_BLOCK", 2)
    found = ingest(write([llava(f"Number {n}?", "yes") for n in range(7)]), scenes)
    write_samples(tmp_path / "pool.parquet", found, duplicate_groups(found))
    assert pq.ParquetFile(tmp_path / "pool.parquet").num_row_groups == 4
    table = pa.Table.from_pandas(read_table(tmp_path / "pool.parquet"))
    assert {table[name].num_chunks for name in table.column_names} == {1}
    assert table["question"].to_pylist() == [f"Number {n}?" for n in range(7)]


def test_a_missing_or_broken_table_is_a_clear_error(tmp_path):
    (tmp_path / "pool.parquet").write_bytes(b"PAR1")
    for name in ("pool.parquet", "none.parquet"):
        with pytest.raises(JobError, match="ingest"):
            read_table(tmp_path / name)


@pytest.mark.parametrize("answer, form", [
    ("Yes", "yes/no"), ("no.", "yes/no"), ("TRUE", "yes/no"), ("B", "letter"), ("(c)", "letter"), ("D.", "letter"),
    ("12", "number"), ("-3.5", "number"), ("1,000", "number"), ("$4.20", "number"), ("45%", "number"),
    ("3/4", "number"), ("60°", "number"), ("12 cm", "number"), ("red", "word"), ("seven", "word"), ("RM1.00", "word"),
    ("7 x 7", "phrase"),
    ("a red ball", "phrase"), ("A. red", "phrase"), ("It is a ball that lies on the table.", "text"), ("a\nb", "text"),
    (r"\int_0^1" + "x" * 80, "text")])
def test_answer_formats(answer, form):
    turns = (Turn(role="user", parts=("q",)), Turn(role="assistant", parts=(answer,)))
    assert answer_format(Sample(index=0, id="", turns=turns)) == form
