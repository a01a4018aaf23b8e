"""The pool pass as a job: shards, resume, refusal."""

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest
from tiny_study import make_study

from cadc.errors import JobError
from cadc.gradients.attribute import run_attribute
from cadc.scores.scores import Scores
from cadc.study import Study
from cadc.study.progress import Cancelled, Silent


class Counting(Silent):
    """Counts rows, keeps notes, and cancels after some rows."""

    def __init__(self, cancel_after: int = 10**9) -> None:
        self.rows, self.done, self.notes, self.cancel_after = 0, 0, [], cancel_after

    def start(self, total, unit="samples", done=0) -> None:
        self.done = done

    def step(self, n=1, **readings) -> None:
        self.rows += n
        if self.rows >= self.cancel_after:
            raise Cancelled

    def note(self, text) -> None:
        self.notes.append(text)


@pytest.fixture()
def study(ready, tmp_path) -> Study:
    """A private copy of the ready study."""
    shutil.copytree(ready.folder.parent.parent, tmp_path / "cache")
    return Study.open("tiny", root=tmp_path / "cache")


@pytest.fixture(scope="session")
def truth(ready, tmp_path_factory) -> dict[str, np.ndarray]:
    """Scores of an undisturbed run in one process."""
    root = tmp_path_factory.mktemp("truth") / "cache"
    shutil.copytree(ready.folder.parent.parent, root)
    undisturbed = Study.open("tiny", root=root)
    run_attribute(undisturbed, Silent())
    return arrays(undisturbed)


def arrays(study: Study) -> dict[str, np.ndarray]:
    scores = Scores.load(study)
    return {f.name: np.array(getattr(scores, f.name)) for f in fields(Scores) if f.type is np.ndarray}


def assert_same(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> None:
    for name, value in truth.items():
        assert np.array_equal(found[name], value), name


def shard_files(study: Study) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in study.shards_folder.glob("shard-*.safetensors")}


def test_cancelled_pass_goes_on_where_it_stopped(study, truth):
    with pytest.raises(Cancelled):
        run_attribute(study, Counting(cancel_after=17))
    kept = shard_files(study)
    assert len(kept) == 2
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
    shutil.rmtree(study.scores_folder)
    again = Counting()
    run_attribute(study, again)
    assert again.rows == 8
    assert_same(arrays(study), truth)


def test_shard_of_another_question_is_refused(study):
    run_attribute(study, Silent())
    sidecar = study.shards_folder / "shard-00002.json"
    facts = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(facts | {"identity": "0" * 16}))
    shutil.rmtree(study.scores_folder)
    with pytest.raises(JobError, match="shard-00002 belongs to another question"):
        run_attribute(study, Silent())


def test_shards_of_other_target_vectors_are_computed_again(study):
    run_attribute(study, Silent())
    sidecar = study.shards_folder / "shard-00000.json"
    facts = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(facts | {"source": "other"}))
    shutil.rmtree(study.scores_folder)
    again = Counting()
    run_attribute(study, again)
    assert again.rows == 8


def test_row_that_cannot_be_encoded_is_set_aside_and_the_rest_goes_on(data, tmp_path):
    from cadc.gradients.targets import run_targets
    from cadc.training.warmup import run_warmup

    study = make_study(data, tmp_path, max_tokens=70, checkpoints=1)
    for job in (run_warmup, run_targets, run_attribute):
        job(study, Silent())
    failed = json.loads((study.shards_folder / "failed.json").read_text())
    scores = Scores.load(study)
    assert failed and all("max_tokens=70" in bad["reason"] for bad in failed)
    assert sorted([*scores.index.tolist(), *(bad["index"] for bad in failed)]) == list(range(30))
    assert np.isfinite(scores.dots).all() and (scores.winner >= 0).all()


def test_attribution_without_targets_says_what_to_do(data, tmp_path):
    with pytest.raises(JobError, match="no target gradients yet"):
        run_attribute(make_study(data, tmp_path), Silent())
