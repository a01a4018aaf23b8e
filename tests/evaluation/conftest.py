import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """Coloured squares: ingested, warmed up, attributed. Do not change it."""
    from squares import squares_study

    from cadc.data import run_ingest
    from cadc.gradients.attribute import run_attribute
    from cadc.gradients.targets import run_targets
    from cadc.progress import Silent
    from cadc.warmup import run_warmup

    study = squares_study(tmp_path_factory.mktemp("evaluation"))
    for job in (run_ingest, run_warmup, run_targets, run_attribute):
        job(study, Silent())
    return study


@pytest.fixture
def study(finished_study, tmp_path):
    """The finished study without any evaluation, free to be changed."""
    from cadc.study import Study

    root = tmp_path / "cache"
    shutil.copytree(finished_study.folder.parent.parent, root)
    copied = Study.open("squares", root=root)
    shutil.rmtree(copied.evaluation_folder, ignore_errors=True)
    return copied
