import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """Coloured squares, every job done. Do not change it."""
    from squares import finished_squares

    return finished_squares(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture
def study(finished_study, tmp_path):
    """The finished study without any evaluation, free to be changed."""
    from cadc.study import Study

    root = tmp_path / "cache"
    shutil.copytree(finished_study.folder.parent.parent, root)
    copied = Study.open("squares", root=root)
    shutil.rmtree(copied.evaluation_folder, ignore_errors=True)
    return copied
