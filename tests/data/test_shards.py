"""Several files as one input: rows counted through, reasons that name the file, folders of saved datasets."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cadc.data import check, ingest, open_images, run_ingest
from cadc.data.files import open_rows
from cadc.errors import DataError
from cadc.study import Study, StudyConfig
from cadc.study.progress import Silent
from tests.data.conftest import llava, picture
from tests.data.test_packed import gz, zst
from tests.data.test_parquet import CHAT, png


def rows(*ids):
    return [llava("Hi", "Hello", None, id=id) for id in ids]


def lines(*ids):
    return "".join(json.dumps(row) + "\n" for row in rows(*ids)).encode()


@pytest.fixture
def shards(tmp_path):
    """A folder with shards of every kind, and things that are none."""
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "part-1.jsonl").write_bytes(lines("a", "b"))
    (folder / "part-2.json").write_text(json.dumps(rows("c")))
    (folder / "part-3.jsonl.gz").write_bytes(gz(lines("d", "e")))
    pq.write_table(pa.table({"id": ["f"], "question": ["Hi"], "answer": ["Ho"]}), folder / "part-4.parquet")
    (folder / "part-10.jsonl").write_bytes(zst("".join(map(json.dumps, rows("g"))).encode("utf-16")))
    (folder / "part-11.jsonl").write_bytes(b"\n")
    (folder / "README.md").write_text("read me")
    picture(0).save(folder / "a.png")
    return folder


def test_rows_are_counted_through_all_shards_in_natural_order(shards):
    for given in (shards, str(shards), f"{shards}/part-*"):
        found = ingest(given)
        assert [(s.index, s.id) for s in found.samples] == list(enumerate("abcdefg"))
        assert not found.set_aside and found.rows == 7 and "jsonl+json+parquet" in found.format
    passed = open_rows(shards).passed_over
    assert passed == {"README.md": 1, "*.png": 1, "part-11.jsonl (empty)": 1}
    assert check(shards)["passed_over"] == ingest(shards).passed_over == passed
    walked = open_rows(shards)
    assert [row.index for row in walked] == list(range(7))
    assert walked.place(0) == "part-1.jsonl row 0" and walked.place(4) == "part-3.jsonl.gz row 1"
    assert walked.place(6) == "part-10.jsonl row 0"


def test_a_reason_and_a_warning_name_the_shard(shards):
    (shards / "part-2.json").write_text(json.dumps([7, *rows("a"), llava(image="none.png")]))
    (shards / "part-3.jsonl.gz").write_bytes(gz(b"{broken\n" + lines("e")))
    report = check(shards)
    assert report["samples"] == 9
    assert [(one["index"], one["reason"]) for one in report["set_aside"]] == [
        (2, "row is not an object: it is a number, part-2.json row 0"),
        (4, "picture not found: none.png, part-2.json row 2"),
        (5, "line is not JSON: line 1, column 2, Expecting property name enclosed in double quotes, "
            "part-3.jsonl.gz row 0")]
    assert report["warnings"][0]["reason"] == "duplicate id: first in row 0, part-2.json row 1"


def test_one_plain_file_is_named_nowhere_in_its_reasons(shards):
    (shards / "part-1.jsonl").write_bytes(lines("a") + b"7\n")
    assert check(shards / "part-1.jsonl")["set_aside"][0]["reason"] == "row is not an object: it is a number"


@pytest.mark.parametrize("name, data, message", [
    ("part-2.json", b'[{"id": 1},', "part-2.json: the JSON list cannot be read"),
    ("part-3.jsonl.gz", gz(lines("d") * 999)[:-9], "part-3.jsonl.gz: the gzip archive.*rows were read before"),
    ("part-4.parquet", b"PAR1 no", "part-4.parquet: the parquet file"),
    ("part-5.json", b'{"a": 1}\n{', None),
    ("part-5.json", b'{\n "weights": [1, 2]\n}', "part-5.json is one JSON object"),
    ("part-5.json", b"hello", "part-5.json is neither")])
def test_a_shard_that_cannot_be_read_is_named(shards, name, data, message):
    (shards / name).write_bytes(data)
    if message is None:
        assert len(ingest(shards).set_aside) == 2
        return
    with pytest.raises(DataError, match=message) as raised:
        check(shards)
    assert "\n" not in str(raised.value)


def test_a_folder_without_rows_or_with_a_shard_that_is_gone_is_one_clear_line(shards, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.jsonl").write_text("\n")
    with pytest.raises(DataError, match="every file in .* is empty"):
        ingest(tmp_path / "none")
    (tmp_path / "none" / "a.jsonl").write_text("[]")
    with pytest.raises(DataError, match="holds no rows"):
        ingest(tmp_path / "none")
    os.symlink(tmp_path / "nowhere.jsonl", shards / "part-5.jsonl")
    assert open_rows(shards).passed_over["part-5.jsonl"] == 1


def test_pictures_beside_the_shards_are_found_and_a_study_reads_them(shards, tmp_path):
    (shards / "part-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [llava(id=1), llava(id=2)]))
    target = tmp_path / "target.jsonl"
    target.write_bytes(lines("t"))
    config = StudyConfig(pool=f"{shards}/part-1*", target=str(target), model="none/such")
    study = Study.create("s", config, created="2020-01-01", root=tmp_path / "cache")
    run_ingest(study, Silent())
    report = json.loads(study.ingest_report.read_text())
    assert report["pool"]["accepted"] == 3 and report["pool"]["pictures"] == 1


# ---- datasets saved by the datasets library ------------------------------------------------------------------------
def save_stream(path, table, rows_a_batch=2):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, rows_a_batch)


def test_a_saved_dataset_is_read_with_its_pictures(root, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    for shard in range(2):
        table = pa.table({"image": [{"bytes": png(shard), "path": None}] * 3, "messages": [CHAT] * 3,
                          "id": [f"{shard}-{n}" for n in range(3)]})
        save_stream(folder / f"data-0000{shard}-of-00002.arrow", table)
    (folder / "dataset_info.json").write_text('{"features": {}}')
    (folder / "state.json").write_text(json.dumps({"_data_files": [
        {"filename": f"data-0000{shard}-of-00002.arrow"} for shard in range(2)]}))
    found = ingest(folder, embedded_to=tmp_path / "kept")
    assert [s.id for s in found.samples] == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"] and "arrow" in found.format
    image = open_images(found.samples[5], root, tmp_path / "kept")[0]
    assert image.tobytes() == picture(1).tobytes()


def test_what_datasets_saves_is_read(root, tmp_path):
    import datasets

    made = datasets.Dataset.from_dict({"image": [str(root / "a.png")] * 5, "question": ["<image>What?"] * 5,
                                       "answer": ["red"] * 5}).cast_column("image", datasets.Image())
    made.save_to_disk(tmp_path / "saved", num_shards=2)
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "dict")
    for given in (tmp_path / "saved", tmp_path / "dict", tmp_path / "dict" / "train"):
        found = ingest(given, embedded_to=tmp_path / "kept")
        assert len(found.samples) == 5 and not found.set_aside and found.samples[0].images[0].endswith(".png")


def test_a_feather_file_is_read_and_a_damaged_arrow_file_is_one_clear_line(tmp_path):
    table = pa.table({"question": ["Hi"] * 5, "answer": ["Ho"] * 5})
    with pa.OSFile(str(tmp_path / "f"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert len(ingest(tmp_path / "f").samples) == 5
    save_stream(tmp_path / "s.arrow", table)
    whole = (tmp_path / "s.arrow").read_bytes()
    for at in range(4, len(whole) - 8, 8):
        (tmp_path / "s.arrow").write_bytes(whole[:at] + b"\xff\xfe\xfd\x7f" + whole[at + 4:])
        try:
            ingest(tmp_path / "s.arrow")
        except DataError as error:
            assert "\n" not in str(error)
    (tmp_path / "s.arrow").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="arrow file cannot be read after row"):
        ingest(tmp_path / "s.arrow")
