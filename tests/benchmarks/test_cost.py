"""The cost of published settings, without weights."""

import json

import pytest

from benchmarks import cost


@pytest.fixture(scope="module")
def found():
    work = cost.Work(samples=1000, checkpoints=4, vectors=100, rank=8, text_tokens=50, answers=20)
    return {row["way"].split(",")[-1].strip(): row for row in cost.rows("smolvlm-256m", work)}


def test_lower_and_upper_layers_together_are_all_layers(found):
    every, last = found["lora_layers=all"], found["lora_layers=last:7"]
    assert every["below"] == 0
    assert last["below"] + last["forward"] == pytest.approx(every["forward"], rel=0.03)
    assert last["parameters"] * 30 == every["parameters"] * 7


def test_the_tower_is_that_of_the_hand_count(found):
    patches, width = 1024, 768
    block = 2 * patches * (4 * width**2 + 2 * width * 3072) + 4 * patches**2 * width
    tile = 12 * block + 2 * patches * 3 * 256 * width + 2 * 64 * (16 * width) * 576
    assert found["lora_layers=all"]["vision"] == pytest.approx(13 * tile, rel=1e-6)


def test_one_pass_for_all_checkpoints_beats_one_backward_for_each(found):
    less = next(row for way, row in found.items() if "LESS" in way)
    ours = found["lora_layers=all"]
    assert less["total"] == 4 * (ours["vision"] + ours["forward"] + ours["backward"])
    assert less["total"] - ours["total"] == pytest.approx(3 * ours["vision"] - 4 * ours["product"])


def test_the_judges_beside_the_gradients(found):
    ours = found["lora_layers=all"]
    forward, step = ours["vision"] + ours["forward"], ours["vision"] + ours["forward"] + ours["backward"]
    work = cost.Work(samples=665_000, checkpoints=4, vectors=3000, rank=8, text_tokens=50, answers=20)
    more = cost.beside(ours, work)
    trained = 2 * 6 * 188 * 16  # six passes over 3 000 target samples
    read = ours["vision"] + 3 * ours["forward"]  # the base and two judges, the tower once
    assert more["judge"] * 665_000 == pytest.approx(trained * step + 665_000 * read)
    assert more["judge"] < 1.2 * forward + 2 * ours["forward"], "the trainings weigh little"


def test_hours_follow_from_flop_and_efficiency():
    assert cost.hours(3.6e12, 1000, 1.0, 0.5) == pytest.approx(2.0)


def test_unknown_device_is_one_line_and_code_2(capsys):
    assert cost.main(["--device", "abacus"]) == 2
    said = capsys.readouterr()
    assert "h100" in said.err and not said.out


def test_it_ends_with_one_line_of_json_that_says_estimate(capsys):
    assert cost.main(["--samples", "10", "--text-tokens", "20", "--answers", "5"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "not measured" in last["estimate"] and len(last["rows"]) == 3
