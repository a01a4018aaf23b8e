"""Where the files of an input lie: order, what is passed over, what is refused, what a study's identity is made of."""

import json
import os

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from cadc.errors import DataError
from cadc.study import Study, StudyConfig, file_digest, identity_of
from cadc.study.inputs import input_files, input_root, input_there, natural


def lay(folder, *names, text='{"question": "a", "answer": "b"}\n'):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def names_of(given, folder):
    return [path.relative_to(folder).as_posix() for path in input_files(given).files]


@given(st.lists(st.integers(0, 10**6), unique=True), st.sampled_from(["part-{}.jsonl", "{}", "a{}b.json"]))
def test_numbered_names_come_in_the_order_of_their_numbers(numbers, form):
    assert sorted((form.format(n) for n in numbers), key=natural) == [form.format(n) for n in sorted(numbers)]
    padded = [f"x-{n:08}-of-9.parquet" for n in numbers]
    assert sorted(padded, key=natural) == sorted(padded)


def test_the_shards_of_a_folder_come_in_natural_order_and_the_rest_is_named(tmp_path):
    lay(tmp_path, "part-10.jsonl", "part-2.jsonl.gz", "part-1.JSON", "README.md", ".gitattributes", "state.json",
        "a.jpg", "b.JPG", "notes.txt", "dataset_info.json", "pictures/c.png")
    (tmp_path / "part-00000").write_text('{"id": 1}\n')  # no ending: by its first bytes
    (tmp_path / "blob").write_bytes(b"\x00\x01")
    assert names_of(tmp_path, tmp_path) == ["part-00000", "part-1.JSON", "part-2.jsonl.gz", "part-10.jsonl"]
    found = input_files(str(tmp_path))
    assert found.passed_over == {"README.md": 1, ".gitattributes": 1, "state.json": 1, "*.jpg": 2, "notes.txt": 1,
                                 "dataset_info.json": 1, "pictures/": 1, "blob": 1}
    assert found.root == tmp_path and input_root(str(tmp_path)) == tmp_path


def test_a_glob_finds_its_files_and_the_folder_it_begins_in(tmp_path):
    lay(tmp_path, "d/x/2.jsonl", "d/x/10.jsonl", "d/y/1.jsonl", "d/x/README.md", "d[1]/a.json", "e*.json")
    assert names_of(f"{tmp_path}/d/*/*", tmp_path) == ["d/x/2.jsonl", "d/x/10.jsonl", "d/y/1.jsonl"]
    assert input_files(f"{tmp_path}/d/*/*").passed_over == {"x/README.md": 1}
    assert input_root(f"{tmp_path}/d/*/*") == tmp_path / "d"
    assert names_of(f"{tmp_path}/d[1]/*.json", tmp_path) == ["d[1]/a.json"]  # a folder of that name is no pattern
    assert names_of(f"{tmp_path}/e*.json", tmp_path) == ["e*.json"]
    assert names_of(f"{tmp_path}/**/1.jsonl", tmp_path) == ["d/y/1.jsonl"]


@pytest.mark.parametrize("lying, given, message", [
    (["README.md", "a.png"], "", "no file in .* is data. There lies: README.md, \\*.png"),
    ([], "", "There lies: nothing"), (["x.json"], "*.parquet", "no file matches .*lies: x.json"),
    (["x.md"], "*.md", "is data: x.md"), (["x.json"], "y.json", "not found"),
    (["train.json", "test.json"], "", "several splits: test \\(test.json\\), train"),
    (["pool.json", "val-1.json"], "", "several splits"),
    (["a/x.json", "b/y.json"], "", "several folders: a, b"),
    (["x-train-1.arrow", "x-validation-1.arrow"], "", "several splits")])
def test_what_holds_no_one_input_is_refused_with_what_lies_there(tmp_path, lying, given, message):
    lay(tmp_path, *lying)
    with pytest.raises(DataError, match=message) as raised:
        input_files(f"{tmp_path}/{given}")
    assert "\n" not in str(raised.value) and not input_there(f"{tmp_path}/{given}")


def test_the_only_folder_with_data_is_entered_and_training_files_may_be_named_so(tmp_path):
    lay(tmp_path, "README.md", "data/train-00001-of-2.json", "data/train-00000-of-2.json", "data/x.txt", "img/a.png")
    assert names_of(tmp_path, tmp_path) == ["data/train-00000-of-2.json", "data/train-00001-of-2.json"]
    assert input_files(tmp_path).passed_over == {"README.md": 1, "img/": 1, "data/x.txt": 1}
    assert input_files(tmp_path).root == tmp_path


def test_a_saved_dataset_is_read_in_its_own_order_and_one_of_several_splits_must_be_named(tmp_path):
    lay(tmp_path, "one/data-1.arrow", "one/data-0.arrow", "one/data-9.arrow", "one/dataset_info.json")
    state = {"_data_files": [{"filename": "data-1.arrow"}, {"filename": "data-0.arrow"}]}
    (tmp_path / "one" / "state.json").write_text(json.dumps(state))
    assert names_of(tmp_path / "one", tmp_path) == ["one/data-1.arrow", "one/data-0.arrow"]
    assert input_files(tmp_path / "one").passed_over == {"data-9.arrow": 1, "dataset_info.json": 1, "state.json": 1}
    (tmp_path / "one" / "data-0.arrow").unlink()
    with pytest.raises(DataError, match="not there: data-0.arrow"):
        input_files(tmp_path / "one")
    lay(tmp_path, "two/train/data-0.arrow", "two/test/data-0.arrow")
    (tmp_path / "two" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(DataError, match="splits train, test. Give .*two/train"):
        input_files(tmp_path / "two")
    (tmp_path / "two" / "dataset_dict.json").write_text('{"splits": ["train", "../../etc"]}')
    assert names_of(tmp_path / "two", tmp_path) == ["two/train/data-0.arrow"]


def cached(hub, name, revision="abc123", *files):
    folder = hub / f"datasets--{name.replace('/', '--')}"
    lay(folder, "refs/main", text=revision)
    return lay(folder / "snapshots" / revision, *files)


def test_a_downloaded_dataset_is_found_by_its_name_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="`hf download some/data --repo-type dataset`"):
        input_files("some/data")
    snapshot = cached(tmp_path / "hub", "some/data", "abc123", "README.md", "a/train-1.jsonl", "b/train-1.jsonl")
    with pytest.raises(DataError, match="several folders: a, b"):
        input_files("some/data")
    assert names_of("some/data/a", snapshot) == ["a/train-1.jsonl"] and input_root("some/data/a") == snapshot / "a"
    assert names_of("some/data/*/*.jsonl", snapshot) == ["a/train-1.jsonl", "b/train-1.jsonl"]
    assert input_root("some/data/*/*.jsonl") == snapshot
    with pytest.raises(DataError):
        input_files("some/data/../../secret")
    lay(tmp_path, "some/data/x.json")  # a path of that name comes first
    assert [str(path) for path in input_files("some/data").files] == ["some/data/x.json"]


def test_contents_in_order_make_the_identity_and_names_do_not(tmp_path):
    def identity(pool):
        config = StudyConfig(pool=str(pool), target=str(tmp_path / "target.json"), model="none/such")
        return identity_of(config, tmp_path / "cache")

    lay(tmp_path, "target.json", "single/x.jsonl")
    for folder, names in (("one", "ab"), ("two", "xy"), ("three", "ba")):
        for name, text in zip(names, ("first", "second"), strict=True):
            lay(tmp_path, f"{folder}/{name}.jsonl", text=text)
    assert identity(tmp_path / "one") == identity(tmp_path / "two") == identity(f"{tmp_path}/two/*.jsonl")
    assert identity(tmp_path / "one") != identity(tmp_path / "three")
    assert identity(tmp_path / "single")[1]["pool"] == file_digest(tmp_path / "single" / "x.jsonl")
    before = identity(tmp_path / "one")
    lay(tmp_path, "one/README.md")
    assert identity(tmp_path / "one") == before
    with pytest.raises(DataError, match="pool file .*nowhere"):
        identity(tmp_path / "nowhere.json")


def test_a_study_of_a_folder_keeps_its_digest_when_the_folder_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(lay(tmp_path, "shards/1.jsonl", "shards/2.jsonl", "target.json"))
    config = StudyConfig(pool="shards/*.jsonl", target="target.json", model="none/such")
    study = Study.create("s", config, created="2020-01-01", root=tmp_path / "cache")
    assert study.config.pool == f"{tmp_path}/shards/*.jsonl" and study.image_root("pool") == tmp_path / "shards"
    assert study.image_root("target") == tmp_path
    known = study.content["pool"]
    os.rename(tmp_path / "shards", tmp_path / "gone")
    assert Study.open("s", root=tmp_path / "cache").content["pool"] == known


def test_a_study_of_a_downloaded_dataset_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = cached(tmp_path / "hub", "some/data", "abc123", "train-1.jsonl")
    config = StudyConfig(pool="some/data", target=str(lay(tmp_path, "t.json") / "t.json"), model="none/such")
    study = Study.create("s", config, created="2020-01-01", root=tmp_path / "cache")
    assert study.config.pool == "some/data" and study.image_root("pool") == snapshot
