"""Results: a folder and a record in two places; what is wrong with either is named, and nothing else is touched."""

import json
import os

import pytest
from watching import times

from cadc.errors import JobError
from cadc.study.results import Kept, Result, read_sealed, write_sealed


@pytest.fixture
def result(tmp_path) -> Result:
    """A finished result of the job `warmup`: two files, one in a folder, and a log that differs from run to run."""
    made = Result(job="warmup", key="0" * 16, root=tmp_path, inputs={"ingest": "a" * 16})
    (made.folder / "sub").mkdir(parents=True)
    (made.folder / "checkpoint-1.safetensors").write_bytes(b"weights")
    (made.folder / "sub" / "warmup.json").write_text("{}")
    (made.folder / "log.jsonl").write_text("line\n")
    (made.folder / "batch.lock").touch()
    (made.folder / ".hidden.tmp").touch()
    made.finish()
    return made


def places(result: Result):
    return result.folder / "record.json", result.folder.with_name(f"{result.key}.json")


def test_the_record_names_every_file_with_size_and_digest_and_stands_in_two_places(result):
    import hashlib

    record = result.record
    assert set(record.files) == {"checkpoint-1.safetensors", "sub/warmup.json", "log.jsonl"}
    assert record.files["checkpoint-1.safetensors"] == Kept(7, hashlib.sha256(b"weights").hexdigest())
    assert record.inputs == {"ingest": "a" * 16} and result.finished and not result.damaged()
    one, other = (place.read_bytes() for place in places(result))
    assert one == other and json.loads(one)["job"] == "warmup"


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("way", ["missing", "cut", "flipped", "other"])
def test_a_damaged_copy_of_the_record_is_named_and_written_from_the_other(result, which, way):
    record, place, before = result.record, places(result)[which], times(result.folder, "*.safetensors")
    content = place.read_bytes()
    if way == "missing":
        place.unlink()
    elif way == "other":  # whole, but of another content
        write_sealed(place, read_sealed(place) | {"key": "1" * 16})
    else:
        place.write_bytes(content[:-9] if way == "cut" else content.replace(b"weights", b"WEIGHTS")
                          if b"weights" in content else content.replace(b"7,", b"8,"))
    assert result.finished and result.record == record, "the other copy says the same"
    found = result.damaged()
    assert [damage.file for damage in found] == [place] and "a copy of the record of the job 'warmup'" in found[0].what
    assert [damage.file for damage in result.repair()] == [place]
    assert place.read_bytes() == content and not result.damaged() and result.finished
    assert times(result.folder, "*.safetensors") == before


def test_without_either_copy_it_is_not_finished_and_its_files_stay(result):
    for place in places(result):
        place.write_text("{}")
    assert not result.finished and result.record is None and result.damaged() == []
    assert (result.folder / "checkpoint-1.safetensors").exists()
    with pytest.raises(JobError, match=r"warm-up \(checkpoint-1.safetensors\) is not there: the job 'warmup' is not "
                                       "finished.*python -m cadc run"):
        result.intact("checkpoint-1.safetensors")


@pytest.mark.parametrize(("content", "problem"), [
    (None, "is missing"), (b"weight", "has 6 bytes instead of 7"), (b"weighTs", "has other bytes than were written")])
def test_intact_and_damaged_name_what_is_wrong_with_a_file(result, content, problem):
    path = result.folder / "checkpoint-1.safetensors"
    assert result.intact("checkpoint-1.safetensors") == path
    about = path.stat()
    path.unlink() if content is None else path.write_bytes(content)
    if content:
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(JobError, match=r"a checkpoint of the warm-up \(warmup/checkpoint-1.safetensors\) "
                                       rf"{problem}. `python -m cadc run NAME` makes it again, and nothing else"):
        result.intact("checkpoint-1.safetensors")
    assert result.intact("sub/warmup.json").read_text() == "{}", "other files are read as before"
    assert [(d.file, d.what) for d in result.damaged()] == [(path, f"a checkpoint of the warm-up {problem}")]


def test_repair_takes_damaged_files_away_keeps_good_ones_and_the_job_is_to_be_done(result):
    before = times(result.folder)
    (result.folder / "sub" / "warmup.json").write_text("{ }")
    found = result.repair()
    assert [damage.file.name for damage in found] == ["warmup.json"] and not result.finished
    assert not (result.folder / "sub" / "warmup.json").exists()
    after = times(result.folder)
    assert after == {name: when for name, when in before.items() if name != "record.json"}
    (result.folder / "sub" / "warmup.json").write_text("{}")
    result.finish()
    assert result.finished and result.repair() == []


def test_the_digest_is_over_content_that_does_not_differ_from_run_to_run(result):
    before = result.record.digest
    for name in ("log.jsonl", "about.json"):
        (result.folder / name).write_text("other")
    assert result.finish().digest == before
    (result.folder / "sub" / "warmup.json").write_text("[]")
    changed = result.finish().digest
    assert changed != before
    (result.folder / "sub" / "warmup.json").rename(result.folder / "sub" / "other.json")
    assert result.finish().digest not in (before, changed), "names count"


def test_another_input_makes_it_unfinished_and_an_input_that_is_being_made_does_not(result):
    for digest, finished in (("a" * 16, True), ("b" * 16, False), ("", True)):
        now = Result(job=result.job, key=result.key, root=result.root, inputs={"ingest": digest})
        assert now.finished is finished
    assert result.source != Result(job=result.job, key=result.key, root=result.root, inputs={"ingest": "b"}).source


def test_a_record_of_another_job_or_key_does_not_count(result):
    other = Result(job="warmup", key="1" * 16, root=result.root)
    other.folder.mkdir()
    for one, place in zip(places(result), places(other), strict=True):
        place.write_bytes(one.read_bytes())
    assert not other.finished


def test_reopen_keeps_files_and_remove_leaves_nothing(result):
    result.reopen()
    assert not result.finished and (result.folder / "checkpoint-1.safetensors").exists()
    assert not any(place.exists() for place in places(result))
    result.finish()
    result.remove()
    assert list(result.folder.parent.iterdir()) == []
    result.remove()  # and of nothing nothing is taken


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"seal": 1}', b'{"a": 1}', b'{"a": 1, "seal": null}'])
def test_sealed_json_is_what_was_written_or_none(tmp_path, damage):
    path = tmp_path / "a.json"
    assert read_sealed(path) is None
    write_sealed(path, value := {"a": 1, "b": [1.5, None, "ü"], "c": {"d": True}})
    assert read_sealed(path) == value
    text = path.read_text()
    for old, new in (("1.5", "2.5"), ("true", "false"), ('"a"', '"e"'), ("ü", "u")):
        assert old in text
        path.write_text(text.replace(old, new))
        assert read_sealed(path) is None, (old, new)
    path.write_text(json.dumps(json.loads(text)))  # written otherwise, the same value
    assert read_sealed(path) == value
    path.write_bytes(damage)
    assert read_sealed(path) is None
