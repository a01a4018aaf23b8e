"""Identity, names and settings of a study."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.errors import DataError
from cadc.study import Study, StudyConfig, identity_of, write_json


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "pool.json").write_text("[1]")
    (tmp_path / "target.json").write_text("[2]")
    return tmp_path


def config(folder, **changes):
    return StudyConfig(**({"pool": str(folder / "pool.json"), "target": str(folder / "target.json"), "model": "some/id"}
                          | changes))


def test_same_question_has_same_identity_wherever_the_files_lie(inputs, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("pool.json", "target.json"):
        (other / name).write_bytes((inputs / name).read_bytes())
    assert identity_of(config(inputs))[0] == identity_of(config(other))[0]


@pytest.mark.parametrize("change", [{"seed": 1}, {"checkpoints": 3}, {"features": "sgd"}, {"unit_column": "task"},
                                    {"model": "other/id"}, {"preset": "paper"}])
def test_every_changed_setting_is_another_question(inputs, change):
    assert identity_of(config(inputs))[0] != identity_of(config(inputs, **change))[0]


def test_a_changed_pool_is_another_question(inputs):
    before = identity_of(config(inputs))[0]
    (inputs / "pool.json").write_text("[1, 2]")
    assert identity_of(config(inputs))[0] != before


def test_a_changed_local_model_is_another_question(inputs):
    folder = inputs / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    before = identity_of(config(inputs, model=str(folder)))[0]
    (folder / "config.json").write_text('{"a": 1}')
    assert identity_of(config(inputs, model=str(folder)))[0] != before


def test_a_study_is_found_again_by_name_and_identity(inputs):
    made = Study.create("a", config(inputs), created="2026-01-01", root=inputs / "cache")
    again = Study.create("a", config(inputs), created="2026-02-02", root=inputs / "cache")
    twin = Study.create("b", config(inputs), created="2026-02-02", root=inputs / "cache")
    assert made.identity == again.identity == twin.identity == Study.open(made.identity, root=inputs / "cache").identity
    assert Study.names(inputs / "cache") == ["a", "b"]
    assert Study.open("a", root=inputs / "cache").config == made.config


def test_a_name_cannot_change_its_question(inputs):
    Study.create("a", config(inputs), created="", root=inputs / "cache")
    with pytest.raises(DataError, match="another question"):
        Study.create("a", config(inputs, seed=2), created="", root=inputs / "cache")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b", "ü"])
def test_a_name_that_is_no_file_name_is_refused(inputs, name):
    with pytest.raises(DataError, match="study name"):
        Study.create(name, config(inputs), created="", root=inputs / "cache")


@pytest.mark.parametrize("name", ["nope", "../../etc", "0123456789abcdef"])
def test_an_unknown_study_is_one_clear_error(inputs, name):
    with pytest.raises(DataError, match="no study named"):
        Study.open(name, root=inputs / "cache")


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_setting_text_is_accepted_or_a_data_error(key, value):
    base = {"pool": "p", "target": "t", "model": "m"}
    for name in (key, "lora_rank", "grounded", "learning_rate", "lora_layers"):
        try:
            StudyConfig.from_settings(base, {name: value})
        except DataError:
            pass


def test_settings_are_read_as_their_types():
    read = StudyConfig.from_settings({"pool": "p", "target": "t", "model": "m"},
                                     {"grounded": "false", "lora_rank": "4", "learning_rate": "1e-4",
                                      "lora_layers": "last:2"})
    assert (read.grounded, read.lora_rank, read.learning_rate, read.lora_layers) == (False, 4, 1e-4, "last:2")


def test_json_is_replaced_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}


def test_files_that_moved_are_found_at_their_new_place(inputs, tmp_path):
    Study.create("a", config(inputs), created="", root=inputs / "cache")
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("pool.json", "target.json"):
        (inputs / name).rename(other / name)
    moved = Study.create("a", config(other), created="", root=inputs / "cache")
    assert moved.config.pool == str(other / "pool.json")
