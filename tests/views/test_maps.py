"""All maps of a study in one table, by page and command alike."""

import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from cadc.cli import main
from cadc.curation.workbench import open_workbench
from cadc.discovery.similarities import SIMILARITIES, open_units
from cadc.discovery.transfer import within_between
from cadc.discovery.transfer_job import measured, run_transfer
from cadc.errors import DataError
from cadc.study.progress import Silent
from cadc.views.maps import maps_of


@pytest.fixture
def bench(finished_study, own_copy):
    study = own_copy(finished_study)
    run_transfer(study, Silent())
    return open_workbench(study)


def test_every_ready_signal_gives_a_map_by_every_clusterer_and_the_others_say_why(bench):
    found = maps_of(bench, rounds=2)
    ready = set(found.table["signal"])
    assert ready | {line.name for line in found.lacking} == set(SIMILARITIES) and all(x.why for x in found.lacking)
    assert {"plain", "words", "transfer"} <= ready and len(found.table) == 2 * len(ready) == len(found.labels)
    assert found.table.query("signal == 'transfer'")["spearman"].isna().all(), "of itself it says nothing"
    assert found.table.query("signal == 'plain'")["stability"].between(-1, 1).all()
    labels = np.array(found.labels[0])
    wanted = within_between(np.clip(measured(bench.study).matrix, -1, 1), labels, rounds=2000)
    assert found.table["inside"][0] == pytest.approx(wanted[0], nan_ok=True)


def test_every_similarity_is_one(bench):
    for name in set(maps_of(bench, rounds=0).table["signal"]):
        units = open_units(bench.study, bench.scores, name)
        assert units.whole.shape == (3, 3) and np.allclose(units.whole, units.whole.T) and np.allclose(
            np.diag(units.whole), 1) and (np.abs(units.whole) <= 1).all(), name
        if units.again is not None and units.unit is not None and name != "grounded":
            same = units.again(np.arange(len(units.unit)))
            assert adjusted_rand_score(*[(s > 0).ravel() for s in (same, units.whole)]) > 0 or name == "plain", name


def test_what_a_study_cannot_have_is_refused_with_the_reason(bench):
    import dataclasses

    without = dataclasses.replace(bench.study, config=dataclasses.replace(bench.study.config, grounded=False))
    with pytest.raises(DataError, match="grounded=false"):
        open_units(without, bench.scores, "grounded")


def test_the_command_prints_the_same_table(bench, monkeypatch, capsys):
    monkeypatch.setenv("CADC_CACHE", str(bench.study.root))
    assert main(["maps", bench.study.name, "--rounds", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = maps_of(bench, rounds=0)
    assert [row["k"] for row in told["maps"]] == wanted.table["k"].tolist()
    assert [tuple(row["labels"]) for row in told["maps"]] == list(wanted.labels)
    assert told["marked"] == list(wanted.marked) and told["units"] == list(wanted.units)
    assert main(["maps", bench.study.name, "--rounds", "0"]) == 0
    text = capsys.readouterr().out
    assert "plain / leiden" in text and "transfer / hdbscan" in text
    assert main(["maps", bench.study.name, "--rounds", "-1"]) == 2
