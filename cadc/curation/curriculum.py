"""From scores, capabilities and settings to an ordered curriculum (CADC §5, METHOD §5)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from cadc.curation.budgets import shares
from cadc.curation.choose import Chosen, choose
from cadc.curation.inputs import CurationInputs
from cadc.curation.sequence import earliness, inside_order, sequence, stage_order


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """An ordered selection of pool rows; every row once."""

    rows: pd.DataFrame
    """In training order: position (0…N-1), index (pool file), id, source, stage (from 1), capability (id), name,
    influence (on that capability), self_influence (Σ_t; NaN without gradients), loss (`Scores.last_loss`), target
    (0…S-1), target_index, target_id, target_unit, target_value, reason, measured (its gradients were computed; else
    predicted, decision 0013, or there are none). `rounds`: taken by that
    target sample, value Inf(z, z'); `near`: by its unit, value near(z, s); `influence`, `random`, `keep`: the target
    sample served best, value near(z, s)."""
    stages: pd.DataFrame
    """stage (one when mixed), capability, name (then both ''), rows, first, last (places [first, last) in `rows`),
    self_influence (mean; NaN without gradients), mixture ({capability id: rows})."""
    budgets: pd.DataFrame
    """capability, name, units, pool (rows), available (through every filter), share (w_k), asked (rows before caps),
    rows (chosen), self_influence (mean of Σ_t over the pool), earliness (mean time of its decrease; NaN: never, or
    without gradients)."""
    report: dict[str, Any]
    """JSON value: budget, pool, rows, left_out {reason: rows}, reasons {reason: rows}, order [ids], unassigned [units],
    sentences [str]. Sentences hold ids and numbers only, no dataset text."""


def curate(inputs: CurationInputs) -> Curriculum:
    """The curriculum of these inputs. Pure: the same call gives the same rows."""
    settings, capabilities = inputs.settings, inputs.capabilities
    share, sentences = shares(settings, capabilities, inputs.assignment, inputs.self_total)
    total = settings.rows(len(inputs.table)) if capabilities.k else 0
    chosen = choose(inputs, share, total)
    order = stage_order(inputs.self_mean, capabilities.ids, settings.order) if capabilities.k else []
    order = [k for k in order if chosen.got[k]]
    rows = _rows(inputs, chosen, order)
    stages = _stages(inputs, rows, order)
    budgets = _budgets(inputs, chosen, share)
    report = {"budget": total, "pool": len(inputs.table), "rows": len(rows), "left_out": inputs.candidates.left_out,
              "reasons": {r: int(n) for r, n in rows["reason"].value_counts().sort_index().items()},
              "order": [capabilities.ids[k] for k in order], "unassigned": list(capabilities.unassigned),
              "sentences": sentences + _sentences(inputs, chosen, order, total)}
    return Curriculum(rows=rows, stages=stages, budgets=budgets, report=report)


def _rows(inputs: CurationInputs, chosen: Chosen, order: list[int]) -> pd.DataFrame:
    """Chosen rows in training order with everything that is known about them."""
    settings, scores, picked = inputs.settings, inputs.scores, chosen.rows
    by_capability = [np.empty(0, np.int64)] * inputs.capabilities.k
    for k in order:
        rows = picked["position"].to_numpy()[picked["k"].to_numpy() == k]
        rng = np.random.default_rng([settings.seed, 2, int(inputs.capabilities.ids[k][1:])])
        by_capability[k] = rows[
            inside_order(rows, inputs.self_total[rows], inputs.influence[rows, k], settings.inside, rng)
        ]
    positions, stage = sequence(by_capability, order, settings)
    place = picked.set_index("position").loc[positions]
    k, target = place["k"].to_numpy(np.int64), place["target"].to_numpy(np.int64)
    ids, names, units = (_texts([*some, ""]) for some in (inputs.capabilities.ids, inputs.capabilities.names,
                                                          scores.units))
    table = inputs.table[["id", "source"]].iloc[positions]  # not its words: they are long
    unit, target_index = (np.where(target < 0, -1, np.asarray(of)[target])
                          for of in (scores.sample_unit, scores.sample_index))
    return pd.DataFrame(
        {
            "position": positions,
            "index": np.asarray(scores.index)[positions],
            "id": table["id"].array,
            "source": table["source"].array,
            "stage": stage,
            "capability": ids.take(k),
            "name": names.take(k),
            "influence": inputs.influence[positions, k] if len(positions) else np.empty(0, np.float32),
            "self_influence": inputs.self_total[positions],
            "loss": np.asarray(scores.last_loss)[positions],
            "target": target,
            "target_index": target_index,
            "target_id": _target_ids(inputs, target_index),
            "target_unit": units.take(unit),
            "target_value": place["target_value"].to_numpy(),
            "reason": place["reason"].array,
            "measured": np.asarray(scores.measured)[positions] & scores.has_gradients,
        }
    )


def _texts(some: list[str]) -> ExtensionArray:
    """Texts as a column keeps them: to take from them costs nothing, to make a column of Python's does."""
    return pd.array(some, dtype="str")


def _target_ids(inputs: CurationInputs, target_index: np.ndarray) -> np.ndarray | ExtensionArray:
    if inputs.targets is None:
        return np.full(len(target_index), "", object)
    return inputs.targets.set_index("index")["id"].reindex(target_index).fillna("").array


def _stages(inputs: CurationInputs, rows: pd.DataFrame, order: list[int]) -> pd.DataFrame:
    """One line per stage."""
    mixed, out, first = inputs.settings.staging == "mix", [], 0
    for number, k in enumerate(order[:1] if mixed else order, 1):
        part = rows[rows["stage"] == number]
        mixture = part["capability"].value_counts().sort_index()
        out.append({"stage": number, "capability": "" if mixed else inputs.capabilities.ids[k],
                    "name": "" if mixed else inputs.capabilities.names[k], "rows": len(part), "first": first,
                    "last": first + len(part), "self_influence": float(part["self_influence"].mean()),
                    "mixture": {c: int(n) for c, n in mixture.items()}})
        first += len(part)
    return pd.DataFrame(
        out, columns=["stage", "capability", "name", "rows", "first", "last", "self_influence", "mixture"]
    )


def _budgets(inputs: CurationInputs, chosen: Chosen, share: np.ndarray) -> pd.DataFrame:
    """One line per capability, in their own order."""
    capabilities = inputs.capabilities
    size = np.bincount(inputs.assignment[inputs.assignment >= 0], minlength=capabilities.k)[:capabilities.k]
    early = earliness(inputs.self_mean) if capabilities.k else np.empty(0)
    return pd.DataFrame({"capability": list(capabilities.ids), "name": list(capabilities.names),
                         "units": [len(capabilities.members(c)) for c in capabilities.ids], "pool": size,
                         "available": chosen.available, "share": share, "asked": chosen.asked, "rows": chosen.got,
                         "self_influence": _total(inputs),
                         "earliness": np.where(np.isfinite(early), early, np.nan)})


def _total(inputs: CurationInputs) -> np.ndarray:
    """Mean Σ_t of each pool, float64 [K]; NaN without gradients."""
    if not inputs.scores.has_gradients or not inputs.capabilities.k:
        return np.full(inputs.capabilities.k, np.nan)
    return inputs.self_mean.sum(1)


def _sentences(inputs: CurationInputs, chosen: Chosen, order: list[int], total: int) -> list[str]:
    """What a person should know about this curriculum, in plain words."""
    ids, settings, got = inputs.capabilities.ids, inputs.settings, int(chosen.got.sum())
    out = [f"{got:,} of {len(inputs.table):,} scored rows are chosen; the budget is {total:,}."]
    for c in range(len(ids)):
        if chosen.got[c] < chosen.asked[c]:
            limit = f"{chosen.available[c]:,} rows pass the filters" + (
                " and source caps bind" if settings.capped else ""
            )
            out.append(
                f"{ids[c]} asked for {chosen.asked[c]:,} rows and got {chosen.got[c]:,} ({limit}); the rest went "
                "to the others by the same shares."
            )
    if got < total:
        out.append(f"The budget is not reached: {total - got:,} rows are missing because the filters leave no more.")
    for reason, rows in inputs.candidates.left_out.items():
        if rows:
            where = f" (at or below the floor of {settings.floor:g} on every capability)" * (reason == "unattributed")
            out.append(f"Left out, {reason}{where}: {rows:,} rows.")
    if inputs.candidates.unjudged:
        out.append(f"{inputs.candidates.unjudged:,} rows stay without having been judged: no judge could read them.")
    if inputs.capabilities.unassigned:
        out.append(f"{len(inputs.capabilities.unassigned)} target units are unassigned: no row is chosen for them.")
    if chosen.kept_left:
        out.append(f"{chosen.kept_left:,} rows tagged keep did not fit into the budget.")
    near = int((chosen.rows["reason"] == "near").sum())
    if near:
        out.append(
            f"{near:,} rows were taken by their unit's near(z, s): the lists of their target samples were used up."
        )
    by_hand = [c for c in settings.order if c in ids]
    usual = "by how early self-influence falls" if inputs.scores.has_gradients else "as they are numbered"
    rule = "set by hand" if len(by_hand) >= len(order) else usual
    if by_hand and len(by_hand) < len(order):
        rule = f"{' → '.join(by_hand)} set by hand, then {usual}"
    if settings.staging == "mix":
        out.append("Mixed: all rows are shuffled, in one stage.")
    elif order:
        out.append(f"Stage order {' → '.join(ids[k] for k in order)} ({rule}).")
    return out
