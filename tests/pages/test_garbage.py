"""Streamlit's collection after every run need not walk what was imported."""

import gc
import sys
import types

import pytest

from pages._parts import garbage


@pytest.fixture
def _thawed(monkeypatch):
    known = [0]
    monkeypatch.setattr(garbage, "_known", lambda: known)
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_what_is_there_is_set_aside_once_and_again_when_modules_come(monkeypatch):
    garbage.set_aside()
    first = gc.get_freeze_count()
    assert first > 0.9 * (first + len(gc.get_objects()))
    held = [[] for _ in range(1000)]
    garbage.set_aside()
    assert gc.get_freeze_count() <= first, "no module came: nothing is set aside, so that garbage of runs goes"
    monkeypatch.setitem(sys.modules, "cadc_a_new_one", types.ModuleType("cadc_a_new_one"))
    garbage.set_aside()
    assert gc.get_freeze_count() >= first + len(held) - 100
