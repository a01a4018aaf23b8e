"""One checkpoint beside all, and how units are divided."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import Workbench, open_workbench
from cadc.discovery import similarity
from cadc.study import Study
from cadc.study.decisions import Decision
from cadc.views import checkpoints, labellings
from cadc.views.capabilities import capabilities_view


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Workbench:
    root = tmp_path_factory.mktemp("cache")
    synthesise(root, rows=120, units=9, checkpoints=3, samples_per_unit=5, seed=2, name="trial")
    return open_workbench(Study.open("trial", root=root))


def test_similarity_at_a_checkpoint_is_the_cosine_there(bench):
    found = checkpoints.at_checkpoint(bench, 2)
    gram = np.asarray(bench.scores.gram[1], float)
    norm = np.sqrt(np.diag(gram))
    cosine = np.clip(gram / norm[:, None] / norm, -1, 1)
    off = ~np.eye(9, dtype=bool)
    assert found.similarity[off] == pytest.approx(cosine[off], abs=1e-6)
    every = similarity(bench.scores.gram, bench.scores.eta)
    upper = np.triu_indices(9, 1)
    assert f"{spearmanr(cosine[upper], every[upper])[0]:.2f}" in found.sentence
    assert "2 of 3" in found.sentence and checkpoints.lacking(bench) == ""


def test_a_turned_and_mirrored_map_lies_on_the_other_again():
    rng = np.random.default_rng(0)
    spots = rng.normal(size=(7, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) @ np.diag([1, -1])
    assert checkpoints.turned(3 * spots @ turn + 5, spots) == pytest.approx(spots)


def test_places_are_given_as_numbers_and_every_unit_once(bench):
    found = checkpoints.at_checkpoint(bench, 1)
    table = capabilities_view(bench, bench.targets.groupby("unit").agg(
        answer_format=("answer_format", "first"), samples=("unit", "size")).reset_index(), 0).table
    places = checkpoints.place_table(table, found)
    assert places["unit"].tolist() == list(bench.scores.units)
    assert places[["x (all)", "y (all)"]].to_numpy() == pytest.approx(found.whole)


def test_shares_of_the_capabilities_sum_to_the_target(bench):
    unit = bench.capabilities.members("c1")[0]
    moved = Workbench(bench.study, bench.scores, bench.table, bench.targets,
                      [decision(1, "move", unit=unit, to=None)], bench.influence_columns)
    table = checkpoints.share_table(moved)
    assert table["units"].sum() == 9 and table["share"].sum() == pytest.approx(1)
    assert table.iloc[-1][["capability", "name", "units"]].tolist() == ["", "unassigned", 1]


def decision(seq: int, kind: str, **payload: object) -> Decision:
    return Decision(seq=seq, batch=seq, at=f"2026-01-01T00:00:0{seq}", scope="capabilities", kind=kind, payload=payload)


def test_what_is_in_force_can_be_laid_beside_every_earlier_state(bench):
    unit = bench.capabilities.members("c1")[0]
    decisions = [decision(1, "rename", capability="c1", name="first"), decision(2, "move", unit=unit, to=None)]
    now = Workbench(bench.study, bench.scores, bench.table, bench.targets, decisions, bench.influence_columns)
    offered = labellings.choices(("plain",), decisions)
    assert list(offered) == [("map", "plain", "leiden"), ("map", "plain", "hdbscan"), ("after", "0"), ("after", "1")]
    assert len(set(offered.values())) == 4
    before = labellings.labelling(now, ("after", "1"))
    assert before.names[0] == "first" and before.of_unit == bench.capabilities.of_unit
    assert labellings.labelling(now, ("after", "0")).names[0] == "c1"


def test_a_map_found_again_agrees_with_itself(bench):
    again = labellings.labelling(bench, ("map", bench.discovery.signal, "leiden"))
    own = labellings.Labelling(names=bench.capabilities.names, of_unit=bench.capabilities.of_unit)
    table, index = labellings.compared(own, again)
    assert index == 1 and table.drop(columns=" ").to_numpy().sum() == 9


def test_names_that_collide_are_told_apart_and_empty_lines_left_out():
    first = labellings.Labelling(names=("unassigned", "b"), of_unit=(0, 0, -1))
    second = labellings.Labelling(names=("x",), of_unit=(0, -1, 0))
    table, index = labellings.compared(first, second)
    assert table[" "].tolist() == ["unassigned", "“unassigned”"] and list(table.columns) == [" ", "x", "unassigned"]
    assert table[["x", "unassigned"]].to_numpy().tolist() == [[1, 1], [1, 0]] and index < 1
