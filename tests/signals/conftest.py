"""The squares with scores, near(z, s) not joined yet."""

from dataclasses import replace

import pytest

from cadc.study import Study


@pytest.fixture
def study(finished_study, own_copy) -> Study:
    """The question of the squares with both signals and two judges, under a cache root of the
    test's own, where the study by gradients alone was finished: it shares warm-up, targets, shards and scores."""
    copied = own_copy(finished_study)
    config = replace(copied.config, nearness="gradients+embedding", judges=2)
    made = Study.create("both", config, created="", root=copied.root)
    assert made.finished("scores") and not made.finished("near") and not made.finished("embedding")
    return made
