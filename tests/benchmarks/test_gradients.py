"""The engines that are compared compute the same gradients, and the table says what was measured."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks.gradients import STEPS, Effort, measure, ratios, rows_of, table, trials
from benchmarks.lab.peers.engines import DIMENSIONS, ENGINES, INTERVAL
from benchmarks.lab.peers.models import Load, open_load, quarter
from benchmarks.lab.peers.projection import projector

LOAD = Load(model="embedded", batch=5, units=2, singles=2, rank=2)
PEERS = ("less", "bergson", "dattri")


@pytest.fixture(scope="module")
def found() -> dict[str, torch.Tensor]:
    """Gradients of every engine at the same adapter on the same samples, each on a fresh model."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch._dynamo.config, "disable", True)  # as in the benchmark: its processes do not compile
        for engine in ("plain", "ours", *PEERS):
            vlm, batches = open_load(LOAD)
            made[engine] = ENGINES[engine](LOAD, vlm).gradients(batches[0])
    return made


@pytest.mark.parametrize("engine", PEERS)
def test_peers_and_ours_find_the_same_per_sample_gradients(found, engine):
    ours, theirs = found["ours"], found[engine]
    assert ours.shape == theirs.shape and ours.norm() > 0
    assert ((ours - theirs).norm(dim=1) <= 1e-4 * ours.norm(dim=1)).all()
    directions = torch.randn(7, ours.shape[1], generator=torch.Generator().manual_seed(1))
    assert torch.allclose(ours @ directions.t(), theirs @ directions.t(), rtol=1e-3, atol=1e-4 * ours.norm())


def test_plain_pass_is_the_mean_of_them(found):
    mean = found["ours"].mean(0)
    assert (found["plain"] - mean).norm() <= 1e-4 * mean.norm()


def test_adapters_on_the_last_layers_see_the_lower_ones_as_they_are():
    vlm, batches = open_load(Load(model="embedded", batch=3, units=1, singles=1, rank=2, layers="last:1"))
    assert quarter("embedded") == len(vlm.layers) - vlm.lora.first_layer == 1
    engine = ENGINES["ours-last-k"](Load(model="embedded", batch=3, units=1, singles=1, rank=2), vlm)
    assert engine.gradients(batches[0]).shape == (3, vlm.lora.size)


def test_projection_keeps_products_and_repeats_itself():
    rows = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    rows = torch.nn.functional.normalize(rows + rows[:1])
    one, again, other = (projector(5000, 2048, seed, "cpu").project(rows, 0) / 2048**0.5 for seed in (5, 5, 6))
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-3)
    assert (one @ one.t() - rows @ rows.t()).abs().max() < 0.12  # 5 standard deviations of 1/√2048
    assert DIMENSIONS % INTERVAL == 0


def test_rows_say_what_was_measured_and_what_follows_from_it():
    todo = trials(LOAD, ("plain", "ours", "less"), STEPS, derived=True)
    assert [(t.engine, t.checkpoints) for t in todo] == [("plain", 1), ("ours", 1), ("ours", 4), ("less", 1)]
    seconds = {("plain", 1): (1.0, 2.0, 4.0), ("ours", 1): (1.1, 2.0, 4.8), ("ours", 4): (2.0, 4.0, 9.0),
               ("less", 1): (3.0, 6.0, 12.0)}
    answers = [[{"seconds": s, "cpu_seconds": s, "peak_mb": 7} for s in seconds[t.engine, t.checkpoints]] for t in todo]
    rows = rows_of(list(zip(todo, answers, strict=True)), STEPS)
    at = {(r["engine"], r["checkpoints"]): r for r in rows}
    assert len(rows) == 6 and {r["measured"] for r in rows} == {True, False}
    assert at["ours", 4]["share"] == pytest.approx(0.5) and at["ours", 1]["cost"] == pytest.approx(1.1)
    assert at["plain", 4]["samples_per_s"] == pytest.approx(at["plain", 1]["samples_per_s"] / 4)
    assert at["less", 4]["cost"] == pytest.approx(12) and not at["less", 4]["measured"]
    said = dict(ratios(rows))
    assert said["ours ÷ less at T=4, samples/s"] == pytest.approx(6)
    assert len(table(rows)) == 2 + len(rows)


def test_engine_that_is_not_there_is_noted_and_the_others_go_on():
    todo = trials(LOAD, ("ours",), (1,), derived=True)
    broken = [type(todo[0])(engine="nobody", checkpoints=1, load=LOAD)]
    measured, notes = measure([*todo, *broken], Effort(rounds=1, seconds=1e9, derived=True))
    assert [t.engine for t, _ in measured] == ["ours"] and "nobody" in notes[0]
    (answer,) = measured[0][1]
    assert answer["seconds"] > 0 and answer["peak_mb"] > 0


def test_command_writes_its_rows(tmp_path):
    file, text = tmp_path / "found.json", tmp_path / "table.md"
    subprocess.run([sys.executable, "-m", "benchmarks.gradients", "--quick", "--models", "embedded", "--engines",
                    "plain", "--rounds", "1", "--threads", "1", "--targets", "2x2", "--json", str(file),
                    "--markdown", str(text)], check=True, capture_output=True)
    report = json.loads(file.read_text())
    assert {"device", "rows", "commit", "versions", "threads"} <= report.keys()
    assert [(row["engine"], row["checkpoints"]) for row in report["rows"]] == [("plain", count) for count in STEPS]
    for row in report["rows"]:
        assert {"engine", "model", "checkpoints", "samples_per_s", "peak_mb"} <= row.keys() and row["samples_per_s"] > 0
    assert "| plain " in text.read_text()
