"""Capabilities page: what can be done with the units that are selected, as payloads of decisions. M units."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cadc.discovery import Capabilities
from cadc.discovery.labelling import two_parts
from cadc.views.capabilities import CapabilitiesView
from cadc.views.decisions import NEW, locks


def touched(found: Capabilities, chosen: Sequence[str]) -> list[str]:
    """Capabilities that hold one of these units, the one with most units first (ties: the older one)."""
    units = set(chosen)
    held = [i for i in found.ids if units & set(found.members(i))]
    return sorted(held, key=lambda i: (-len(found.members(i)), found.ids.index(i)))


def whole(found: Capabilities, chosen: Sequence[str]) -> str:
    """The capability of two units or more whose units these are, all of them and no other; '' where there is none."""
    held = touched(found, chosen)
    same = len(held) == 1 and set(found.members(held[0])) == set(chosen) and len(chosen) > 1
    return held[0] if same else ""


def splitting(view: CapabilitiesView, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """`move` payloads: a part of a capability becomes a new one; a whole one is divided where it falls apart most
    naturally, and the smaller half leaves. [] where nothing is selected, or one unit that is alone already."""
    if not whole(view.found, chosen):
        alone = any(view.found.members(one) == tuple(chosen) for one in view.found.ids)
        return [] if alone else view.moves(list(chosen), NEW)
    rows = np.flatnonzero(np.isin(np.array(view.units, object), list(chosen)))
    away = rows[two_parts(view.similarity[np.ix_(rows, rows)])]
    return view.moves([view.units[row] for row in away], NEW)


def merging(found: Capabilities, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """`merge` payloads: all capabilities that hold a selected unit into the largest of them; [] below two."""
    into, *gone = touched(found, chosen) or [""]
    return [{"from": one, "into": into} for one in gone]


def locking(found: Capabilities, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """`lock` payloads: those that hold a selected unit are locked; where all are, unlocked. [] where nothing is
    selected."""
    held = touched(found, chosen)
    return locks(found, held, on=any(one not in found.locked for one in held))
