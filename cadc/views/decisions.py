"""Decisions as a person sees them: the history of a scope, what can be taken back, and why one is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cadc.discovery import Capabilities, replay
from cadc.study.decisions import SCOPES, Decision, describe

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


def refusal(now: Capabilities, kind: str, payloads: Sequence[dict[str, Any]]) -> str:
    """Why an act does not apply to the capabilities as they are; '' when it does, or is about something else."""
    if SCOPES.get(kind) != "capabilities" or kind == "discover":
        return ""
    after = replay(now, [Decision(seq=0, at="", scope="", kind=kind, payload=p) for p in payloads])
    return after.skipped[-1] if len(after.skipped) > len(now.skipped) else ""
