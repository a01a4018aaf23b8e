"""The ingest job of a study, and a pack of real data."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from cadc.data import check, read_samples, read_table, run_ingest
from cadc.data.contamination import picture_hashes
from cadc.data.inventory import read_inventory
from cadc.data.job import changed_pictures, inventory_name
from cadc.errors import DataError
from cadc.study import Study, StudyConfig
from cadc.study.progress import Cancelled, Silent
from cadc.views.pictures import first_pictures, miniature, opened_pictures, stamp
from tests.data.conftest import llava, picture


@pytest.fixture
def study_of(tmp_path, root, write):
    """Make a study of these rows."""
    (tmp_path / "model").mkdir()

    def made(pool, target, unit_column="task", name="s"):
        files = write(pool, f"{name}-pool.json"), write(target, f"{name}-target.jsonl")
        config = StudyConfig(pool=str(files[0]), target=str(files[1]),
                             images=str(root), unit_column=unit_column, model=str(tmp_path / "model"))
        return Study.create(name, config, created="2020-01-01", root=tmp_path / "cache")

    return made


POOL = [llava(id=1, image="coco/train/c.png"), llava(id=2), 7, llava("what", "red", id=3), llava(image="none.png")]
TARGET = [llava("<image>What", "RED", task="colour"), llava("How many?", "3", None, task="count")]


def test_the_report_counts_everything(study_of):
    study = study_of(POOL, TARGET)
    run_ingest(study, Silent())
    report = json.loads(study.ingest_report.read_text())
    pool, target = report["pool"], report["target"]
    assert (pool["rows"], pool["accepted"], pool["set_aside_count"], pool["format"]) == (5, 3, 2, "llava json")
    assert pool["set_aside_kinds"] == {"picture not found": 1, "row is not an object": 1}
    assert [r["index"] for r in pool["set_aside"]] == [2, 4]
    assert pool["duplicates"] == 1 and pool["answer_formats"] == {"word": 3} and pool["sources"] == {"": 2, "coco": 1}
    assert pool["also_in_target"] == 2
    assert [w["index"] for w in pool["warnings"] if w["reason"] == "also in the target: row 0"] == [1, 3]
    assert target["units"] == {"colour": 1, "count": 1} and target["text_only"] == 1
    assert [s.id for s in read_samples(study.samples_file("pool"))] == ["1", "2", "3"]
    assert read_table(study.samples_file("pool"))["group"].tolist() == [0, 1, 1]


def test_a_finished_ingest_is_left_alone_and_a_removed_one_is_made_again(study_of):
    study = study_of(POOL, TARGET)
    run_ingest(study, Silent())
    before = study.samples_file("pool").stat().st_mtime_ns, study.ingest_report.read_bytes()
    run_ingest(study, Silent())
    assert study.samples_file("pool").stat().st_mtime_ns == before[0]
    study.result("ingest").remove()
    assert not study.finished("ingest")
    run_ingest(study, Silent())
    assert study.samples_file("pool").stat().st_mtime_ns != before[0] and study.ingest_report.read_bytes() == before[1]


def listed(study, role):
    return read_inventory(study.samples_file(role).with_name(inventory_name(role)))


def test_the_pictures_of_both_files_are_written_down_and_their_digest_is_reported(study_of):
    study = study_of(POOL, TARGET)
    run_ingest(study, Silent())
    report = json.loads(study.ingest_report.read_text())
    assert listed(study, "pool").names == ("a.png", "coco/train/c.png", "none.png")
    assert listed(study, "target").names == ("a.png",)
    for role in ("pool", "target"):
        assert report[role]["pictures_digest"] == listed(study, role).digest


def test_pictures_that_change_are_told_and_touched_ones_only_written_down(study_of, root):
    study = study_of(POOL, TARGET)
    run_ingest(study, Silent())
    os.utime(root / "a.png", ns=(5, 5))
    assert changed_pictures(study) == "" and listed(study, "pool").mtime_ns[0] == 5
    picture(9).save(root / "none.png")
    (root / "coco" / "train" / "c.png").unlink()
    (root / "a.png").write_bytes((root / "none.png").read_bytes())
    told = changed_pictures(study)
    for words in ("1 pool pictures arrived", "1 pool pictures gone", "1 pool pictures replaced",
                  "1 target pictures replaced"):
        assert words in told


def test_without_a_unit_column_every_target_sample_is_a_unit(study_of):
    study = study_of(POOL, [llava(id="x"), llava(id="x"), llava(id="y"), llava(id=None)], unit_column="")
    run_ingest(study, Silent())
    assert [s.unit for s in read_samples(study.samples_file("target"))] == ["row 0", "row 1", "y", "row 3"]


def test_nothing_accepted_or_no_units_is_one_clear_line(study_of):
    with pytest.raises(DataError, match="no row of the pool file .* can be used: 1 set aside.*picture not found"):
        run_ingest(study_of([llava(image="none.png")], TARGET, name="a"), Silent())
    late = [7, llava(image="none.png"), llava(image="other.png")]
    with pytest.raises(DataError, match="3 set aside, most often: picture not found: none.png. Repair them"):
        run_ingest(study_of(late, TARGET, name="c"), Silent())
    with pytest.raises(DataError, match="unit column 'task'"):
        run_ingest(study_of(POOL, [llava()], name="b"), Silent())


def test_a_cancelled_ingest_leaves_nothing_that_counts_as_finished(study_of):
    class Stop(Silent):
        def step(self, n: int = 1, **readings: float) -> None:
            raise Cancelled

    study = study_of(POOL, TARGET)
    with pytest.raises(Cancelled):
        run_ingest(study, Stop())
    assert not study.finished("ingest")
    run_ingest(study, Silent())
    assert study.finished("ingest")


PACK = Path(os.environ.get("CADC_REAL_PACK", Path(__file__).parents[3] / "shared" / "packs" / "real"))


@pytest.mark.skipif(not (PACK / "data.json").is_file(), reason="no pack of real data here")
def test_a_real_pack_is_read_whole():
    report = check(PACK / "data.json", PACK, "task")
    assert report["samples"] == report["accepted"] + len(report["set_aside"])
    assert report["accepted"] > 0.99 * report["samples"], report["set_aside"][:5]


def test_whatever_opens_pictures_of_a_study_goes_by_its_settings(study_of, root, tmp_path):
    """Linked pictures and the pixel limit, from ingest to what pages, exports and the contamination check open."""
    picture(7).save(tmp_path / "away.png")
    os.symlink(tmp_path / "away.png", root / "linked.png")
    picture(8, (90, 80)).save(root / "large.png")
    rows = [llava(image="linked.png", id=1), llava(image="large.png", id=2), llava(image="linked.png", id=3)]
    strict = study_of(rows, TARGET, name="strict")
    run_ingest(strict, Silent())
    assert [s.id for s in read_samples(strict.samples_file("pool"))] == ["2"]
    config = dataclasses.replace(strict.config, follow_links=True, max_pixels=90 * 80 - 1)
    study = Study.create("open", config, created="2020-01-01", root=tmp_path / "cache")
    run_ingest(study, Silent())
    samples = read_samples(study.samples_file("pool"))
    assert [s.id for s in samples] == ["1", "3"] and changed_pictures(study) == ""
    first = {"index": 0, "id": "1", "images": samples[0].images}
    assert opened_pictures(study, "pool", first)[0].size == (40, 30)
    shown = first_pictures(study, "pool", [("linked.png",), ("large.png",)])
    assert [bool(miniature(*one)) for one in shown] == [True, False] and stamp(*shown[0])
    assert picture_hashes(study)("pool", samples[0]) == picture_hashes(study)("pool", samples[1])
    with pytest.raises(DataError, match="link out of the image root"):
        opened_pictures(strict, "pool", first)
