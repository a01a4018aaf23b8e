"""Keys: which setting makes which results anew, declared here once more by hand, and held against what jobs read."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from tiny_study import make_study

from cadc.data import run_ingest
from cadc.errors import DataError, JobError
from cadc.gradients import landmarks
from cadc.study import JOBS, Study, StudyConfig
from cadc.study import study as study_module
from cadc.study.config import BEFORE, FILES, GONE
from cadc.study.jobs import offered_jobs, usual_jobs
from cadc.study.progress import Silent

pytestmark = pytest.mark.long
EVERY = {"ingest", "lengths", "judge", "embedding", "quick", "warmup", "targets", "attribute", "scores", "transfer",
         "near", "layout", "profile_layout", "evaluate"}
JOINED = {"near", "profile_layout"}
EMBEDDED = {"embedding", "quick", "layout"} | JOINED
SCORED = {"scores"} | JOINED
SHARDS = {"attribute"} | SCORED
GRADIENTS = {"targets"} | SHARDS
TRAINED = {"warmup"} | GRADIENTS
ADAPTED = TRAINED | {"judge", "transfer", "evaluate"}

CHANGES: dict[str, tuple[object, set[str]]] = {
    "unit_column": ("task", EVERY),
    "control_tokens": ("neutralise", EVERY),
    "reading": (1, EVERY),
    "max_pixels": (1_000_000, EVERY),
    "follow_links": (True, EVERY),
    "preset": ("paper", set()),
    "seed": (1, ADAPTED | {"quick", "layout"}),
    "lora_rank": (3, ADAPTED),
    "lora_alpha": (5.0, ADAPTED),
    "lora_layers": ("last:1", ADAPTED),
    "lora_targets": ("language+connector", ADAPTED),
    "precision": ("float64", ADAPTED | EMBEDDED),
    "quantization": ("8bit", ADAPTED | EMBEDDED),
    "max_tokens": (99, ADAPTED | EMBEDDED),
    "warmup_share": (0.5, TRAINED),
    "warmup_min_rows": (5, TRAINED),
    "warmup_epochs": (1, TRAINED),
    "warmup_batch": (2, TRAINED | {"judge"}),
    "learning_rate": (0.1, TRAINED | {"judge", "transfer"}),
    "checkpoints": (3, TRAINED),
    "features": ("sgd", GRADIENTS | {"quick"}),
    "whitened": (False, GRADIENTS | {"quick"}),
    "ridge": (0.5, SHARDS),
    "grounded": (False, GRADIENTS),
    "permutations": (1, GRADIENTS),
    "mode": ("sketch", GRADIENTS),
    "sketch_dim": (77, GRADIENTS),
    "samples_per_unit": (3, GRADIENTS | {"quick", "judge", "transfer"}),
    "transfer_steps": (3, {"transfer"}),
    "transfer_repeats": (3, {"transfer"}),
    "near_samples": (2, GRADIENTS | {"quick", "judge"}),
    "landmarks": (0.5, SHARDS | {"quick"}),
    "near_q": (2, SHARDS | {"quick"}),
    "best_rows": (9, SHARDS | {"quick"}),
    "shard_rows": (4, SHARDS | {"judge"}),
    "answer_states": (False, EMBEDDED),
    "nearness": ("gradients", JOINED | {"quick", "layout"}),
    "judges": (3, {"judge"}),
    "judge_steps": (7, {"judge"}),
}
"""Setting → another value of it, and the jobs whose key it changes: those that read it and all that build on these."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Study:
    """A study of text rows that was read; its model is a file that nobody opens."""
    folder = tmp_path_factory.mktemp("asked")
    rows = [{"id": str(i), "task": "ab"[i % 2], "question": f"what is {i}?", "answer": str(i)} for i in range(8)]
    for role in ("pool", "target"):
        (folder / f"{role}.json").write_text(json.dumps(rows))
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    config = StudyConfig(pool=str(folder / "pool.json"), target=str(folder / "target.json"),
                         model=str(folder / "model"), nearness="whitened+embedding")
    return read(Study.create("asked", config, created="", root=folder / "cache"))


def read(study: Study) -> Study:
    run_ingest(study, Silent())
    return study


def other(asked: Study, **changes) -> Study:
    """The same question with other settings, read."""
    config = dataclasses.replace(asked.config, **changes)
    name = "-".join(["other", *(f"{key}.{str(value).split('/')[-1]}" for key, value in changes.items())])
    return read(Study.create(name.replace("+", ".").replace(":", "."), config, created="", root=asked.root))


def keys(study: Study) -> dict[str, str]:
    return {job: study.key(job) for job in JOBS}


def changed(one: Study, two: Study) -> set[str]:
    before, after = keys(one), keys(two)
    return {job for job in JOBS if before[job] != after[job]}


def test_the_table_has_every_job_and_every_setting():
    assert set(JOBS) == EVERY
    assert {f.name for f in dataclasses.fields(StudyConfig)} == set(CHANGES) | set(FILES)


@pytest.mark.parametrize("setting", list(CHANGES))
def test_a_setting_changes_the_keys_of_those_jobs_and_no_other(asked, setting):
    value, jobs = CHANGES[setting]
    assert changed(asked, other(asked, **{setting: value})) == jobs


@pytest.mark.parametrize("file", ["pool", "target", "model"])
def test_files_count_by_content_and_not_by_place(asked, tmp_path, file):
    before = Path(getattr(asked.config, file))
    moved = tmp_path / "elsewhere" / before.name
    moved.parent.mkdir()
    shutil.copytree(before, moved) if before.is_dir() else shutil.copy(before, moved)
    assert changed(asked, other(asked, **{file: str(moved)})) == set()
    inside = moved / "config.json" if moved.is_dir() else moved
    inside.write_text(inside.read_text().replace("what is 3?", "what is three?").replace("{}", "{ }"))
    jobs = changed(asked, other(asked, **{file: str(moved)}, seed=asked.config.seed, preset="paper"))
    assert jobs == (EVERY - {"ingest"} if file == "model" else EVERY)


def test_a_new_setting_with_its_default_changes_no_key_and_no_identity(asked, monkeypatch):
    """As a later version would have it: read by a job, left as it is by every older study."""
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(StudyConfig):
        brightness: int = 3

    monkeypatch.setitem(JOBS._entries, "targets", dataclasses.replace(
        JOBS["targets"], settings=(*JOBS["targets"].settings, "brightness")))
    old = {f.name: getattr(asked.config, f.name) for f in dataclasses.fields(StudyConfig)}
    same, brighter = (dataclasses.replace(asked, config=Later(**old, **new)) for new in ({}, {"brightness": 4}))
    assert keys(same) == keys(asked) and changed(asked, brighter) == GRADIENTS
    found = [study_module.identity_of(one.config, asked.root)[0] for one in (asked, same, brighter)]
    assert found[0] == found[1] != found[2]


def test_another_version_of_a_job_makes_it_anew(asked, monkeypatch):
    before = keys(asked)
    monkeypatch.setitem(JOBS._entries, "near", dataclasses.replace(JOBS["near"], version=99))
    assert {job for job in JOBS if dataclasses.replace(asked).key(job) != before[job]} == JOINED


@pytest.mark.parametrize("name", GONE)
def test_settings_of_earlier_versions_are_read_and_not_asked_for_any_more(asked, name):
    files = {key: getattr(asked.config, key) for key in ("pool", "target", "model")}
    written = StudyConfig.of(files | {name: 1})
    assert written == dataclasses.replace(asked.config, **BEFORE) and written.judges == 0, "it had no judge"
    with pytest.raises(DataError, match=f"'{name}' was of an earlier version"):
        StudyConfig.from_settings(files, {name: "1"})
    with pytest.raises(TypeError):
        StudyConfig.of(files | {"wormup": 1})


def test_keys_of_jobs_wait_for_the_reading_of_the_files(asked, tmp_path):
    fresh = Study.create("fresh", asked.config, created="", root=tmp_path)
    for job in EVERY:
        with pytest.raises(JobError, match="'fresh' has not read its pool and target yet.*--until ingest"):
            fresh.key(job)
        assert not fresh.finished(job)
    assert keys(read(fresh)) == keys(asked), "another cache root, the same question"


def test_jobs_name_only_settings_that_there_are_and_jobs_before_them():
    fields, earlier = {f.name for f in dataclasses.fields(StudyConfig)}, set()
    for job in JOBS.values():
        assert set(job.settings) <= fields - set(FILES), job.name
        assert set(job.after) <= earlier and set(job.files) <= {"pool", "target", "model"}, job.name
        assert callable(job.function()) and job.about
        earlier.add(job.name)


# ---- what jobs really read -------------------------------------------------------------------------------------------
READS: dict[str, set[str]] = {}
NOW: list[str] = []
"""The job that runs."""
ORIGINAL: list[StudyConfig] = []
HANDED = {("cadc.signals.embedding", "finish_embedding"): "embedding"}
"""Functions by which a job writes another one's result: what they read is in the key of that one."""


def _machinery(frame: FrameType) -> bool:
    """Whether settings are read to make a key, to find a folder or to be checked."""
    module = frame.f_globals["__name__"]
    return module in ("cadc.study.study", "cadc.study.jobs") or (
        module == "cadc.study.config" and frame.f_code.co_name == "__post_init__")


class Watched(StudyConfig):
    """Writes down which job reads which setting, and not what makes keys or copies settings. A setting of a copy that
    differs from the study's own was put there by the job: reading that one is not reading the study's."""

    def __getattribute__(self, name: str) -> object:
        value = super().__getattribute__(name)
        if NOW and name in StudyConfig.__dataclass_fields__:
            frame = sys._getframe(1)
            if frame.f_globals["__name__"] == "dataclasses" and frame.f_code.co_name in ("replace", "_replace"):
                return value
            if self is not ORIGINAL[0] and value != object.__getattribute__(ORIGINAL[0], name):
                return value
            job = NOW[0]
            while frame is not None and not _machinery(frame):
                job = HANDED.get((frame.f_globals["__name__"], frame.f_code.co_name), job)
                frame = frame.f_back
            if frame is None:
                READS.setdefault(job, set()).add(name)
        return value


@contextmanager
def watching(job: str) -> Iterator[None]:
    NOW.append(job)
    yield
    NOW.clear()


ODD = {"lora_rank": 2, "lora_alpha": 3.0, "lora_layers": "last:2", "lora_targets": "language+connector", "seed": 1}
"""LoRA settings none of which is the default, so that what `embedding` puts in their place is seen."""


WAYS = {"exact": {"mode": "exact"},
        "sketch": {"mode": "sketch", "sketch_dim": 64, "landmarks": 0.5, "features": "less", "judge_steps": 2},
        "words": {"mode": "auto", "nearness": "gradients+words", "grounded": False, "judge_steps": 3}}


def test_jobs_read_the_settings_that_they_declare_and_no_other(data, tmp_path, monkeypatch):
    """Every job in process, in each way that the code takes by a setting."""
    monkeypatch.setattr(landmarks, "MINIMUM", 8)
    READS.clear()
    for name, settings in WAYS.items():
        study = make_study(data, tmp_path, name=name, **ODD, **settings)
        values = {f.name: getattr(study.config, f.name) for f in dataclasses.fields(StudyConfig)}
        ORIGINAL[:] = [Watched(**values)]
        study = dataclasses.replace(study, config=ORIGINAL[0])
        for job in (*usual_jobs(study.config), *offered_jobs(study.config)):
            study.result(job).remove()  # nothing is taken over from the way before
            with watching(job):
                JOBS[job].function()(study, Silent())
            assert study.finished(job)
    assert set(READS) == EVERY - {"evaluate"}  # whose results lie in the study's own folder, named by all settings
    declared = {job: {*JOBS[job].settings, *JOBS[job].files} for job in READS}
    assert {job: names - declared[job] for job, names in READS.items() if names - declared[job]} == {}
    assert {job: declared[job] - names for job, names in READS.items() if declared[job] - names} == {}
