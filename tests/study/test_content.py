"""Models and large files count by what is in them."""

import hashlib
import json
import os
import shutil

import pytest

from cadc.study import content
from cadc.study.content import digest_of_file, model_digest, model_files


@pytest.fixture
def folder(tmp_path):
    """A model's files: a config, a slow tokenizer, weights, and things that make no model."""
    made = tmp_path / "model"
    (made / "chat_templates").mkdir(parents=True)
    (made / ".cache").mkdir()
    for name in ("config.json", "tokenizer.model", "merges.txt", "qwen.tiktoken", "chat_template.jinja",
                 "chat_templates/tools.jinja", "model.safetensors", "README.md", "pytorch_model.bin", ".cache/x.json"):
        (made / name).write_text(name)
    return made


def test_the_files_that_make_a_model_are_known_and_nothing_else(folder):
    assert [str(path.relative_to(folder)) for path in model_files(folder)] == [
        "chat_template.jinja", "chat_templates/tools.jinja", "config.json", "merges.txt", "model.safetensors",
        "qwen.tiktoken", "tokenizer.model"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", "merges.txt", "qwen.tiktoken",
                                  "chat_templates/tools.jinja", "model.safetensors"])
def test_each_file_counts_by_its_content(folder, name):
    before, about = model_digest(str(folder)), (folder / name).stat()
    (folder / name).write_text("x" * about.st_size)
    os.utime(folder / name, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert model_digest(str(folder)) != before


def test_times_places_and_other_files_do_not_count_but_names_do(folder, tmp_path):
    before = model_digest(str(folder))
    (folder / "README.md").write_text("another text")
    os.utime(folder / "model.safetensors", ns=(1, 1))
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert model_digest(str(tmp_path / "elsewhere")) == model_digest(str(folder)) == before
    (folder / "merges.txt").rename(folder / "vocab.txt")
    assert model_digest(str(folder)) != before


def test_links_are_followed_and_circles_end(folder, tmp_path):
    blobs = tmp_path / "blobs"
    shutil.move(folder, blobs)
    folder.mkdir()
    (folder / "chat_templates").symlink_to(blobs / "chat_templates")
    for name in ("config.json", "tokenizer.model", "merges.txt", "qwen.tiktoken", "chat_template.jinja",
                 "model.safetensors"):
        (folder / name).symlink_to(blobs / name)
    assert model_digest(str(folder)) == model_digest(str(blobs))
    (blobs / "chat_templates" / "up").symlink_to(folder)
    assert len(model_files(folder)) == 7


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A copy of the id a/b as huggingface_hub keeps it; returns its snapshot's folder."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    snapshot, commit = cache / "models--a--b" / "snapshots" / ("0" * 40), cache / "models--a--b" / "refs" / "main"
    blobs = cache / "models--a--b" / "blobs"
    for place in (snapshot, commit.parent, blobs):
        place.mkdir(parents=True)
    commit.write_text("0" * 40)
    (blobs / "1").write_text("{}")
    (snapshot / "config.json").symlink_to(blobs / "1")
    return snapshot


def test_an_id_counts_by_its_downloaded_copy_and_without_weights_for_itself(hub):
    assert model_digest("a/b") == "a/b" and model_digest("c/d") == "c/d" and model_digest("no id at all") \
        == "no id at all"
    weights = hub.parent.parent / "blobs" / "2"
    weights.write_text("one")
    (hub / "model.safetensors").symlink_to(weights)
    before = model_digest("a/b")
    assert before == model_digest(str(hub)) != "a/b"
    weights.write_text("two")
    assert model_digest("a/b") != before


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file that is worth remembering, and where; of an age that is trusted at once."""
    monkeypatch.setattr(content, "SETTLED_S", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"a" * content.REMEMBERED)
    return path, tmp_path / "cache" / "digests.json"


def test_a_large_file_is_read_once(large, tmp_path):
    path, memo = large
    truth = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest_of_file(path, memo) == truth
    known = json.loads(memo.read_text())
    known[str(path)]["sha256"] = "remembered"
    memo.write_text(json.dumps(known))
    assert digest_of_file(path, memo) == "remembered"  # so it was not read
    link = tmp_path / "link"
    link.symlink_to(path)
    assert digest_of_file(link, memo) == "remembered" and digest_of_file(path) == truth


def test_a_file_of_equal_size_and_restored_time_is_read_anew(large):
    path, memo = large
    about = path.stat()
    first = digest_of_file(path, memo)
    path.write_bytes(b"b" * content.REMEMBERED)  # the same inode
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    second = digest_of_file(path, memo)
    other = path.with_name("other")
    other.write_bytes(b"c" * content.REMEMBERED)
    os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.replace(other, path)  # another inode
    assert len({first, second, digest_of_file(path, memo)}) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"PATH": 5}', '{"PATH": {"about": null}}'])
def test_a_lost_or_damaged_memo_costs_time_alone(large, damage):
    path, memo = large
    truth = digest_of_file(path, memo)
    memo.write_text(damage.replace("PATH", str(path)))
    assert digest_of_file(path, memo) == truth and json.loads(memo.read_text())[str(path)]["sha256"] == truth


def test_files_that_are_gone_leave_the_memo_and_small_ones_never_enter(large, tmp_path):
    path, memo = large
    digest_of_file(path, memo)
    other = path.rename(tmp_path / "moved")
    digest_of_file(other, memo)
    (tmp_path / "small").write_text("x")
    digest_of_file(tmp_path / "small", memo)
    assert list(json.loads(memo.read_text())) == [str(other)]


def test_a_file_that_has_just_changed_is_not_remembered(large, monkeypatch):
    path, memo = large
    monkeypatch.setattr(content, "SETTLED_S", 60.0)
    digest_of_file(path, memo)
    assert not memo.exists()


def test_a_memo_that_cannot_be_written_is_no_error(large, tmp_path):
    path, _ = large
    (tmp_path / "a file").write_text("")
    assert digest_of_file(path, tmp_path / "a file" / "digests.json") == digest_of_file(path)
