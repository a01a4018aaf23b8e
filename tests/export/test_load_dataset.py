"""`datasets.load_dataset(FOLDER)` reads every export: rows in order, stages as splits, pictures inside."""

import io
import json

import numpy as np
import pytest
from curricula import pictures, samples, written
from datasets import load_dataset
from PIL import Image

from cadc.export import FORMATS

COMBINED = [(name, how) for name, form in FORMATS.items() for how in form.pictures or (None,) if name != "input"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("pictures"))


def ids(rows) -> list[str]:
    """Of rows of any format."""
    return [row["id"] for row in rows]


@pytest.mark.parametrize("form, how", COMBINED)
def test_every_folder_loads_in_order_and_by_stages(root, tmp_path, form, how):
    done = written(tmp_path / "out", root, form, how=how)
    wanted = [row["id"] for row in done.manifest["rows"]]
    cache = str(tmp_path / "cache")
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache)
    assert ids(rows) == wanted
    assert rows["cadc_stage"] == [row["stage"] for row in done.manifest["rows"]]
    assert rows["cadc_capability"] == [row["name"] for row in done.manifest["rows"]]
    if not FORMATS[form].loads:
        stages = load_dataset(str(tmp_path / "out"), "stages", cache_dir=cache)
        assert [len(part) for part in stages.values()] == [s["last"] - s["first"] for s in done.manifest["stage_files"]]
        assert [name for part in stages.values() for name in ids(part)] == wanted


@pytest.mark.parametrize("form", ["hub", "trl"])
def test_pictures_inside_parquet_are_pictures(root, tmp_path, form):
    written(tmp_path / "out", root, form, how="parquet")
    assert not (tmp_path / "out" / "images").exists()
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    for sample, row in zip(samples(), rows, strict=True):
        assert len(row["images"]) == len(sample.images)
        for name, image in zip(sample.images, row["images"], strict=True):
            assert np.array_equal(np.asarray(image), np.asarray(Image.open(root / name)))


def test_streamed_rows_come_in_order_too(root, tmp_path):
    written(tmp_path / "out", root, "hub", how="parquet")
    rows = load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    assert ids(rows) == [sample.id for sample in samples()]


def test_columns_of_several_types_are_left_for_readers_of_one_type_and_the_manifest_says_why(root, tmp_path):
    done = written(tmp_path / "out", root, "hub")
    told = done.manifest["columns"]
    assert told["written"] == ["license", "meta", "rare"]
    assert told["left"] == {"tags": "a list in some rows, text in others"}
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["license"] == ["cc-by-4.0"] * len(samples()) and rows[0]["meta"] == {"n": 1.5}
    assert rows["rare"] == [None, None, "só", None, None, None]
    assert told["licences"] == {"license": {"cc-by-4.0": len(samples())}}
    assert "`cc-by-4.0` 6" in (tmp_path / "out" / "README.md").read_text()
    full = written(tmp_path / "all", root, "webdataset").manifest["columns"]
    assert full["written"] == ["license", "meta", "tags", "rare"] and full["left"] == {}


@pytest.mark.parametrize("form, name", [("ms-swift", "label"), ("llava", "video"), ("axolotl", "images"),
                                        ("trl", "messages")])
def test_a_column_that_the_trainer_would_take_for_its_own_is_left(root, tmp_path, form, name):
    from dataclasses import replace

    found = [replace(sample, kept=json.dumps({name: "", "note": "x"})) for sample in samples()[:2]]
    told = written(tmp_path / "out", root, form, found=found, stages=1).manifest["columns"]
    assert told["written"] == ["note"] and "the trainer reads a column" in told["left"][name]
    for path in (tmp_path / "out").glob("curriculum.json*"):
        assert f'"{name}"' not in path.read_text()


def test_a_json_list_has_every_column_and_json_lines_those_of_one_type(root, tmp_path):
    written(tmp_path / "out", root, "llava-next")
    every = json.loads((tmp_path / "out" / "curriculum.json").read_text())
    alike = [json.loads(text) for text in (tmp_path / "out" / "curriculum.jsonl").read_text().split("\n")[:-1]]
    assert [row.get("tags") for row in every] == [["x"], "x", ["y"], [], ["z"]]
    assert "rare" not in every[0] and all("tags" not in row for row in alike)
    assert [{k: v for k, v in row.items() if k not in ("tags", "rare")} for row in every] == [
        {k: v for k, v in row.items() if k != "rare"} for row in alike]


def test_a_column_that_begins_late_is_still_read(root, tmp_path):
    """`datasets` guesses types from the first 10 MB."""
    from dataclasses import replace

    base = samples()[1]
    found = [replace(base, index=n, id=f"r{n}", kept=json.dumps({"note": "x" * 100} if n == 25 else {}))
             for n in range(30)]
    done = written(tmp_path / "out", root, "trl", found=found, stages=1)
    assert done.manifest["columns"]["written"] == ["note"]
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["note"] is not None for row in rows] == [n == 25 for n in range(30)]
    late = [replace(base, index=n, id=f"r{n}", kept=json.dumps({"big": "y" * 999} | ({"note": "x"} if n > 1190 else {}))
                    )
            for n in range(1200)]
    told = written(tmp_path / "late", root, "trl", found=late, stages=1).manifest["columns"]
    assert "comes too late" in told["left"]["note"] and told["written"] == ["big"]


def test_a_webdataset_member_is_the_picture(root, tmp_path):
    import tarfile

    written(tmp_path / "out", root, "webdataset")
    shards = sorted((tmp_path / "out").glob("*.tar"))
    assert len(shards) == 3
    for shard in shards:
        with tarfile.open(shard) as tar:
            names = tar.getnames()
            assert names == sorted(names, key=lambda name: name.split(".")[0])
            for member in tar.getmembers():
                assert (member.mtime, member.uid, member.uname) == (0, 0, "")
                if member.name.endswith(".json"):
                    row = json.load(tar.extractfile(member))
                    assert set(row["images"]) <= set(names)
                    for place, name in enumerate(row["images"]):
                        sample = next(s for s in samples() if s.id == row["id"])
                        data = tar.extractfile(name).read()
                        assert data == (root / sample.images[place]).read_bytes()
                        Image.open(io.BytesIO(data)).load()
