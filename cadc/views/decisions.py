"""Decisions as a person sees them: the history of a scope, what can be taken back, and why one is refused.

Pages and commands make their acts here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cadc.discovery import Capabilities, replay
from cadc.errors import JobError
from cadc.study import Study
from cadc.study.deciding import Part
from cadc.study.decisions import SCOPES, Decision, describe, read_decisions

NEW, NOWHERE = "new", "nowhere"
"""Where a unit can go besides the capabilities that are there."""
OVERTAKEN = ("A command has decided something about this study since the page was drawn. The page shows it now: look, "
             "and do it again.")
"""Said of an act that must wait."""
LISTED = 200
"""Newest decisions that the history lists."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The log of one scope, or of several together."""

    undo: str
    """Kind of decision that undo takes back; '' when there is none."""
    redo: str
    """Kind of decision that redo puts back; '' when there is none."""
    undo_scope: str
    """Its scope."""
    redo_scope: str
    acts: int
    """Acts in force."""
    table: pd.DataFrame
    """when, what, '' (taken back or not): newest first."""


def history(decisions: Sequence[Decision], waiting: Decision | None) -> History:
    """`waiting`: what redo would put back."""
    in_force = [d for d in decisions if not d.undone]
    table = pd.DataFrame([(d.at.replace("T", " "), describe(d), "taken back" if d.undone else "")
                          for d in decisions[::-1][:LISTED]], columns=["when", "what", ""])
    return History(undo=in_force[-1].kind if in_force else "", redo=waiting.kind if waiting else "",
                   undo_scope=in_force[-1].scope if in_force else "", redo_scope=waiting.scope if waiting else "",
                   acts=len({d.batch for d in in_force}), table=table)


def overtaken(study: Study, shown: Sequence[Decision]) -> str:
    """Why an act of a page must wait: a command decided since the page was drawn (shown: the log of the database then);
    '' where nobody did. The next run of the page has it."""
    try:
        return "" if read_decisions(study) == list(shown) else OVERTAKEN
    except JobError:
        return ""  # a copy that cannot be read is put aside by the database


def refusal(now: Capabilities, kind: str, payloads: Sequence[dict[str, Any]]) -> str:
    """Why an act does not apply to the capabilities as they are; '' when it does, or is about something else."""
    return refused(now, [(kind, payload) for payload in payloads])


def refused(now: Capabilities, act: Sequence[Part]) -> str:
    """The same of an act of several kinds: the first thing that does not apply."""
    shaped = [(kind, payload) for kind, payload in act if SCOPES.get(kind) == "capabilities" and kind != "discover"]
    after = replay(now, [Decision(seq=0, at="", scope="", kind=kind, payload=payload) for kind, payload in shaped])
    new = after.skipped[len(now.skipped):]
    return new[0].partition(" no longer applies: ")[2] or new[0] if new else ""


def locks(now: Capabilities, capabilities: Sequence[str], *, on: bool) -> list[dict[str, Any]]:
    """`lock` payloads that lock these capabilities (ids), or unlock them; [] where they are so already."""
    return [{"capability": one, "on": on} for one in dict.fromkeys(capabilities) if (one in now.locked) != on]


def moves(now: Capabilities, units: Sequence[str], to: str) -> list[dict[str, str | None]]:
    """Payloads of the `move` decisions that bring these units to a capability (its id), `NEW` or `NOWHERE`."""
    # The first unit opens a new capability, the others follow it there.
    goals = [{NEW: f"c{now.issued + 1}" if i else NEW, NOWHERE: None}.get(to, to) for i in range(len(units))]
    return [{"unit": unit, "to": goal} for unit, goal in zip(units, goals, strict=True)]
