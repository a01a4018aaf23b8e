"""The number of threads is what was asked for, whatever another library has left behind."""

import pytest
import torch

from cadc.models.threads import asked_threads, lone_threads, torch_threads


@pytest.mark.parametrize(("given", "asked"), [("3", 3), ("1", 1), ("0", 1), ("many", 1), ("", 1), (None, 1)])
def test_the_environment_says_how_many(monkeypatch, given, asked):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert asked_threads() == asked


def test_what_was_found_is_there_again_behind(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with torch_threads(2):
        with lone_threads("cpu"):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with lone_threads("cuda"):
            assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), torch_threads(3):
            raise KeyError
        assert torch.get_num_threads() == 2
