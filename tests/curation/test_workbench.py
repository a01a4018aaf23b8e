"""What decisions make of a study."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from cadc.curation import CurationSettings, workbench
from cadc.curation.workbench import Workbench
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns
from cadc.study import Study, StudyConfig
from cadc.views.curriculum import curriculum_of


@dataclass
class Event:
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    undone: bool = False


@pytest.fixture
def bench(made, tmp_path):
    """`bench(*decisions)`: a workbench on a registered study."""
    for name in ("pool", "target"):
        (tmp_path / f"{name}.jsonl").write_text("{}\n")
    config = StudyConfig(pool=str(tmp_path / "pool.jsonl"), target=str(tmp_path / "target.jsonl"), model="tiny", seed=7,
                         nearness="gradients")
    study = Study.create("trial", config, created="2030-01-01T00:00:00", root=tmp_path / "cache")
    return lambda *events, **more: Workbench(study, made.scores, made.pool, made.targets, events, **more)


def test_without_decisions_there_is_a_sensible_start(bench):
    now = bench()
    assert now.capabilities.of_unit == (0, 1, 2, 3, 0, 1, 2, 3)  # the planted groups
    assert now.settings == CurationSettings(seed=7) and len(now.curriculum.rows) == 12
    assert now.influence.shape == (240, 4) and now.assignment.shape == (240,) and now.inputs.self_mean.shape == (4, 3)
    assert now.table["index"].tolist() == now.scores.index.tolist()


def test_decisions_are_followed_on_every_later_result(bench):
    now = bench(Event("rename", {"capability": "c2", "name": "Zählen"}), Event("move", {"unit": "unit 0", "to": "c2"}),
                Event("curate", CurationSettings(budget=0.1, staging="hard").to_dict()))
    assert now.capabilities.members("c2") == ("unit 0", "unit 1", "unit 5")
    assert set(now.flows["capability"]) >= {"Zählen"} and "Zählen" in set(now.curriculum.rows["name"])
    manifest = now.manifest()
    assert manifest["capabilities"][1] == {"id": "c2", "name": "Zählen", "units": ["unit 0", "unit 1", "unit 5"]}
    assert manifest["counts"]["rows"] == 24 == sum(s["rows"] for s in manifest["stages"])
    assert manifest["curation"]["staging"] == "hard" and manifest["seeds"]["study"] == 7


def test_stages_that_somebody_decided_stay(bench):
    """The default was `soft` once: who saved a curriculum then keeps its stages."""
    saved = CurationSettings(budget=0.2).to_dict() | {"staging": "soft"}
    assert bench().settings.staging == "mix" and len(bench().curriculum.stages) == 1
    now = bench(Event("curate", saved))
    assert now.settings.staging == "soft" and len(now.curriculum.stages) == 4
    assert now.with_settings(budget=0.1).settings.staging == "soft"


def test_undone_decisions_are_left_aside(bench):
    undone = bench(Event("move", {"unit": "unit 0", "to": "c2"}, undone=True))
    assert undone.capabilities == bench().capabilities


def test_a_new_map_ends_older_moves_and_keeps_typed_names(bench):
    now = bench(
        Event("rename", {"capability": "c1", "name": "Reading"}),
        Event("move", {"unit": "unit 1", "to": "new"}),
        Event("discover", {"method": "leiden", "tau": 0.3, "gamma": 1.0}),
        Event("rename", {"capability": "c2", "name": "Counting"}),
    )
    assert now.capabilities.of_unit == (0, 1, 2, 3, 0, 1, 2, 3)
    assert now.capabilities.names == ("Reading", "Counting", "c3", "c4") and not now.capabilities.skipped
    assert now.partition.tau == 0.3


def test_discovery_can_use_the_grounded_signal(bench, made):
    grounded = bench(Event("discover", {"signal": "grounded"}))
    assert not np.allclose(grounded.similarity, bench().similarity)
    without = dataclasses.replace(made.scores, gram_grounded=made.scores.gram_grounded[:0],
                                  dots_grounded=made.scores.dots_grounded[:0])
    with pytest.raises(DataError, match="grounded"):
        dataclasses.replace(grounded, scores=without).capabilities  # noqa: B018
    with pytest.raises(DataError, match="unknown discovery setting"):
        bench(Event("discover", {"tua": 0.3})).capabilities  # noqa: B018


def test_manifest_and_summary_are_plain_json_and_reproducible(bench):
    events = (Event("rename", {"capability": "c1", "name": "قراءة"}), Event("move", {"unit": "unit 2", "to": None}))
    first, again = (json.dumps(bench(*events).manifest(), allow_nan=False) for _ in range(2))
    assert first == again
    summary = json.loads(json.dumps(bench(*events).summary(), allow_nan=False))
    assert summary["unassigned"] == ["unit 2"] and summary["scored"] == 240


def test_the_way_to_a_grouping_leaves_no_trace_in_the_curriculum(bench, made):
    columns = InfluenceColumns(made.scores)
    there_and_back = bench(Event("move", {"unit": "unit 0", "to": "c3"}), Event("move", {"unit": "unit 0", "to": "c1"}),
                           columns=columns)
    assert bench(columns=columns).curriculum.rows.equals(there_and_back.curriculum.rows)
    assert there_and_back.curriculum.rows.equals(bench().curriculum.rows)


def test_settings_can_be_changed_without_a_decision(bench):
    now = bench(Event("curate", {"budget": 30, "order": ["c2"]}))
    more = now.with_settings(budget="20%", preset=None)
    assert len(more.curriculum.rows) == 48 and more.settings.order == ("c2",) and len(now.curriculum.rows) == 30
    paper = now.with_settings(preset="paper")
    assert paper.settings == CurationSettings.of_preset("paper", budget=30)
    assert paper.capabilities == now.capabilities
    with pytest.raises(DataError):
        now.with_settings(budget="many")


def test_serving_target_samples_are_named_for_any_row(bench):
    table = bench().served(np.array([0, 5]), top=3)
    assert len(table) == 6 and (table.groupby("position")["value"].count() == 3).all()


def test_a_partition_is_found_once_for_all_workbenches_of_a_study(bench, made, monkeypatch):
    columns, counted = InfluenceColumns(made.scores), []
    inner = workbench.discover
    monkeypatch.setattr(workbench, "discover", lambda similar, settings: counted.append(settings)
                        or inner(similar, settings))
    first = bench(columns=columns).partition
    assert bench(Event("move", {"unit": "unit 0", "to": "new"}), columns=columns).partition is first
    assert bench(Event("discover", {"tau": 0.3}), columns=columns).partition.tau == 0.3
    assert len(counted) == 2


def test_a_draft_is_curated_from_the_near_that_its_preset_reads(bench, made):
    """The page shows a draft's curriculum, the export writes the saved one: both from the same columns."""
    scores = dataclasses.replace(made.scores, choice="joined")
    columns = InfluenceColumns(scores)
    own = dataclasses.replace(scores, choice="gradients", near=scores.near[::-1].copy())
    columns.remember(("near", "gradients"), lambda: InfluenceColumns(own))  # this study has no other
    now = dataclasses.replace(bench(columns=columns), scores=scores)
    drafted = curriculum_of(now, CurationSettings(budget=30, seed=7))
    assert drafted.rows.equals(now.with_settings(budget=30).curriculum.rows)
    assert not drafted.rows.equals(bench().with_settings(budget=30).curriculum.rows)
