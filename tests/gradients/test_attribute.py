"""The pool pass as a job: shards, resume, refusal."""

from dataclasses import fields

import numpy as np
import pytest
from tiny_study import make_study, scored
from watching import Counting, times

from cadc.errors import JobError
from cadc.gradients.attribute import run_attribute
from cadc.scores import attribution
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.progress import Cancelled, Silent
from cadc.study.results import read_sealed, write_sealed


@pytest.fixture
def study(ready, own_copy) -> Study:
    """A private copy of the ready study."""
    return own_copy(ready)


@pytest.fixture(scope="module")
def truth(data, tmp_path_factory) -> dict[str, np.ndarray]:
    """Scores of an undisturbed run in one process."""
    return arrays(make_study(data, tmp_path_factory.mktemp("truth")))


def arrays(study: Study) -> dict[str, np.ndarray]:
    scores = scored(study)
    return {f.name: np.array(getattr(scores, f.name)) for f in fields(Scores) if f.type is np.ndarray}


def assert_same(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> None:
    for name, value in truth.items():
        assert np.array_equal(found[name], value), name


def shard_files(study: Study) -> dict[str, int]:
    return times(study.shards_folder, "shard-*.safetensors")


def test_cancelled_pass_goes_on_where_it_stopped(study, truth):
    with pytest.raises(Cancelled):
        run_attribute(study, Counting(rows=17))
    kept = shard_files(study)
    assert len(kept) == 2 and not study.finished("attribute")
    again = Counting()
    run_attribute(study, again)
    assert again.done == 16 and again.rows == 30 - 16
    assert kept.items() <= shard_files(study).items()
    assert_same(arrays(study), truth)


def test_finished_pass_is_not_repeated(study):
    run_attribute(study, Silent())
    before = shard_files(study)
    again = Counting()
    run_attribute(study, again)
    assert again.rows == 0 and shard_files(study) == before


def test_damaged_shard_is_computed_again(study, truth):
    run_attribute(study, Silent())
    path = study.shards_folder / "shard-00001.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    study.result("attribute").reopen()
    again = Counting()
    run_attribute(study, again)
    assert again.rows == 8
    assert_same(arrays(study), truth)


def changed(study: Study, name: str, **facts) -> None:
    """A sealed file with other facts, its job to be done again."""
    path = study.shards_folder / name
    write_sealed(path, read_sealed(path) | facts)
    study.result("attribute").reopen()


def test_shard_of_another_question_is_refused(study):
    run_attribute(study, Silent())
    changed(study, "shard-00002.json", key="0" * 16)
    with pytest.raises(JobError, match="shard-00002 belongs to another question"):
        run_attribute(study, Silent())


def test_shards_of_other_target_vectors_are_computed_again(study):
    run_attribute(study, Silent())
    changed(study, "shard-00000.json", inputs="other")
    again = Counting()
    run_attribute(study, again)
    assert again.rows == 8


def test_row_that_cannot_be_encoded_is_set_aside_and_the_rest_goes_on(data, tmp_path):
    study = make_study(data, tmp_path, max_tokens=70, checkpoints=1)
    scores, failed = scored(study), attribution.left_out(study)
    assert failed and all("max_tokens=70" in bad["reason"] for bad in failed)
    assert sorted([*scores.index.tolist(), *(bad["index"] for bad in failed)]) == list(range(30))
    assert np.isfinite(scores.dots).all() and (scores.winner >= 0).all()
    assert attribution.report(study)["failed"] == len(failed)


def test_attribution_without_targets_says_what_to_do(data, tmp_path):
    with pytest.raises(JobError, match="no result of the job 'targets' yet.*--until targets"):
        run_attribute(make_study(data, tmp_path), Silent())
