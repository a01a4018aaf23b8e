"""The estimate before the start: a study in small, and what follows from its numbers."""

import dataclasses

import pytest
from tiny_study import make_study

from cadc.discovery.intervention import TransferSettings
from cadc.errors import JobError
from cadc.estimate import costs, ledger
from cadc.estimate.calibration import Rates, neighbours
from cadc.estimate.costs import transfer_rows
from cadc.estimate.estimate import estimate, measured_costs
from cadc.estimate.flops import RowFlops
from cadc.estimate.sizes import Sizes, sizes
from cadc.study import JOBS, Study
from cadc.study.jobs import Job, core_jobs

RATES = Rates(start=1, first_load=2, load=1, warmup_rest=0.5, fresh_row=0.2, known_row=0.1, target_row=0.3,
              pool_row=0.4, pool_start=3, vector=1e-3, gram=1e-9, write_mb=0.01, parameters=1000, width=32,
              number_bytes=4, small_vectors=5, pool_rows=8, workers=2, warmup_mb=500, targets_mb=600, attribute_mb=900,
              device_mb=0)


@pytest.fixture(scope="module")
def read(data, tmp_path_factory) -> Study:
    """A study that has read its pool and target, and done no more (shared: tests must not write into it)."""
    return make_study(data, tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def estimated(data, tmp_path_factory):
    study = make_study(data, tmp_path_factory.mktemp("estimated"))
    return study, estimate(study, workers=2)


def test_estimate_needs_no_job_but_ingest_and_adds_up(estimated):
    study, found = estimated
    usual = [name for name in core_jobs(study.config) if JOBS[name].cost]
    assert {"judge", "warmup", "targets", "attribute", "scores", "embedding", "quick", "near"} <= set(usual)
    assert set(found["jobs"]) == {*usual, "transfer"}, "what is only offered has its price, and is not in the total"
    assert found["total"]["seconds"] == pytest.approx(sum(found["jobs"][name]["seconds"] for name in usual), abs=0.11)
    assert all(job["memory_mb"] > 0 for job in found["jobs"].values())
    small = ("scores", "near", "quick", "embedding")  # less than a tenth of a second
    assert all(job["seconds"] > 0 for name, job in found["jobs"].items() if name not in small)
    assert found["jobs"]["embedding"]["seconds"] == 0, "it comes with the judges' pass"
    assert "measured" in found["basis"] and found["rates"]["workers"] == 2


def test_lanes_share_the_rows_of_the_target_pass_and_each_holds_a_model(read):
    known = dataclasses.replace(sizes(read), targets=200, passes=600)
    one, four, most = (measured_costs(read, known, dataclasses.replace(RATES, lanes=lanes, lane_mb=50), 4)["targets"]
                       for lanes in (1, 4, 9))
    assert four["memory_mb"] == pytest.approx(one["memory_mb"] + 3 * 50, abs=0.2)
    work = 600 * RATES.target_row
    assert one["seconds"] - four["seconds"] == pytest.approx(work * 3 / 4 - 3 * RATES.load, rel=0.01)
    assert most == four, "a pass over 200 samples has four batches"


def test_switched_off_the_judges_cost_nothing(read):
    known = sizes(read)
    on = dataclasses.replace(read, config=dataclasses.replace(read.config, judges=3))
    off = dataclasses.replace(read, config=dataclasses.replace(read.config, judges=0))
    assert "judge" not in measured_costs(off, known, RATES, 1)
    once = dataclasses.replace(read, config=dataclasses.replace(read.config, judges=1))
    three, one = (measured_costs(study, known, RATES, 1)["judge"]["seconds"] for study in (on, once))
    assert 1.2 * one < three < 3 * one, "each trains and reads; what lies below the adapters is computed once"
    assert measured_costs(off, known, RATES, 1)["embedding"]["seconds"] > 0


def test_transfer_is_priced_by_what_its_runs_train_and_read(read):
    known = sizes(read)
    alone, two = (measured_costs(read, known, RATES, workers)["transfer"]["seconds"] for workers in (1, 2))
    many = dataclasses.replace(known, units=10 * known.units, targets=10 * known.targets)
    assert two < alone < 2 * two + 60
    train, held, rows = TransferSettings.of(read.config).sizes(-(-known.targets // known.units))
    trained, losses = transfer_rows(read.config, known.units, train + held)
    assert trained == known.units * 2 * 40 * min(16, train) and losses == known.units ** 2 * 2 * rows
    assert transfer_rows(read.config, 162, 64)[1] == 2 * 162 ** 2 * min(40, read.config.samples_per_unit)
    assert measured_costs(read, many, RATES, 1)["transfer"]["seconds"] > 10 * alone * 0.5


def test_estimate_leaves_nothing_behind_but_its_file(estimated):
    study, found = estimated
    assert not study.warmup_folder.exists() and not list(study.folder.glob("calibration-*"))
    assert ledger.kept(study) == {ledger.HERE: found}


def test_measured_rates_are_seconds_that_add_up_to_a_run(estimated):
    rates = Rates(**estimated[1]["rates"])
    assert all(getattr(rates, f.name) > 0 for f in dataclasses.fields(Rates)
               if f.name not in ("device_mb", "warmup_rest", "target_row"))
    assert rates.number_bytes == pytest.approx(4, rel=0.2)


def test_disk_is_predicted_to_a_tenth(ready):
    from cadc.gradients.targets import summary
    from cadc.models import open_vlm

    work = costs.Work(config=ready.config, sizes=sizes(ready), parameters=open_vlm(ready.config).lora.size, width=32)
    predicted = costs.targets(work, costs.measured(RATES)).disk_mb
    taken = sum(p.stat().st_size for p in ready.targets_folder.glob("*.safetensors")) / 2**20
    assert predicted == pytest.approx(taken, rel=0.1)
    assert sizes(ready).singles == len(summary(ready)["samples"])


def test_seconds_and_disk_grow_in_proportion_to_the_pool(read):
    known = sizes(read)
    sizes_of = [dataclasses.replace(known, pool=n * 1000, distinct=n * 1000) for n in (1, 2, 3)]
    costs = [measured_costs(read, one, RATES, 2)["attribute"] for one in sizes_of]
    for key in ("seconds", "disk_mb"):
        first, second, third = (c[key] for c in costs)
        assert second > first and third - second == pytest.approx(second - first, abs=0.11)


def test_two_processes_halve_the_rows_of_each_and_hold_the_vectors_twice(read):
    known = dataclasses.replace(sizes(read), pool=10_000, distinct=10_000, singles=5_000)
    alone, both = (measured_costs(read, known, RATES, workers)["attribute"] for workers in (1, 2))
    assert both["seconds"] - RATES.pool_start < 0.51 * (alone["seconds"] - RATES.pool_start) + 1
    assert both["memory_mb"] > 1.5 * alone["memory_mb"] - 500


def test_warmup_rows_of_later_passes_are_counted_as_known(read):
    known = sizes(read)
    assert (known.fresh_rows, known.known_rows) == (12, 12)  # 12 rows, two passes


def test_steps_of_the_warmup_cost_less_by_what_parts_side_by_side_gain_and_nothing_else_does(read):
    known = sizes(read)
    alone, both = (measured_costs(read, known, dataclasses.replace(RATES, warmup_gain=gain), 2) for gain in (1.0, 2.0))
    steps = (known.fresh_rows + known.known_rows) * RATES.known_row
    assert alone["warmup"]["seconds"] - both["warmup"]["seconds"] == pytest.approx(steps / 2, abs=0.11)
    assert {job: cost for job, cost in alone.items() if job != "warmup"} == {
        job: cost for job, cost in both.items() if job != "warmup"}


def test_runs_are_neighbours_spread_over_all_lengths():
    ordered = list(range(1000))
    found = neighbours(ordered, 128, 64)
    assert len(found) == 128
    assert found[63] - found[0] == 63 and found[127] - found[64] == 63
    assert found[0] < 250 < 750 < found[-1]
    assert neighbours(ordered[:100], 128, 64) == ordered[:100]


def test_estimate_before_the_pool_was_read_says_what_to_do(read, tmp_path):
    fresh = Study.create("fresh", read.config, created="2026-01-01T00:00:00", root=tmp_path)
    with pytest.raises(JobError, match="--until ingest"):
        estimate(fresh)


def test_a_model_that_cannot_be_loaded_is_said_in_one_line(data, tmp_path):
    from cadc.data import run_ingest
    from cadc.study.progress import Silent

    study = make_study(data, tmp_path)
    config = dataclasses.replace(study.config, model=str(data / "pictures"))
    broken = Study.create("broken", config, created="", root=tmp_path / "other")
    run_ingest(broken, Silent())
    with pytest.raises(JobError, match="cannot be loaded"):
        estimate(broken)


def test_landmarks_pay_for_their_own_rows_and_one_forward_of_all(read):
    known = Sizes(pool=10_000, distinct=10_000, fresh_rows=0, known_rows=0, singles=12, targets=15, target_rows=18,
                  units=3, passes=15, grounded=False)
    row = RowFlops(vision=4.0, below=1.0, forward=4.0, backward=4.0, kept=0.0)

    def flops(**settings) -> dict[str, float]:
        config = dataclasses.replace(read.config, **settings)
        work = costs.Work(config=config, sizes=known, parameters=0, width=32)
        return {job: cost.price for job, cost in costs.costs_of(work, costs.counted(row, 2, 0.0)).items()}

    whole = flops(nearness="gradients")
    assert "embedding" not in whole and "quick" not in whole
    assert flops(landmarks=0.2)["attribute"] == pytest.approx(0.2 * whole["attribute"] + 10_000 * 9)
    assert flops(nearness="gradients+embedding", judges=0)["embedding"] == 10_018 * 9, "all of pool and target"
    judged = flops(nearness="gradients+embedding", judges=2, judge_steps=1, warmup_batch=1)
    assert judged["embedding"] == 0 and judged["judge"] == 10_018 * (4 + 1 + 3 * 4) + 2 * 13, "the tower once"


TOY = '''
from cadc.estimate.costs import Cost, Memory

def toy(work, prices):
    return Cost(price=work.sizes.pool * prices.forward_row, disk_mb=1.0, memory=Memory(like="warmup"))
'''


def test_a_job_from_elsewhere_is_priced_in_seconds_and_in_flop(read, monkeypatch, tmp_path):
    (tmp_path / "toy_costs.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(JOBS, "_entries", dict(JOBS))
    JOBS.add(Job(name="toy", about="plays", run="toy_costs:none", cost="toy_costs:toy"))
    work = costs.Work(config=read.config, sizes=sizes(read), parameters=1000, width=32)
    row = RowFlops(vision=4.0, below=1.0, forward=4.0, backward=4.0, kept=0.0)
    for prices, each in ((costs.measured(RATES), 0.2 - 0.1 / 2), (costs.counted(row, 2, 0.0), 9.0)):
        found = costs.costs_of(work, prices)
        assert list(found)[-1] == "toy" and found["toy"].price == pytest.approx(30 * each)


def test_passes_over_target_rows_count_those_with_moved_pictures(read):
    from cadc.estimate.sizes import target_passes, target_vectors

    config = dataclasses.replace(read.config, permutations=3)
    assert target_passes(config, [5, 2], [True, False]) == 5 * 4 + 2
    assert target_passes(dataclasses.replace(config, grounded=False), [5, 2], [True, False]) == 7
    assert (target_vectors(9, 4, False), target_vectors(9, 4, True)) == (13, 17)
