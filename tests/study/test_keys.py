"""Which jobs a changed setting computes anew: over all settings, against a table, and against what jobs really read."""

import dataclasses
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cadc.jobs.engines import EngineSettings
from cadc.study import JOBS, Study, StudyConfig
from cadc.study.jobs import core_jobs
from cadc.study.progress import Silent

MODEL = {"warmup", "targets", "attribute", "embedding", "out_of_fold", "evaluate"}
ADAPTED = MODEL - {"embedding"}
READ = {  # setting: (another value, jobs that read it)
    "unit_column": ("", {"ingest"}),
    "preset": ("paper", set()),
    "seed": (5, ADAPTED | {"scores"}),
    "lora_rank": (2, ADAPTED), "lora_alpha": (8.0, ADAPTED), "lora_layers": ("all", ADAPTED),
    "lora_targets": ("language+connector", ADAPTED),
    "precision": ("float64", MODEL), "quantization": ("8bit", MODEL), "max_tokens": (1024, MODEL),
    "warmup_share": (0.3, {"warmup"}), "warmup_min_rows": (40, {"warmup"}), "warmup_epochs": (3, {"warmup"}),
    "warmup_batch": (8, {"warmup", "out_of_fold"}), "learning_rate": (1e-3, {"warmup", "out_of_fold"}),
    "checkpoints": (3, {"warmup", "targets", "attribute"}),
    "features": ("sgd", {"targets", "attribute"}), "grounded": (False, {"targets", "attribute", "scores"}),
    "permutations": (2, {"targets"}), "mode": ("sketch", {"targets"}), "sketch_dim": (128, {"targets"}),
    "landmarks": (0.5, {"attribute", "scores"}),
    "out_of_fold": (2, {"out_of_fold"}), "out_of_fold_share": (0.5, {"out_of_fold"}),
    "out_of_fold_target": (False, {"out_of_fold"}),
    "samples_per_unit": (9, {"targets", "out_of_fold"}), "near_samples": (7, {"targets", "out_of_fold"}),
    "nearness": ("gradients+words", {"near"}), "near_q": (2, {"attribute", "near"}),
    "best_rows": (12, {"attribute", "scores"}), "shard_rows": (32, {"attribute"}),
}
PLACES = {"pool", "target", "images", "model"}
"""Say where something lies: what it holds counts, and `test_study.py` and `test_content.py` look at that."""


def after(jobs: set[str]) -> set[str]:
    """These jobs and all that rest on them."""
    found = set(jobs)
    for job in JOBS.values():
        if found & set(job.after):
            found.add(job.name)
    return found


def before(job: str) -> set[str]:
    """It and all that it rests on: what those read is in its key through theirs."""
    return {job}.union(*(before(one) for one in JOBS[job].after))


def keys(study: Study) -> dict[str, str]:
    return {job: study.key(job) for job in JOBS if JOBS[job].wanted(study.config) and study.finished("ingest")}


def test_the_table_knows_every_setting():
    assert set(READ) == {f.name for f in dataclasses.fields(StudyConfig)} - PLACES


@pytest.mark.parametrize("setting", READ)
def test_a_changed_setting_gives_other_keys_to_the_jobs_that_read_it_and_to_no_other(finished, setting):
    value, readers = READ[setting]
    assert getattr(finished.config, setting) != value
    changed = Study(name="other", folder=finished.folder, config=replace(finished.config, **{setting: value}),
                    inputs=finished.inputs)
    if "ingest" in readers:
        assert changed.question != finished.question and not changed.finished("ingest")
        return
    assert changed.question == finished.question
    old, new = keys(finished), keys(changed)
    same = {job for job in set(old) & set(new) if old[job] == new[job]}
    recomputed = set(JOBS) - same
    expected = after(readers)
    if setting == "nearness":  # without the embedding, nothing is left to ask of it
        expected = expected | {"embedding"}
    assert recomputed == expected, setting


@dataclass(frozen=True, kw_only=True)
class Watched(StudyConfig):
    """Notes which of its settings are read by whom; asking for a key reads them all and does not count."""

    def __getattribute__(self, name):
        if name in READ or name in PLACES:
            caller = Path(sys._getframe(1).f_code.co_filename)
            if caller.parent.name != "study" and caller.name != "dataclasses.py":
                SEEN.setdefault(NOW[0], set()).add(name)
        return super().__getattribute__(name)


SEEN: dict[str, set[str]] = {}
NOW = [""]


def test_no_job_reads_a_setting_that_the_table_does_not_name(golden):
    SEEN.clear()
    own = golden.config(nearness="gradients+embedding+words")
    made = Study.create("watched", own, created="2030-01-01T00:00:00", root=golden.root / "new")
    config = Watched(**{f.name: getattr(own, f.name) for f in dataclasses.fields(own)} | {
        f: getattr(made.config, f) for f in PLACES})
    study = Study(name="watched", folder=made.folder, config=config, inputs=made.inputs)
    for job in core_jobs(own):
        NOW[0] = job
        more = {"engine": EngineSettings(workers=1)} if JOBS[job].parallel else {}
        JOBS[job].function()(study, Silent(), **more)
        assert study.finished(job)
        allowed = PLACES.union(*(JOBS[one].settings for one in before(job)))
        read = SEEN.get(job, set())
        assert read <= allowed, f"{job} reads {sorted(read - allowed)}"
    assert SEEN["warmup"] >= {"warmup_batch", "learning_rate", "checkpoints", "lora_rank"}, "reads are noted"
