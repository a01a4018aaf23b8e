"""What a person decided about a study, as values; `cadc.store` keeps them, a JSON copy lies beside the study.

No database here: the command line and the workbench read decisions beside a running app, which owns the database.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cadc.errors import JobError
from cadc.study import Study, write_json

SCOPES = {"discover": "capabilities", "rename": "capabilities", "move": "capabilities", "merge": "capabilities",
          "lock": "capabilities", "label": "capabilities", "curate": "curation", "tag": "rows", "check": "rows",
          "note": "rows", "view": "rows"}
"""Kind of decision → scope: undo and redo walk through one scope."""
SHOWN_ROWS = 60
"""Characters of a set of rows that a history shows."""


SHOWN_LIST = 12
"""Entries of a list that a history shows one by one."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing a person decided."""

    seq: int
    """Order in which decisions were made."""
    at: str
    """Local time, ISO 8601."""
    scope: str
    """`capabilities`, `curation` or `rows`."""
    kind: str
    """A key of `SCOPES`."""
    payload: dict[str, Any]
    """What was decided (docs/architecture.md, "store")."""
    batch: int = 0
    """`seq` of the first of the decisions made by one act (a move of ten units): undone and redone together."""
    undone: bool = False
    """Undone decisions stay in the log and can be redone until a newer one is made."""
    turns: int = 0
    """How often it was undone or redone: of two logs the one that counted more knows whether it is in force."""


def describe(decision: Decision) -> str:
    """One decision as plain words; for `st.text` or a table cell, since names in it are somebody's text."""
    about = decision.payload
    if decision.kind == "rename":
        return f"{about.get('capability')} is called “{about.get('name')}”"
    if decision.kind == "move":
        to = {None: "no capability", "new": "a new capability"}.get(about.get("to"), about.get("to"))
        return f"“{about.get('unit')}” moved to {to}"
    if decision.kind == "merge":
        return f"{about.get('from')} merged into {about.get('into')}"
    if decision.scope == "rows":
        return _of_rows(decision)
    if decision.kind == "lock":
        return f"{about.get('capability')} {'locked' if about.get('on') else 'unlocked'}"
    if decision.kind == "label":
        return f"{len(about.get('capabilities') or ())} capabilities read from a file"
    words = "capabilities found with" if decision.kind == "discover" else "curriculum made with"
    return f"{words} " + ", ".join(f"{key} {_short(value)}" for key, value in about.items()
                                   if value not in (None, "", [], {}))


def _short(value: object) -> str:
    """Long lists by their number."""
    return f"{len(value):,} rows" if isinstance(value, list) and len(value) > SHOWN_LIST else str(value)


def _of_rows(decision: Decision) -> str:
    """What was said of pool rows (`cadc.curation.marks`)."""
    about, text = decision.payload, str(decision.payload.get("rows", ""))
    rows = f"pool rows {text if len(text) <= SHOWN_ROWS else text[:SHOWN_ROWS] + '…'}"
    if decision.kind == "tag":
        return f"{rows} {'tagged' if about.get('on', True) else 'no longer tagged'} “{about.get('tag')}”"
    if decision.kind == "check":
        return f"{rows} {'checked' if about.get('on', True) else 'no longer checked'}"
    if decision.kind == "note":
        return f"note on pool row {about.get('row')}: {about.get('text') or 'none any more'}"
    return f"view “{about.get('name')}” {'kept' if about.get('query') else 'forgotten'}"


def latest(decisions: Iterable[Decision], kind: str) -> dict[str, Any] | None:
    """Payload of the newest decision of a kind that is in force; None when there is none."""
    found = [d.payload for d in decisions if d.kind == kind and not d.undone]
    return found[-1] if found else None


def read_decisions(study: Study) -> list[Decision]:
    """All decisions in the JSON copy of a study, oldest first; [] when nobody decided anything.

    Raises JobError when the copy cannot be read or belongs to another study.
    """
    try:
        text = json.loads(study.decisions_file.read_text(encoding="utf-8"))
        found = [Decision(**d) for d in text["decisions"]]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"{study.decisions_file.name} of study {study.name!r} cannot be read ({error}). "
                       "Move it away; the app writes it anew from its database.") from error
    if text.get("study") != study.identity:
        raise JobError(f"{study.decisions_file.name} of study {study.name!r} belongs to another study "
                       f"({text.get('study')}). Move it away; the app writes it anew from its database.")
    return found


def changed_at(study: Study) -> str:
    """When the log that the JSON copy was made of last changed, ISO 8601; '' where an earlier version wrote it."""
    try:
        return str(json.loads(study.decisions_file.read_text(encoding="utf-8")).get("changed", ""))
    except FileNotFoundError:
        return ""


def write_decisions(study: Study, decisions: Iterable[Decision], *, changed: str = "") -> None:
    """Replace the JSON copy of a study atomically; `changed`: when its log last changed, ISO 8601."""
    write_json(study.decisions_file, {"study": study.identity, "changed": changed,
                                      "decisions": [asdict(d) for d in decisions]})


def merge(log: Sequence[Decision], copy: Sequence[Decision], *, copy_is_newer: bool | None = None) -> list[Decision]:
    """Every decision of two logs of one study once, in the order in which they were made; nothing is dropped.

    A decision is the same in both when time, scope, kind and payload are, and it is the n-th such one. What is undone
    is as the log says that saw more undo and redo of it; where both saw as much (earlier versions did not count)
    as the newer log says; None: the newer one is that whose newest decision the other lacks, else `log`. Numbers
    (`seq`, `batch`) of decisions that only `copy` has are negative; acts stay together.
    """
    ours, theirs = _counted(log), _counted(copy)
    alone = [key for key in theirs if key not in ours], [key for key in ours if key not in theirs]
    if copy_is_newer is None:
        newest = [max((key[0] for key in keys), default="") for keys in alone]
        copy_is_newer = newest[0] > newest[1]
    acts = {theirs[key].batch: d.batch for key, d in ours.items() if key in theirs}
    merged = []
    for key in _interleaved(list(ours), list(theirs)):
        if key not in ours:
            d = theirs[key]
            merged.append(replace(d, seq=-d.seq, batch=acts.get(d.batch, -d.batch)))
        else:
            mine, other = ours[key], theirs.get(key, ours[key])
            knows = other if (other.turns, copy_is_newer) > (mine.turns, False) else mine
            merged.append(replace(mine, undone=knows.undone, turns=knows.turns))
    return merged


_Key = tuple[str, str, str, str, int]


def _counted(decisions: Iterable[Decision]) -> dict[_Key, Decision]:
    """Decisions by what they are: time, scope, kind, payload, and how many like it came before."""
    found: dict[_Key, Decision] = {}
    for d in decisions:
        key = (d.at, d.scope, d.kind, json.dumps(d.payload, sort_keys=True), 0)
        while key in found:
            key = (*key[:4], key[4] + 1)
        found[key] = d
    return found


def _interleaved(ours: list[_Key], theirs: list[_Key]) -> list[_Key]:
    """Keys of both lists once, each list in its own order as far as both allow, otherwise by time."""
    shared, out = set(ours) & set(theirs), dict[_Key, None]()
    i = j = 0
    while i < len(ours) and j < len(theirs):
        a, b = ours[i], theirs[j]
        alone = a not in shared, b not in shared
        take = a if alone == (False, False) or (alone[0] and (not alone[1] or a[0] <= b[0])) else b
        out[take] = None
        while i < len(ours) and ours[i] in out:  # whatever is there already keeps its place
            i += 1
        while j < len(theirs) and theirs[j] in out:
            j += 1
    return list(out | dict.fromkeys([*ours[i:], *theirs[j:]]))
