"""Retrainings with products that may be rounded: what is set is set back, and runs have keys and notes of their own."""

import json

import pytest
import torch

from cadc.errors import DataError
from cadc.evaluation import EvaluationSettings, read_results, request_evaluation, run_evaluation
from cadc.evaluation.request import result_file
from cadc.models.precision import products
from cadc.study.progress import Silent

ONE = EvaluationSettings(arms=("random",), seeds=(0,), steps=6, batch=4, samples_per_unit=2, max_new_tokens=3)


def set_now() -> tuple[str, bool, bool]:
    return (torch.get_float32_matmul_precision(), torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.math_sdp_enabled())


def test_it_changes_a_cpu_only_and_sets_back_what_was_before():
    before = set_now()
    for kind, device in (("float32", "cpu"), ("bfloat16", "cuda:0")):
        with products(kind, device):
            assert set_now() == before
    with pytest.raises(KeyError), products("bfloat16", "cpu"):
        assert set_now() == ("medium", False, True)
        raise KeyError
    assert set_now() == before


def test_runs_have_their_own_keys_and_say_so_and_tell_the_same(study):
    exact = request_evaluation(study, ONE)
    assert ONE.to_json()["products"] == "float32"
    run_evaluation(study, Silent(), ONE)
    other = EvaluationSettings(**ONE.to_json() | {"products": "bfloat16"})
    rounded = request_evaluation(study, other)
    assert rounded.id != exact.id and rounded.runs[0].key != exact.runs[0].key
    assert rounded.runs[0].rows == exact.runs[0].rows
    run_evaluation(study, Silent())
    one, two = (json.loads(result_file(study, request.runs[0].key).read_text()) for request in (exact, rounded))
    assert two["losses"] == pytest.approx(one["losses"], rel=0.02)
    said = [note for note in read_results(study)[0].notes if "bfloat16" in note]
    assert len(said) == 1 and not any("bfloat16" in note for note in one["notes"])


def test_a_request_of_an_earlier_version_is_of_float32():
    values = ONE.to_json()
    values.pop("products")
    assert EvaluationSettings.from_json(values) == ONE
    with pytest.raises(DataError, match="products"):
        EvaluationSettings(products="int4")
