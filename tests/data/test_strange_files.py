"""Files that are nearly what they should be: read, or refused with what they are."""

import base64
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL.PngImagePlugin import PngInfo

from cadc.data import check, ingest
from cadc.errors import DataError
from tests.data.conftest import llava, picture

HI, HELLO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
GOOD = json.dumps(llava())


@pytest.mark.parametrize("text", ['{"question": "q", "answer": "a", "answer": "b"}',
                                  '{"messages": [{"role": "user", "content": "x", "content": "y"}]}'])
@pytest.mark.parametrize("form", ["{}\n{}\n", "[{}, {}]"])
def test_a_key_that_stands_twice_with_two_values_is_not_chosen_from(write, root, text, form):
    found = check(write(form.format(text, GOOD), "pool.jsonl"), root)
    assert found["accepted"] == 1 and found["set_aside"][0]["reason"].startswith("key stands twice in one object: ")


def test_a_key_that_says_the_same_twice_costs_nothing(write, root):
    assert check(write('{"question": "q", "answer": "a", "answer": "a"}\n', "pool.jsonl"), root)["accepted"] == 1


@pytest.mark.parametrize("name", ["pool.json", "pool.jsonl"])
def test_a_row_may_be_a_list_of_turns(write, root, name):
    found = ingest(write([[HI, HELLO], [HI, HELLO]], name), root)
    assert [len(sample.turns) for sample in found.samples] == [2, 2]
    assert found.keys["column"] == {"read": {"messages": 2}}


@pytest.mark.parametrize("text, words", [
    ("{'question': 'q', 'answer': 'a'}\n" * 2, "objects as Python prints them"),
    ("{'question': 'q', 'answer': 'a'}\n", "single quotes, as Python prints them"),
    ("question,answer\nq,a\n", r"CSV.*read_csv\('pool.txt', keep"),
    ("question\tanswer\nq\ta\n", r"TSV.*sep='\\t'"),
    ("- question: q\n  answer: a\n", "YAML"),
    ("<!DOCTYPE html>\n<html>", "a web page"),
    ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ('{"question": ["q"], "answer": ["a"]}', r"a column under each key \(question, answer\)"),
    ('{"question": {"0": "q"}, "answer": {"0": "a"}}', "a column under each key"),
    ('{"messages": [[{"role": "user", "content": "Hi"}]], "id": [1]}', "a column under each key"),
])
def test_what_holds_no_rows_is_called_by_its_name(write, root, text, words):
    with pytest.raises(DataError, match=words):
        ingest(write(text, "pool.txt"), root)


def test_several_rows_on_one_line_are_no_row(write, root):
    found = check(write(f"{GOOD},\n{GOOD}{GOOD}\n{GOOD}\n", "pool.jsonl"), root)
    assert found["accepted"] == 1 and all("one row a line" in one["reason"] for one in found["set_aside"])


def png() -> bytes:
    held = io.BytesIO()
    picture(5).save(held, "PNG")
    return held.getvalue()


@pytest.mark.parametrize("column", [
    pa.array([[png()]], pa.list_(pa.binary(), 1)), pa.array([png()], pa.binary_view()), pa.array([png()]),
    pa.array([png()]).dictionary_encode(), pa.array([{"bytes": png(), "path": None}]),
], ids=["fixed list", "view", "binary", "dictionary", "struct"])
def test_pictures_in_columns_of_any_type(tmp_path, root, column):
    path = tmp_path / "pool.arrow"
    table = pa.table({"question": ["q"], "answer": ["a"], "image": column})
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    assert [len(sample.images) for sample in ingest(path, root).samples] == [1]


def test_a_picture_without_bytes_is_the_one_at_its_path(tmp_path, root):
    path = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"question": ["q"], "answer": ["a"], "image": [{"bytes": b"", "path": "a.png"}]}), path)
    assert ingest(path, root).samples[0].images == ("a.png",)


@pytest.mark.parametrize("name, seen", [("jpg", "picture without a tag"), ("thing", "thing holds a picture, and")])
def test_a_picture_in_a_column_of_another_name(tmp_path, root, name, seen):
    path = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"question": ["q"], "answer": ["a"], name: [png()]}), path)
    assert any(seen in one["reason"] for one in check(path, root)["warnings"])


def test_two_picture_columns_are_named(tmp_path, root):
    path, one = tmp_path / "pool.parquet", [{"bytes": png(), "path": None}]
    pq.write_table(pa.table({"question": ["q"], "answer": ["a"], "image": one, "mask": one}), path)
    assert any("several columns: image, mask" in one["reason"] for one in check(path, root)["warnings"])


def test_two_columns_of_one_name_are_refused(tmp_path, root):
    path = tmp_path / "pool.parquet"
    columns = [pa.array(["q"]), pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["question", "answer", "answer"]), path)
    with pytest.raises(DataError, match="two columns have the name 'answer'"):
        ingest(path, root)


def test_a_decimal_is_no_text(tmp_path, root):
    path = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"question": ["q"], "answer": [Decimal("1.50")]}), path)
    assert "text is not a text: answer is Decimal" in check(path, root)["set_aside"][0]["reason"]


def save(root, name, size, **more):
    picture(1, (40, 30)).resize(size).save(root / name, **more)


@pytest.mark.parametrize("size, words", [((1300, 6), "very narrow picture: odd.png, 1300 × 6"),
                                         ((60, 2), "very small picture")])
def test_pictures_of_sizes_that_processors_refuse_are_named(write, root, size, words):
    save(root, "odd.png", size)
    found = check(write([llava(image="odd.png")]), root)
    assert found["accepted"] == 1 and any(words in one["reason"] for one in found["warnings"])


def test_a_picture_with_more_text_than_pillow_reads_is_called_that(write, root):
    text = PngInfo()
    text.add_text("parameters", "y" * 2_000_000, zip=True)
    save(root, "text.png", (40, 30), pnginfo=text)
    assert "more text than Pillow reads" in check(write([llava(image="text.png")]), root)["set_aside"][0]["reason"]


@pytest.mark.parametrize("name", ["a.png ", "a.png\n", " a.png"])
def test_white_space_around_a_picture_name_is_seen_through(write, root, name):
    found = ingest(write([llava(image=name)]), root)
    assert found.samples[0].images == ("a.png",) and "white space at its ends" in found.warnings[0].reason


@pytest.mark.parametrize("other", ["data.jsonl.gz", "data.parquet", "data.json"])
def test_a_folder_with_the_same_name_twice_does_not_count_its_rows_twice(tmp_path, other):
    folder = tmp_path / "pool"
    folder.mkdir()
    for name in ("data.jsonl", other):
        (folder / name).write_text(GOOD + "\n")
    with pytest.raises(DataError, match="may be the same rows twice"):
        ingest(folder)


def test_names_that_only_begin_alike_are_several_shards(tmp_path):
    for name in ("part.v1.jsonl", "part.v2.jsonl"):
        (tmp_path / name).write_text('{"question": "q", "answer": "a"}\n')
    assert len(ingest(tmp_path).samples) == 2


def test_base64_in_a_list_written_as_text_is_a_picture(write, root):
    found = ingest(write([llava(image=json.dumps([base64.b64encode(png()).decode()]))]), root)
    assert [name.startswith("ingest/images/") for name in found.samples[0].images] == [True]
