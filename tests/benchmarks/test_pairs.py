"""Differences over paired seeds and over pools × units, and the tables that are made of them."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.lab.claims import tables
from benchmarks.lab.pairs import at, cells_of, keep_cells, over_cells, over_seeds, read_lines, shared
from benchmarks.lab.report import plain
from cadc.errors import DataError
from cadc.evaluation.results import COLUMNS

ARMS = {"random": 0.4, "cadc-mixed": 0.6, "quick": 0.58, "oracle": 0.62, "oracle-rounds": 0.65}


def table(seeds: int = 10, pool: int = 0) -> pd.DataFrame:
    """Accuracies whose seeds move all arms together: only a paired comparison sees the difference."""
    rng = np.random.default_rng(pool)
    common = rng.normal(0, 0.05, seeds)
    rows = [(arm, 30 + r, f"u{m}", level + common[r] + rng.normal(0, 0.01), 1.0, 20, 400, 4800, 150, 1.0, 0.05)
            for arm, level in ARMS.items() for r in range(seeds if arm != "quick" else seeds - 2) for m in range(6)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_difference_over_seeds_is_the_paired_t_interval():
    own = table()
    cells = cells_of(own)
    found = over_seeds(cells["cadc-mixed"], cells["quick"])
    means = own.groupby(["arm", "seed"])["accuracy"].mean().unstack(0)
    both = means.dropna()
    gap = both["cadc-mixed"] - both["quick"]
    low, high = stats.t.interval(0.95, len(gap) - 1, gap.mean(), stats.sem(gap))
    assert shared(cells["cadc-mixed"], cells["quick"]) == list(range(30, 38))
    assert (found.mean, found.low, found.high) == pytest.approx((gap.mean(), low, high))
    assert found.seeds == 8 and found.high - found.low < 0.02 < own.groupby("seed")["accuracy"].mean().std()


def test_a_difference_over_cells_counts_pools_and_units():
    pools = [cells_of(table(pool=n)) for n in (1, 2)]
    found = over_cells([(one["cadc-mixed"], one["quick"]) for one in pools])
    gaps = []
    for n in (1, 2):
        own = table(pool=n)
        own = own[own["seed"] < 38]
        grid = own.groupby(["arm", "unit"])["accuracy"].mean().unstack(0)
        gaps += (grid["cadc-mixed"] - grid["quick"]).tolist()
    low, high = stats.t.interval(0.95, len(gaps) - 1, np.mean(gaps), stats.sem(gaps))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(gaps), low, high)) and found.units == 12


def test_arms_without_a_common_seed_have_no_difference():
    own = table()
    cells = cells_of(own)
    one = cells_of(own[own["seed"] == 30])["quick"]
    other = cells_of(own[own["seed"] == 31])["cadc-mixed"]
    assert np.isnan(over_seeds(other, one).mean) and np.isnan(over_cells([(other, one)]).mean)
    alone = over_seeds(cells["cadc-mixed"], one)
    assert np.isfinite(alone.mean) and np.isnan(alone.low)


def test_the_tables_hold_every_pool_and_budget(tmp_path):
    files = []
    for n, pool in enumerate(("demo", "demo-second")):
        files.append(tmp_path / f"{pool}.json")
        part = {"cells": cells_of(table(pool=n))}
        files[-1].write_text(json.dumps(plain({"study": pool, "budgets": {"0.05": part, "0.2": part}})))
    said = tables(files)
    accuracy, way, difference = said.split("\n\n")
    assert "demo, 5 % | demo, 20 % | demo-second, 5 % | demo-second, 20 %" in accuracy
    assert [line.split(" | ")[0] for line in accuracy.splitlines()[2:]] == [
        "| `oracle-rounds`", "| `oracle`", "| `cadc-mixed`", "| `quick`", "| `random`"]
    assert "(8)" in accuracy.splitlines()[5] and "(8)" not in accuracy.splitlines()[4]
    mixed = way.splitlines()[2].split(" | ")
    assert mixed[0] == "| `cadc-mixed`" and float(mixed[1]) == pytest.approx(0.2 / 0.25, abs=0.05)
    row = next(line for line in difference.splitlines() if line.startswith("| `cadc-mixed` − `quick`"))
    assert row.count("**+") == 6 and len(row.split("|")) == len(difference.splitlines()[0].split("|"))
    assert "design" not in difference


def test_a_file_that_is_no_report_is_named(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"study": "demo", "budgets": {"0.05": {"arms": []}}}))
    (tmp_path / "list.json").write_text("[]")
    for name in ("old.json", "list.json", "none.json"):
        with pytest.raises(DataError, match=name):
            read_lines([tmp_path / name])


def test_seeds_of_several_reports_are_united_and_kept(tmp_path):
    own = table()
    early, late, changed = own[own["seed"] < 34], own[own["seed"] >= 34], own[own["seed"] == 33].copy()
    changed["accuracy"] += 0.01
    files = []
    for name, part in (("early", early), ("late", late), ("changed", changed)):
        files.append(tmp_path / f"{name}.json")
        budgets = {"0.05": {"cells": cells_of(part), "arms": []}}
        if name == "late":
            budgets["0.2"] = budgets["0.05"]
        files[-1].write_text(json.dumps({"study": "demo", "identity": "one", "budgets": budgets}))
    whole = read_lines(files[:2])["demo"]
    assert at(whole, "0.05") == cells_of(own) and at(whole, "0.2") == cells_of(late)
    keep_cells(files[:1], tmp_path / "kept")
    kept = keep_cells(files[1:], tmp_path / "kept")
    assert [path.name for path in kept] == ["demo.json"]
    assert set(json.loads(kept[0].read_text())["budgets"]["0.05"]) == {"cells"}
    again = at(read_lines(kept)["demo"], "0.05")["random"]
    before = cells_of(own)["random"]
    assert again["seeds"] == before["seeds"]
    assert again["units"]["u2"][3] == pytest.approx(before["units"]["u2"][3] + 0.01)
    assert again["units"]["u2"][:3] == before["units"]["u2"][:3]


def test_reports_of_two_studies_of_one_name_are_not_mixed(tmp_path):
    for name in ("one", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps(
            {"study": "demo", "identity": name, "budgets": {"0.05": {"cells": cells_of(table(seeds=2))}}}))
    with pytest.raises(DataError, match=r"other\.json tells of another study named 'demo'"):
        read_lines([tmp_path / "one.json", tmp_path / "other.json"])
