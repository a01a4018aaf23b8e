import shutil

import pytest


@pytest.fixture
def study(finished_study, own_copy):
    """The finished study without any evaluation, free to be changed."""
    copied = own_copy(finished_study)
    shutil.rmtree(copied.evaluation_folder, ignore_errors=True)
    return copied
