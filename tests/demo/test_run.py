"""The embedded study registers itself, whatever an older version left in the cache."""

import pytest

from cadc.demo.run import IN_GRADIENTS, PER_UNIT, demo_study
from cadc.study import Study


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_the_demo_study_is_registered_once(root):
    made, again = demo_study(root), demo_study(root)
    assert made == again and Study.names(root) == ["demo"]


def test_a_demo_of_other_settings_does_not_take_the_name_away(root):
    older, newer = demo_study(root), demo_study(root, seed=5)
    assert older.name == "demo" and newer.name.startswith("demo-")
    assert Study.open("demo", root=root).identity == older.identity != newer.identity


def test_some_target_samples_are_held_out_of_the_gradients(root):
    assert demo_study(root).config.samples_per_unit == IN_GRADIENTS < PER_UNIT
