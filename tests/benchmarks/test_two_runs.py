"""Two runs of one question held against each other: other products, and predicted rows."""

import json

import pytest
from tiny_study import make_study, work, write_data
from tiny_vlm import idefics3

from benchmarks import agreement, landmarks
from cadc.gradients.landmarks import MINIMUM

ALONE = {"nearness": "gradients", "judges": 0, "shard_rows": 64, "checkpoints": 1}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Three finished studies of one pool and target: `exact`, `sketch`, and `half`, where half of the rows are
    predicted."""
    root, data = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("rows")
    write_data(data, pool=2 * MINIMUM)
    idefics3(data / "model", layers=2)
    for name, settings in {"exact": {}, "sketch": {"mode": "sketch", "sketch_dim": 256},
                           "half": {"landmarks": 0.5}}.items():
        work(make_study(data, root, name=name, **ALONE | settings), "scores")
    return root


def test_a_study_agrees_with_itself_and_a_sketch_with_it(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CADC_CACHE", str(cache))
    assert agreement.main(["exact", "exact"]) == 0
    same = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(part["lowest"] == pytest.approx(1) for part in same["signals"].values())
    assert agreement.main(["exact", "sketch", "--json", str(tmp_path / "a.json")]) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert set(found["signals"]) == {"near", "dots", "dots, grounded"} and found["rows"] == same["rows"]
    assert 0 < found["signals"]["dots"]["mean"] < 1 and found["reported"]


def test_predicted_rows_are_held_against_measured_ones(cache, monkeypatch, capsys):
    monkeypatch.setenv("CADC_CACHE", str(cache))
    assert landmarks.main(["exact", "half"]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert -1 <= found["ranks"]["units"]["true_lowest"] <= found["ranks"]["units"]["true_median"] <= 1
    assert found["curricula"]["studio"]["measured_in_pool"] == pytest.approx(0.5, abs=0.02)
    assert 0 <= found["curricula"]["paper"]["overlap"] <= 1 and found["seconds"]["gradient_row"] > 0
    assert table[0].startswith("near, predicted rows against the full run")
