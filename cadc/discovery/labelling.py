"""Capabilities as a file that a person keeps, edits and hands on: `{"format": "cadc-capabilities-1", "capabilities":
[{"id", "name", "units": […]}], "unassigned": […]}`."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from cadc.discovery.capabilities import Capabilities, label
from cadc.errors import DataError

FORMAT = "cadc-capabilities-1"


def to_json(capabilities: Capabilities) -> str:
    """The file's text; `from_json` reads it."""
    value = {"format": FORMAT, "capabilities": capabilities.describe(), "unassigned": list(capabilities.unassigned)}
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def from_json(text: str, capabilities: Capabilities) -> list[dict[str, Any]]:
    """Payloads of the `label` decisions that make these capabilities those of the file; [] where they are already.

    A group without an id gets one that was never given out. Raises DataError where the text is no such file, or does
    not fit the study's units (`capabilities.label`).
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"this is no JSON ({error}).") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f'this file does not say "format": "{FORMAT}".')
    groups, rest = value.get("capabilities"), value.get("unassigned", [])
    if not (_texts(rest) and isinstance(groups, list) and all(_is_group(group) for group in groups)):
        raise DataError('expected "capabilities": [{"id", "name", "units": [texts]}] and "unassigned": [texts].')
    ids = [str(group.get("id", "")) for group in groups]
    issued = max([capabilities.issued, *(int(own[1:]) for own in ids if own[1:].isdecimal())])
    payload: dict[str, Any] = {"capabilities": [], "unassigned": list(rest)}
    for group in groups:
        if not group.get("id"):
            issued += 1
        own = group.get("id") or f"c{issued}"
        payload["capabilities"].append({"id": own, "name": group.get("name") or own, "units": list(group["units"])})
    made = label(capabilities, payload["capabilities"], payload["unassigned"])
    return [payload] if made.describe() != capabilities.describe() else []


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_group(value: object) -> bool:
    return (isinstance(value, dict) and _texts(value.get("units")) and isinstance(value.get("name", ""), str)
            and isinstance(value.get("id", ""), str))


def two_parts(similar: np.ndarray) -> np.ndarray:
    """bool [M]: the smaller of the two groups into which M ≥ 2 units fall most naturally (average linkage on 1 − S);
    of equal ones that without the first unit. similar: S, float [M, M]."""
    from sklearn.cluster import AgglomerativeClustering

    from cadc.discovery.similarity import distances

    found = AgglomerativeClustering(n_clusters=2, metric="precomputed", linkage="average").fit_predict(
        distances(similar))
    away = found != found[0]
    return away if away.sum() <= (~away).sum() else ~away


def contingency(first: Sequence[int], second: Sequence[int], groups: tuple[int, int]) -> np.ndarray:
    """int [K + 1, L + 1]: units by their group in two labellings of (K, L) groups; the last line and column are those
    that are unassigned (−1)."""
    counts = np.zeros((groups[0] + 1, groups[1] + 1), int)
    np.add.at(counts, (np.asarray(first), np.asarray(second)), 1)
    return counts
