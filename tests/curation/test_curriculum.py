"""Whole curricula: budget, pools, filters and tags hold together, and the same call gives the same rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influences import capability_influence, curated

from cadc.curation import INSIDE, PRESETS, RULES, STAGINGS, CapabilityRows, CurationSettings, curate
from cadc.curation.inputs import CurationInputs, aligned
from cadc.discovery.capabilities import Capabilities
from cadc.errors import DataError
from cadc.scores.influence import InfluenceColumns, assign, served
from cadc.selection.filters import highest_loss

OF_UNIT = (0, 1, 1, -1, 0, 2, 1, 2)
NAMED = Capabilities(ids=("c1", "c4", "c9"), names=("One", "Four", "Nine"), of_unit=OF_UNIT,
                     units=tuple(f"unit {m}" for m in range(8)), issued=9)


def make(made, capabilities=NAMED, **chosen):
    settings = CurationSettings.of_preset(chosen.pop("preset", "studio"), **({"budget": 60} | chosen))
    return curated(made.scores, made.pool, capabilities, settings, made.targets)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), preset=st.sampled_from(["studio", "paper"]), rule=st.sampled_from(RULES),
       staging=st.sampled_from(STAGINGS), inside=st.sampled_from(INSIDE), budget=st.integers(1, 300),
       random_share=st.sampled_from([0.0, 0.3, 1.0]), source_cap=st.sampled_from([0, 7, 40]))
def test_a_curriculum_holds_together(made, data, preset, rule, staging, inside, budget, random_share, source_cap):
    tags = data.draw(st.lists(st.integers(0, 480), unique=True, max_size=12))
    keep, drop = tags[::2], tags[1::2]
    found = make(made, preset=preset, rule=rule, staging=staging, inside=inside, budget=max(budget, 1.5),
                 random_share=random_share, source_cap=source_cap, keep=keep, drop=drop)
    rows, scores = found.rows, made.scores
    assert rows["index"].is_unique and not set(drop) & set(rows["index"])
    np.testing.assert_array_equal(scores.index[rows["position"]], rows["index"])
    assert rows["id"].tolist() == [f"r{i}" for i in rows["index"]]
    if source_cap:
        free = rows[rows["reason"] != "keep"]["source"].value_counts()
        assert (free <= source_cap).all()
    else:
        total = min(CurationSettings(budget=max(budget, 1.5)).rows(240), int(found.budgets["available"].sum()))
        assert len(rows) == total
    assert found.budgets["rows"].sum() == len(rows) == found.stages["rows"].sum() == found.report["rows"]
    assert (found.budgets["rows"] <= found.budgets["available"]).all()
    kept = set(keep) & set(scores.index.tolist())
    assert len(kept & set(rows["index"])) == min(len(kept), found.report["budget"])
    pool = assign(capability_influence(scores, OF_UNIT, preset=preset))
    own = rows[rows["reason"] != "keep"]
    assert own["capability"].tolist() == [NAMED.ids[pool[p]] for p in own["position"]]
    for stage in found.stages.itertuples():
        part = rows.iloc[stage.first:stage.last]
        assert (part["stage"] == stage.stage).all()
        assert part["capability"].value_counts().to_dict() == stage.mixture
    assert all(OF_UNIT[scores.sample_unit[t]] == NAMED.ids.index(c)
               for t, c in zip(rows["target"], rows["capability"], strict=True))
    assert rows["target_id"].tolist() == [f"t{3 * t}" for t in rows["target"]]


def test_paper_takes_the_top_influence_of_each_pool(made):
    found = make(made, preset="paper")
    influence = capability_influence(made.scores, OF_UNIT, preset="paper")
    pool = assign(influence)
    for k, capability in enumerate(NAMED.ids):
        rows = np.flatnonzero(pool == k)
        wanted = rows[np.argsort(-influence[rows, k], kind="stable")][:found.budgets["rows"][k]]
        assert set(found.rows["position"][found.rows["capability"] == capability]) == set(wanted)
    assert (found.rows["reason"] == "influence").all() and found.stages["capability"].tolist() == found.report["order"]


def test_the_same_call_gives_the_same_curriculum_and_a_seed_only_changes_chance(made):
    first, again = make(made, staging="mix", random_share=0.5), make(made, staging="mix", random_share=0.5)
    assert first.rows.equals(again.rows) and first.stages.equals(again.stages)
    other = make(made, staging="mix", random_share=0.5, seed=1)
    assert set(first.rows["position"]) != set(other.rows["position"])
    assert set(make(made).rows["position"]) == set(make(made, seed=1).rows["position"]), "only the order is random"
    easy = {"staging": "soft", "inside": "easy-first"}
    assert make(made, **easy).rows.equals(make(made, **easy, seed=1).rows)


def test_staging_never_changes_which_rows_are_chosen(made):
    chosen = [set(make(made, staging=s, inside=i).rows["position"]) for s in STAGINGS for i in INSIDE]
    assert all(c == chosen[0] for c in chosen)


def test_of_each_duplicate_group_one_row_can_be_taken(made):
    everything = make(made, budget=1.0)
    groups = made.pool.set_index("index")["group"].loc[everything.rows["index"]]
    assert groups.is_unique
    first = everything.rows["index"].iloc[0]
    with_copies = make(made, budget=1.0, drop_duplicates=False)
    assert len(with_copies.rows) - len(everything.rows) == everything.report["left_out"]["near-duplicate"] > 0
    group = made.pool.set_index("index")["group"]
    copies = [i for i in with_copies.rows["index"] if group[i] == group[first] and i != first]
    for copy in copies:
        assert copy in set(make(made, budget=1.0, keep=[copy]).rows["index"])


def test_the_highest_losses_of_each_unit_are_left_out(made):
    columns = InfluenceColumns(made.scores)
    mask, nearest, loss = highest_loss(columns, 0.2), columns.nearest(), made.scores.loss[:, -1]
    for unit in range(8):
        mine = nearest == unit
        assert mask[mine].sum() == int(0.2 * mine.sum() + 1e-9)
        if mask[mine].any():
            assert loss[mine & mask].min() >= loss[mine & ~mask].max()
    found = make(made, budget=1.0, drop_loss_share=0.2)
    assert not mask[found.rows["position"]].any()


def test_rows_below_the_minimum_influence_are_left_out(made):
    middle = float(make(made, budget=1.0).rows["influence"].median())
    found = make(made, budget=1.0, minimum_influence=middle)
    assert found.rows["influence"].min() >= middle and found.report["left_out"]["influence below the minimum"] > 0


def test_a_pool_that_is_too_small_is_reported_and_the_rest_goes_to_the_others(made):
    found = make(made, rule="manual", shares={"c1": 0.9, "c4": 0.05, "c9": 0.05}, budget=150)
    got = found.budgets.set_index("capability")
    assert got.loc["c1", "rows"] == got.loc["c1", "available"] < got.loc["c1", "asked"]
    assert len(found.rows) == 150 and any("c1 asked for" in s for s in found.report["sentences"])


def test_an_unreachable_budget_is_reported(made):
    found = make(made, budget=1.0)
    assert any("not reached" in s for s in found.report["sentences"])
    assert len(found.rows) + sum(found.report["left_out"].values()) == 240


def test_manual_order_is_followed(made):
    assert make(made, order=["c9", "c1"], staging="hard").stages["capability"].tolist() == ["c9", "c1", "c4"]


def test_rows_without_a_target_sample_of_their_own_name_the_one_they_serve_best(made):
    found = make(made, preset="paper")
    k = found.rows["capability"].map(NAMED.ids.index).to_numpy()
    best = served(made.scores, found.rows["position"].to_numpy(), OF_UNIT, capability=k)
    assert found.rows["target"].tolist() == best["target"].tolist()
    np.testing.assert_allclose(found.rows["target_value"], best["value"])


def test_no_capability_gives_an_empty_curriculum_that_says_why(made):
    nothing = Capabilities(ids=(), names=(), of_unit=(-1,) * 8, units=NAMED.units, issued=3)
    found = make(made, capabilities=nothing, keep=[1])
    assert len(found.rows) == 0 and len(found.stages) == 0 and "no capability" in found.report["sentences"][0].lower()


def test_unassigned_units_are_reported(made):
    assert make(made).report["unassigned"] == ["unit 3"]
    assert any("1 target units are unassigned" in s for s in make(made).report["sentences"])


def test_a_table_of_another_pool_is_refused(made):
    with pytest.raises(DataError, match="pool row 471"):
        curated(made.scores, made.pool.iloc[:470], NAMED, CurationSettings())


def test_the_presets_divide_the_budget_by_different_rules(made):
    assert make(made).report["budget"] and CurationSettings.of_preset("paper").rule == "self-influence"
    shares = make(made).budgets.set_index("capability")["share"]
    sizes = {name: sum(1 for m in OF_UNIT if m == k) for k, name in enumerate(NAMED.ids)}
    assert shares.to_dict() == pytest.approx({name: size / sum(sizes.values()) for name, size in sizes.items()})


@pytest.mark.parametrize("preset", ["studio", "paper"])
@pytest.mark.parametrize("signal, scale", [("plain", "unit"), ("plain", "raw"), ("grounded", "unit")])
def test_influence_is_measured_as_the_settings_say(made, preset, signal, scale):
    rows = make(made, preset=preset, signal=signal, scale=scale).rows
    influence = capability_influence(made.scores, OF_UNIT, preset=preset, signal=signal, scale=scale)
    k = rows["capability"].map(NAMED.ids.index).to_numpy()
    np.testing.assert_array_equal(rows["influence"], influence[rows["position"], k])


def slow_choice(made, found, keep, random_share, seed):
    """Of each capability as many rows as it got: kept ones (the budget's first, where they are more), so many at
    random, then its picks from the first one on."""
    own = capability_influence(made.scores, OF_UNIT, preset="studio")
    inputs = CurationInputs(columns=InfluenceColumns(made.scores), table=aligned(made.pool, made.scores.index, "pool"),
                            targets=None, capabilities=NAMED, settings=CurationSettings(keep=keep))
    candidates, out = inputs.candidates, set()
    for k, got in enumerate(found.budgets["rows"]):
        inside = candidates.open & (candidates.assignment == k)
        kept = [p for p in candidates.kept[:found.report["budget"]] if inside[p]]
        drawn = int(random_share * (got - len(kept)) + 0.5)
        shuffled = np.random.default_rng([seed, 1, int(NAMED.ids[k][1:])]).permutation(np.flatnonzero(inside))
        taken = kept + [p for p in shuffled.tolist() if p not in kept][:drawn]
        rows = CapabilityRows(scores=made.scores, influence=own[:, k], inside=inside,
                              units=np.flatnonzero(np.array(OF_UNIT) == k))
        taken += [p for p, *_ in PRESETS["studio"].pick(rows) if p not in taken][:got - len(taken)]
        out |= set(taken)
    return out


@settings(max_examples=40, deadline=None)
@given(budgets=st.lists(st.integers(2, 240), min_size=1, max_size=4), keep=st.sets(st.integers(0, 479), max_size=5),
       random_share=st.sampled_from([0.0, 0.3]))
def test_remembered_rankings_give_what_brute_force_gives(made, remembered, budgets, keep, random_share):
    for budget in budgets:
        chosen = CurationSettings(budget=budget, keep=sorted(keep), random_share=random_share)
        found = curate(remembered(chosen))
        assert set(found.rows["position"]) == slow_choice(made, found, sorted(keep), random_share, 0)
        assert found.rows["position"].is_unique


@pytest.fixture(scope="module")
def remembered(made):
    """Inputs of these settings, all over the same remembered columns."""
    columns, table = InfluenceColumns(made.scores), aligned(made.pool, made.scores.index, "pool")
    return lambda settings: CurationInputs(columns=columns, table=table, targets=made.targets, capabilities=NAMED,
                                           settings=settings)


@settings(max_examples=40, deadline=None)
@given(small=st.integers(2, 240), large=st.integers(2, 240), preset=st.sampled_from(["studio", "paper"]),
       random_share=st.sampled_from([0.0, 0.3]), keep=st.sets(st.integers(0, 479), max_size=5))
def test_a_capability_that_gets_more_rows_keeps_those_it_had(remembered, small, large, preset, random_share, keep):
    found = [curate(remembered(CurationSettings.of_preset(preset, budget=b, random_share=random_share,
                                                          keep=sorted(keep)))) for b in (small, large)]
    for capability in NAMED.ids:
        less, more = sorted((set(f.rows["position"][f.rows["capability"] == capability]) for f in found), key=len)
        assert less <= more


def test_single_sources_have_caps_of_their_own(made):
    free = make(made, budget=120).rows["source"].value_counts()
    largest, second = free.index[:2]
    assert free[second] > 5
    found = make(made, budget=120, source_cap=9, source_caps={largest: 0, second: 5}).rows["source"].value_counts()
    assert found[second] == 5 and found[largest] > 9 and (found.drop([largest, second]) <= 9).all()
    same = make(made, budget=120, source_caps={"nowhere": 3}).rows["source"].value_counts()
    assert same.sum() == 120


def test_caps_of_single_sources_are_not_written_where_there_are_none():
    assert "source_caps" not in CurationSettings().to_dict() and not CurationSettings().capped
    capped = CurationSettings(source_caps={"b": 3, "a": 0}, source_cap=7)
    assert CurationSettings.from_dict(capped.to_dict()) == capped and hash(capped)
    assert [capped.cap_of(name) for name in "abc"] == [0, 3, 7]
    with pytest.raises(DataError, match="source_caps"):
        CurationSettings(source_caps={"a": -1})


def test_a_slider_ranks_nothing_again(made):
    columns, table = InfluenceColumns(made.scores), aligned(made.pool, made.scores.index, "pool")

    def rankings(**chosen):
        inputs = CurationInputs(columns=columns, table=table, targets=None, capabilities=NAMED,
                                settings=CurationSettings(**chosen))
        curate(inputs)
        return [id(inputs.ranking(k)) for k in range(3)], inputs.candidates

    first, candidates = rankings(budget=40)
    for chosen in ({"budget": 200}, {"rule": "manual", "shares": {"c1": 2, "c4": 1}, "budget": 20}, {"source_cap": 20},
                   {"source_caps": {"a": 3}},
                   {"staging": "soft", "random_share": 0.1, "seed": 3, "inside": "easy-first", "order": ["c9"]}):
        assert rankings(**chosen) == (first, candidates), "these only say how far a ranking is read"
    for chosen in ({"drop_duplicates": False}, {"drop_loss_share": 0.3}, {"floor": 0.5}, {"keep": [1, 3]}):
        again, others = rankings(**chosen)
        assert others is not candidates
        for k in range(3):
            same = np.array_equal(others.open & (others.assignment == k),
                                  candidates.open & (candidates.assignment == k))
            assert (again[k] == first[k]) == same
    assert rankings(budget=60) == (first, candidates), "those of earlier filters are still there"
