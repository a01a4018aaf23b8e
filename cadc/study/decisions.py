"""What a person decided about a study, as values; `cadc.store` keeps them, a JSON copy lies beside the study.

No database here: the command line and the workbench read decisions beside a running app, which owns the database.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from cadc.errors import JobError
from cadc.study import Study, write_json

SCOPES = {"discover": "capabilities", "rename": "capabilities", "move": "capabilities", "merge": "capabilities",
          "curate": "curation"}
"""Kind of decision → scope: undo and redo walk through one scope."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing a person decided."""

    seq: int
    """Order in which decisions were made."""
    at: str
    """Local time, ISO 8601."""
    scope: str
    """`capabilities` or `curation`."""
    kind: str
    """`discover`, `rename`, `move`, `merge` or `curate`."""
    payload: dict[str, Any]
    """What was decided (docs/architecture.md, "store")."""
    batch: int = 0
    """`seq` of the first of the decisions made by one act (a move of ten units): undone and redone together."""
    undone: bool = False
    """Undone decisions stay in the log and can be redone until a newer one is made."""


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
    words = "capabilities found with" if decision.kind == "discover" else "curriculum made with"
    return f"{words} " + ", ".join(f"{key} {value}" for key, value in about.items() if value not in (None, "", [], {}))


def live(decisions: Iterable[Decision], scope: str | None = None) -> list[Decision]:
    """Decisions in force (not undone), oldest first, of one scope or all."""
    return [d for d in decisions if not d.undone and scope in (None, d.scope)]


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


def write_decisions(study: Study, decisions: Iterable[Decision]) -> None:
    """Replace the JSON copy of a study atomically."""
    write_json(study.decisions_file, {"study": study.identity, "decisions": [asdict(d) for d in decisions]})
