"""`cadc verify FOLDER`: each kind of fault once with its count, on another machine and without the study."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from curricula import pictures, quick, talk, written
from PIL import Image

from cadc.cli import main
from cadc.data import PictureLimits, Sample
from cadc.demo import MODEL_DIR
from cadc.errors import DataError
from cadc.export.verify import verify

FORMS = [("llamafactory", "copy"), ("ms-swift", "link"), ("llava", "copy"), ("hub", "parquet"), ("hub", "copy"),
         ("axolotl", "absolute"), ("webdataset", "copy")]


def plain() -> list[Sample]:
    """Rows that every trainer holds and every reader gives back."""
    return [Sample(index=n, id=f"r{n}", images=("a.png",) if n % 2 else ("b.png",) * (n % 3 == 0),
                   turns=talk((0, f"What is {n}?") if n % 2 or n % 3 == 0 else f"And {n}?", f"It is {n}."))
            for n in range(12)]


@pytest.fixture
def root(tmp_path):
    return pictures(tmp_path / "pictures")


@pytest.fixture
def out(root, tmp_path):
    written(tmp_path / "first", root, "llamafactory", found=plain())
    shutil.copytree(tmp_path / "first", tmp_path / "out")
    shutil.rmtree(tmp_path / "first")
    shutil.rmtree(root)
    return tmp_path / "out"


@pytest.mark.parametrize("form, how", FORMS)
def test_a_sound_export_is_restored_row_by_row(root, tmp_path, form, how):
    written(tmp_path / "out", root, form, found=plain(), how=how)
    found = verify(tmp_path / "out")
    assert found.faults == {} and found.rows == found.restored == 12
    assert found.pictures > 0 and found.files > 3
    assert found.remarks == ["lengths were not measured: --model says by whose processor"]


def test_it_needs_neither_study_nor_pool(out, capsys):
    assert main(["verify", str(out)]) == 0
    assert "12 rows, 12 of them restored as written" in capsys.readouterr().out
    assert main(["verify", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) | {"folder": "", "remarks": []} == {
        "folder": "", "rows": 12, "restored": 12, "files": 10, "pictures": 2, "faults": {}, "remarks": []}


def test_pictures_that_are_gone_or_broken_are_each_named_once(out, capsys):
    (out / "images" / "a.png").write_bytes((out / "images" / "a.png").read_bytes()[:50])
    (out / "images" / "b.png").unlink()
    found = verify(out)
    counts = {kind: len(where) for kind, where in found.faults.items()}
    assert counts == {"file has other bytes than were written": 1, "file is missing": 1, "picture not found": 2,
                      next(kind for kind in counts if kind.startswith("picture is")): 6}
    assert main(["verify", str(out)]) == 1
    assert "picture not found: 2 (row 0, row 6)" in capsys.readouterr().out


def test_another_picture_under_the_same_name_is_noticed(out):
    Image.new("RGB", (41, 30), "white").save(out / "images" / "b.png")
    found = verify(out)
    assert found.faults["file has other bytes than were written"] == ["images/b.png"]
    assert found.faults["row reads back otherwise than it was written"] == ["row 0", "row 6"]


def change(path: Path, function) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(function(lines)))


def test_rows_out_of_order_changed_or_lost_are_told_apart(out):
    whole = out / "curriculum.jsonl"
    kept = whole.read_bytes()
    change(whole, lambda lines: [lines[1], lines[0], *lines[2:]])
    assert verify(out).faults["row is not at its place"] == ["row 0", "row 1"]
    whole.write_bytes(kept)
    change(whole, lambda lines: [lines[0].replace("It is 0", "It is 9"), *lines[1:]])
    assert verify(out).faults["row reads back otherwise than it was written"] == ["row 0"]
    whole.write_bytes(kept)
    change(whole, lambda lines: lines[:-1])
    assert verify(out).faults["another number of rows than was written"] == ["11 instead of 12"]
    whole.write_bytes(kept)
    change(whole, lambda lines: [lines[0].replace('"cadc_stage": 1', '"cadc_stage": 2'), *lines[1:]])
    assert verify(out).faults["row is of another stage"] == ["row 0: 2 instead of 1"]
    whole.write_bytes(kept)
    assert verify(out).faults == {}


def test_a_config_that_was_changed_is_a_remark(out):
    with (out / "llamafactory.yaml").open("a") as handle:
        handle.write("# mine\n")
    found = verify(out)
    assert found.faults == {} and "changed since it was written: llamafactory.yaml" in found.remarks


def test_rows_over_the_limit_are_counted_by_a_processor(root, tmp_path, capsys):
    long = [*plain()[:3], Sample(index=50, id="long", turns=talk("word " * 300, "yes"))]
    written(tmp_path / "out", root, "llamafactory", found=long, stages=1, recipe=quick(1, 2, max_tokens=250))
    assert main(["verify", str(tmp_path / "out"), "--model", str(MODEL_DIR)]) == 1
    said = capsys.readouterr().out
    assert "longer than the 250 tokens of the recipe: 1 (row 3: " in said and "not measured" not in said


def test_what_is_no_export_is_one_line_and_2(out, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty")]) == 2
    assert "it is no export, or writing it was interrupted" in capsys.readouterr().err
    (out / "manifest.json").write_text("{")
    assert main(["verify", str(out)]) == 2
    (out / "manifest.json").write_text('{"rows": []}')
    with pytest.raises(DataError, match="not of an export"):
        verify(out)


def test_a_manifest_that_names_files_elsewhere_reads_none_of_them(out):
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["picture_files"] += [{"file": "../pool", "bytes": 1, "sha256": ""}, {"file": "/etc/hostname", "bytes": 1,
                                                                                  "sha256": ""}]
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert verify(out).faults == {"file outside the folder": ["../pool", "/etc/hostname"]}


def mended(out: Path) -> None:
    """Sizes and digests of every file as it is now."""
    manifest = json.loads((out / "manifest.json").read_text())
    for one in [*manifest["files"], *manifest["beside"], *manifest["picture_files"]]:
        data = (out / one["file"]).read_bytes()
        one |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("form, name, kind", [
    ("llava", "curriculum.json", "file has other rows than the whole"),
    ("llava", "stage-02.jsonl", "file has other rows than the whole"),
    ("llava", "stage-02.json", "file has other rows than the whole"),
    ("ids", "ids.jsonl", "ids are not those that were written"),
    ("trl", "curriculum.jsonl", "row is not at its place")])
def test_an_order_that_was_changed_together_with_its_digests_is_noticed(root, tmp_path, form, name, kind):
    out = tmp_path / "out"
    written(out, root, form, found=plain())
    assert verify(out).faults == {}
    lines = (out / name).read_text().splitlines()
    first = int(name.endswith(".json"))
    lines[first:first + 2] = [lines[first + 1], lines[first]]
    (out / name).write_text("\n".join(lines) + "\n")
    mended(out)
    assert kind in verify(out).faults


@pytest.mark.parametrize("key, kind", [("cadc_capability", "row is of another capability"),
                                       ("id", "row has another id"), ("cadc_stage", "row is of another stage")])
def test_what_a_row_is_called_is_compared_too(out, key, kind):
    change(out / "curriculum.jsonl", lambda lines: [json.dumps(json.loads(lines[0]) | {key: "9"}) + "\n", *lines[1:]])
    assert len(verify(out).faults[kind]) == 1


@pytest.mark.parametrize("damage", [
    {"rows": 5}, {"rows": [1, 2]}, {"rows_written": "a"}, {"recipe": None}, {"pictures": {}}, {"data": 3}, {"data": []},
    {"data": ["../../etc/passwd"]}, {"files": ["x"]}, {"files": [{"file": "a"}]}, {"picture_files": {}},
    {"stage_files": [{}]}])
def test_a_damaged_manifest_is_one_line(out, damage, capsys):
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | damage))
    assert main(["verify", str(out)]) == 2
    assert "manifest.json is damaged: `" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder_is_told_what_to_do(out, tmp_path, capsys):
    (tmp_path / "export.zip").write_bytes(b"PK")
    assert main(["verify", str(tmp_path / "export.zip")]) == 2
    assert "Unpack it (`unzip`)" in capsys.readouterr().err
    assert main(["verify", str(out / "manifest.json")]) == 2
    assert f"Name the folder that it lies in: {out}" in capsys.readouterr().err


def test_pictures_may_be_as_large_as_the_study_let_them_be(root, tmp_path):
    Image.new("1", (10_100, 10_000)).save(root / "a.png")
    limits = PictureLimits(max_pixels=102_000_000)
    written(tmp_path / "out", root, "hub", found=plain(), limits=limits, config={"max_pixels": 102_000_000})
    assert verify(tmp_path / "out").faults == {}
