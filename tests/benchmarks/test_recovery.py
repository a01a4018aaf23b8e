"""The benchmark end to end on a drawn pool of a hundred and fifty rows and an untrained model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lab.discovery import JUDGED
from cadc.curation import PRESETS

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    from cadc.demo.model import build_model, build_processor
    from cadc.demo.pool import PoolMix, write_mix
    from cadc.study import Study, StudyConfig

    root = tmp_path_factory.mktemp("recovery")
    build_model(0).save_pretrained(root / "model")
    build_processor().save_pretrained(root / "model")
    files = write_mix(root / "data", PoolMix(size=150, per_unit=4))
    config = StudyConfig(pool=str(files.pool), target=str(files.target), images=str(files.images), unit_column="task",
                         model=str(root / "model"), checkpoints=2, warmup_min_rows=32, warmup_epochs=1,
                         samples_per_unit=4, near_samples=4, near_q=2, best_rows=16, permutations=1,
                         judge_steps=10, transfer_steps=2, transfer_repeats=1)
    Study.create("drawn", config, created="2026-01-01T00:00:00", root=root / "cache")
    done = subprocess.run([sys.executable, "-m", "benchmarks.recovery", "--study", "drawn", "--cache", root / "cache",
                           "--fresh", "24", "--steps", "2", "--workers", "1", "--json", root / "out.json"], cwd=ROOT,
                          capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((root / "out.json").read_text())


def test_the_last_line_is_the_json_that_the_file_has(outcome):
    text, found = outcome
    assert json.loads(text.splitlines()[-1]) == found


def test_the_documented_keys_are_there(outcome):
    _, found = outcome
    assert -1 <= found["transfer"]["spearman"] <= 1
    matrix = found["transfer"]["matrix"]
    assert len(matrix) == len(matrix[0]) == len(found["transfer"]["units"]) == 20
    assert {(row["signal"], row["cluster"]) for row in found["maps"]} == {
        (signal, cluster) for signal in ("plain", "grounded", "whitened", "embedding", "words", "pictures", "transfer")
        for cluster in ("leiden", "hdbscan")}
    assert all({"ari_skill", "ari_format"} <= set(row) for row in found["maps"])
    assert {"studio", "quick", "whitened", "gradients", "embedding", "words"} <= set(found["auc"])
    for row in found["auc"].values():
        assert set(row) == {"off_topic", "off_target", "wrong", "own_unit", "twins"}
        assert all(0 <= value <= 1 for value in row.values())
    assert found["auc"]["studio"]["wrong"] == found["auc"]["quick"]["wrong"] == found["wrong_by"][JUDGED]
    assert set(found["twins"]) == set(found["auc"])
    assert set(found["curriculum"]) == {"pool", *PRESETS}
    for row in found["curriculum"].values():
        assert all(0 <= row[key] <= 1 for key in ("off_topic", "off_target", "wrong", "duplicate"))


def test_the_planted_shares_are_found_in_the_pool(outcome):
    _, found = outcome
    pool = found["curriculum"]["pool"]
    assert pool["off_topic"] == pytest.approx(0.15, abs=0.02)
    assert pool["duplicate"] == pytest.approx(0.15, abs=0.02)
    assert pool["wrong"] == pytest.approx(0.10, abs=0.02)


def test_every_key_is_explained(outcome):
    _, found = outcome
    text = (ROOT / "docs/evaluation.md").read_text()
    assert [key for key in found if not any(f"`{key}{tail}" in text for tail in ("`", "[]`", "."))] == []
