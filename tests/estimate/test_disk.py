"""What jobs of a finished study have written, against what was foretold."""

import pytest

from cadc.estimate import costs
from cadc.estimate.sizes import sizes
from cadc.jobs.meter import MB, size_of
from cadc.models import open_vlm
from cadc.study.jobs import usual_jobs

ADDED = ["embedding", "quick", "warmup", "targets", "attribute", "scores", "near"]
"""Jobs whose cost somebody wrote down, of a study with gradients and without judges."""


@pytest.mark.parametrize(("made", "jobs"), [("finished", ADDED), ("quick_study", ["judge", "embedding", "quick"])])
def test_disk_of_every_job_is_foretold(made, jobs, request):
    study = request.getfixturevalue(made)
    vlm = open_vlm(study.config)
    work = costs.Work(config=study.config, sizes=sizes(study), parameters=vlm.layout.size,
                      width=vlm.text_config.hidden_size)
    found = costs.costs_of(work, costs.Prices(fresh_row=0, known_row=0, read_row=0, target_row=0, pool_row=0, vector=0))
    assert [job for job in found if job in usual_jobs(study.config)] == jobs
    for job in jobs:
        taken = size_of((study.result(job).folder,)) / MB
        # Heads of files and lists of rows, a few kB, are left out.
        assert found[job].disk_mb == pytest.approx(taken, rel=0.2, abs=0.008), job
