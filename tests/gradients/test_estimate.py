"""The estimate before the start."""

import pytest
from tiny_study import make_study

from cadc.errors import JobError
from cadc.gradients.estimate import estimate
from cadc.study import Study


def test_estimate_needs_no_job_but_ingest_and_adds_up(data, tmp_path):
    study = make_study(data, tmp_path)
    found = estimate(study, workers=2)
    assert list(found["jobs"]) == ["ingest", "warmup", "targets", "attribute"]
    assert found["total"]["seconds"] == pytest.approx(sum(j["seconds"] for j in found["jobs"].values()), abs=0.11)
    assert all(j[key] > 0 for name, j in found["jobs"].items() if name != "ingest" for key in ("seconds", "memory_mb"))
    assert "2 process(es)" in found["basis"]
    assert not study.warmup_folder.exists()


def test_disk_is_predicted_to_a_tenth(ready):
    predicted = estimate(ready)["jobs"]["targets"]["disk_mb"]
    taken = sum(p.stat().st_size for p in ready.targets_folder.glob("*.safetensors")) / 2**20
    assert predicted == pytest.approx(taken, rel=0.1, abs=0.11)


def test_estimate_before_the_pool_was_read_says_what_to_do(data, ready, tmp_path):
    fresh = Study.create("fresh", ready.config, created="2026-01-01T00:00:00", root=tmp_path)
    with pytest.raises(JobError, match="Run its ingest job first"):
        estimate(fresh)


def test_landmarks_pay_for_their_own_rows_and_one_forward_of_all(data, tmp_path):
    from dataclasses import replace

    from cadc.gradients.estimate import Rates, Sizes, _costs

    study = make_study(data, tmp_path)
    sizes = Sizes(pool=10_000, steps=10, singles=12, units=3, target_rows=15, swapped_rows=0, parameters=1000)
    rates = Rates(load=0, encode=0.001, prefix=0.002, step=0.03, gradient=0.03, vector=0)
    whole = _costs(study, sizes, rates, 1, 100)["attribute"]["seconds"]
    fifth = _costs(replace(study, config=replace(study.config, landmarks=0.2)), sizes, rates, 1, 100)["attribute"]
    assert fifth["seconds"] == round(0.2 * whole + 10_000 * 0.013, 1)
