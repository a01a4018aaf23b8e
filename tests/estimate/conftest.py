import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / room) for room in ("gradients", "models")]


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Folder with pool.json, target.json, pictures/ and model/ (a tiny Idefics3 of three layers)."""
    import tiny_vlm
    from tiny_study import write_data

    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    tiny_vlm.idefics3(folder / "model", layers=3)
    return folder


@pytest.fixture(scope="session")
def ready(data, tmp_path_factory):
    """A study with warm-up and targets done (shared: tests must not write into it)."""
    from tiny_study import make_study

    from cadc.gradients.targets import run_targets
    from cadc.study.progress import Silent
    from cadc.training.warmup import run_warmup

    study = make_study(data, tmp_path_factory.mktemp("cache"))
    run_warmup(study, Silent())
    run_targets(study, Silent())
    return study
