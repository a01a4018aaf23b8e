"""Tokens and time of a curriculum, and budgets said in tokens."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.data.lengths import UNKNOWN, Lengths, tokens_of, write_lengths
from cadc.estimate import ledger
from cadc.study import Study
from cadc.views import budget as scale
from cadc.views import training as views


def write_tokens(study: Study, tokens: np.ndarray) -> None:
    """Finish the job `lengths` with these estimates of the pool; the target's rows are 9 tokens long."""
    target = np.full(len(open_workbench(study).targets), 9, np.int32)
    result = study.result("lengths")
    write_lengths(result, {"pool": Lengths(tokens=tokens, refused={}, how="by hand"),
                           "target": Lengths(tokens=target, refused={}, how="by hand")})
    result.finish()


@pytest.fixture
def bench(tmp_path):
    study = synthesise(tmp_path, rows=300, units=6, checkpoints=2, samples_per_unit=4, name="trial")
    tokens = np.random.default_rng(0).integers(5, 90, 300, dtype=np.int32)
    tokens[::50] = UNKNOWN
    write_tokens(study, tokens)
    return open_workbench(study)


def test_tokens_are_those_of_the_rows_asked_for(bench):
    index = bench.table["index"].to_numpy()
    every = tokens_of(bench.study, "pool", index)
    some = np.array([7, 3, 111])
    assert tokens_of(bench.study, "pool", index[some]).tolist() == every[some].tolist()
    assert tokens_of(bench.study, "pool", np.array([index.max() + 1])).tolist() == [UNKNOWN]


def test_unknown_rows_count_as_the_mean_and_are_said(bench):
    tokens = views.pool_tokens(bench)
    raw = tokens_of(bench.study, "pool", bench.table["index"].to_numpy())
    known = raw[raw != UNKNOWN]
    assert tokens.of(np.arange(300)) == pytest.approx(known.sum() + (300 - len(known)) * known.mean())
    found = views.training(bench, np.arange(300))
    assert found.unknown == 300 - len(known) and f"{found.unknown} rows counted" in found.words[0]
    assert found.share == pytest.approx(1)


def test_time_is_that_of_the_estimates_in_proportion_to_tokens(bench):
    rows = bench.curriculum.rows["position"].to_numpy()
    assert "not estimated yet" in views.training(bench, rows).words[1]
    ledger.keep(bench.study, ledger.HERE, {"jobs": {}, "rates": {"fresh_row": 0.5}})
    ledger.keep(bench.study, "t4", {"jobs": {}, "flops": {"once": 1e12, "each": 2e12}})
    found, tokens = views.training(bench, rows), views.pool_tokens(bench)
    alike = tokens.of(rows) / tokens.mean
    assert found.seconds["here"] == pytest.approx(0.5 * alike)
    assert found.seconds["t4"] == pytest.approx(3e12 * alike / (65e12 * 0.35))
    assert "here, as estimated" in found.words[1] and "NVIDIA T4" in found.words[1]


@pytest.mark.parametrize("wanted", [60, 700, 2500, 6000, 10**9])
def test_a_budget_in_tokens_is_met_from_below(bench, wanted):
    tokens, draft = views.pool_tokens(bench), bench.settings

    def total(rows: int) -> float:
        chosen = bench.under(replace(draft, budget=max(float(rows), 1 + 1e-9))).curriculum.rows
        return tokens.of(chosen["position"].to_numpy())

    rows = views.rows_of_tokens(bench, draft, tokens, wanted)
    assert total(rows) <= wanted or rows == 1
    best = max((n for n in range(1, 301) if total(n) <= wanted), default=1)
    assert abs(best - rows) <= 2 or total(best) == total(rows)


def test_nothing_is_known_of_tokens_before_the_job_has_run(tmp_path):
    bench = open_workbench(synthesise(tmp_path, rows=60, units=4, checkpoints=2, samples_per_unit=3, name="trial"))
    assert views.pool_tokens(bench) is None
    found = views.training(bench, np.arange(5))
    assert found.tokens is None and "--until lengths" in found.words[0]


def test_the_scale_is_logarithmic_and_every_place_is_found_again():
    places = np.array(scale.scale())
    assert places[0] == 0.1 and places[-1] == 100 and {1.0, 2.0, 5.0, 10.0} <= set(places)
    steps = np.diff(np.log10(places))
    assert steps.min() > 0 and steps.max() < 0.05
    for place in places:
        assert scale.on_scale(place / 100, 8000) == place
    assert scale.on_scale(400.0, 8000) == 5.0 and scale.on_scale(1e-9, 8000) == 0.1
    assert len({scale.place_text(place) for place in places}) == len(places)


def test_a_budget_is_read_as_it_is_shown(bench):
    draft = bench.settings
    for unit in ("share", "rows"):
        shown = scale.typed(unit, draft, 300, None)
        assert replace(draft, budget=scale.read(unit, bench, draft)(shown)).rows(300) == draft.rows(300)
        assert shown <= scale.most(unit, bench)
    used = views.training(bench, bench.curriculum.rows["position"].to_numpy()).tokens
    rows = scale.read("tokens", bench, draft)(scale.typed("tokens", draft, 300, used) + 1)
    assert round(rows) == draft.rows(300)
