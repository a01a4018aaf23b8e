"""Acts on a study's curriculum, from what a person names: settings, shares, tagged rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cadc.curation import CurationSettings
from cadc.curation.workbench import Workbench
from cadc.errors import DataError
from cadc.study.deciding import Part
from cadc.views import shares as parts
from cadc.views.acts import capability_named
from cadc.views.curriculum import curriculum_of


def curated(bench: Workbench, *, named: Mapping[str, Any], shares: Mapping[str, float] | None = None,
            always: Sequence[int] = (), never: Sequence[int] = (), free: Sequence[int] = ()) -> CurationSettings:
    """The settings in force with those changed that are named, as the widgets of Curriculum change them.

    named: by field, the `preset` first, which brings its own settings; `order` by id or name. shares: capability (id or
    name) → share 0…1 of the budget; the others keep their proportions in what is left. always, never, free: pool rows
    (positions in the pool file) that are tagged, or tagged no longer. Raises DataError.
    """
    now, named = bench.capabilities, dict(named)
    if named.get("order"):
        named["order"] = list(dict.fromkeys(capability_named(now, text) for text in named["order"]))
    asked = {key: value for key, value in named.items() if key in ("preset", "budget")}
    settings = bench.with_settings(**asked).settings if asked else bench.settings
    settings = CurationSettings.from_dict(settings.to_dict() | {k: v for k, v in named.items() if k not in asked})
    settings = tagged(bench, settings, always=always, never=never, free=free)
    if not shares:
        return settings
    if named.get("rule", "manual") != "manual":
        raise DataError(f"shares by hand and the rule {named['rule']!r} cannot be had at once. Leave one out.")
    return replace(settings, rule="manual", shares=tuple(shared(bench, settings, shares).items()))


def shared(bench: Workbench, settings: CurationSettings, wanted: Mapping[str, float]) -> dict[str, int]:
    """Parts of `PARTS` per capability after some got the share 0…1 that is wanted, one slider after the other, each
    locked when it stands. Raises DataError where that cannot be."""
    by_id = {capability_named(bench.capabilities, text): share for text, share in wanted.items()}
    table = curriculum_of(bench, settings).budgets
    now = parts.parts_of(dict(zip(table["capability"], table["share"], strict=True)))
    total = sum(parts.parts_from(100 * share) for share in by_id.values())
    if total > parts.PARTS or (len(by_id) == len(now) and total < parts.PARTS):
        raise DataError(f"the shares sum to {parts.parts_shown(total):g} %. Expected 100 % of all capabilities, or "
                        "less of some, which leaves the rest to the others.")
    for done, (capability, share) in enumerate(by_id.items()):
        now = parts.rebalance(now, capability, parts.parts_from(100 * share), list(by_id)[:done])
    return now


MOST = 50_000
"""Rows that can be named one by one: every saved curriculum lists them."""


def tagged(bench: Workbench, settings: CurationSettings, *, always: Sequence[int] = (), never: Sequence[int] = (),
           free: Sequence[int] = ()) -> CurationSettings:
    """Pool rows are always taken, never, or as the scores have it. Raises DataError for a row without scores, for one
    of which two things are said, and when more than `MOST` rows would be named."""
    named = np.array([*always, *never, *free], np.int64)
    if len(gone := named[~np.isin(named, np.asarray(bench.scores.index))]):
        raise DataError(f"pool row {gone[0]} has no scores: the file has no such row, or it was left out.")
    if twice := (set(always) & set(never)) | (set(free) & {*always, *never}):
        raise DataError(f"pool row {min(twice)} is asked for in two ways. Name it once.")
    not_kept, not_dropped = {*never, *free}, {*always, *free}
    keep = dict.fromkeys([*(row for row in settings.keep if row not in not_kept), *always])
    drop = dict.fromkeys([*(row for row in settings.drop if row not in not_dropped), *never])
    if max(len(keep), len(drop)) > MOST:
        raise DataError(f"more than {MOST:,} rows cannot be named one by one as always or never taken. Narrow the "
                        "choice, or use the filters and caps of the curriculum.")
    return replace(settings, keep=tuple(keep), drop=tuple(drop))


def changes(before: CurationSettings, now: CurationSettings) -> pd.DataFrame:
    """setting, before, now: those that differ."""
    old, new = before.to_dict(), now.to_dict()
    differing = [key for key in new if new[key] != old[key]]
    return pd.DataFrame({"setting": differing, "before": [old[key] for key in differing],
                         "now": [new[key] for key in differing]})


def saved(bench: Workbench, settings: CurationSettings) -> list[Part]:
    """A `curate` decision; [] where these settings are in force."""
    return [] if settings == bench.settings else [("curate", settings.to_dict())]
