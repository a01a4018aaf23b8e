"""What jobs of a finished study have written, against what was foretold."""

import pytest

from cadc.estimate import costs
from cadc.estimate.sizes import sizes
from cadc.jobs.meter import MB, size_of
from cadc.models import open_vlm


def test_disk_of_every_job_is_foretold(finished):
    vlm = open_vlm(finished.config)
    work = costs.Work(config=finished.config, sizes=sizes(finished), parameters=vlm.layout.size,
                      width=vlm.text_config.hidden_size)
    found = costs.costs_of(work, costs.Prices(fresh_row=0, known_row=0, read_row=0, target_row=0, pool_row=0, vector=0))
    for job, cost in found.items():
        taken = size_of((finished.result(job).folder,)) / MB
        assert cost.disk_mb == pytest.approx(taken, rel=0.2, abs=0.005), job  # heads of files, a few kB, are left out
    assert list(found) == ["judge", "warmup", "targets", "attribute", "scores", "embedding", "near"]
