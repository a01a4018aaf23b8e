"""Acts on the log of decisions, without its database: what a command decides while an app runs (docs/architecture.md).

The JSON copy is the log here. Every writer, the database's owner too, reads, changes and replaces it under one lock, so
that nobody writes over what somebody else has just decided; the owner merges it into its database (`cadc.store`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from cadc.errors import DataError
from cadc.study import Study
from cadc.study.decisions import SCOPES, Decision, read_decisions, write_decisions
from cadc.study.files import alone

Part = tuple[str, dict[str, Any]]
"""Kind and payload of one decision of an act."""


@contextmanager
def one_writer(study: Study) -> Iterator[None]:
    """Nobody else on this machine writes the log meanwhile; a killed writer holds nothing. Not to be taken twice."""
    with alone(study.decisions_file.with_name("decisions.lock")):
        yield


# ---- pure: what an act does to a log ---------------------------------------------------------------------------------
def checked(act: Sequence[Part]) -> tuple[str, list[str]]:
    """Scope of an act and its payloads as JSON. Raises DataError for an unknown kind, kinds of two scopes, nothing
    decided, or a payload that is no JSON."""
    kinds = list(dict.fromkeys(kind for kind, _ in act))
    scopes = {SCOPES.get(kind, "") for kind in kinds}
    if len(scopes) != 1 or "" in scopes:
        raise DataError(f"unknown decision {', '.join(map(repr, kinds))}, or nothing decided. Known: "
                        f"{', '.join(SCOPES)}; those of one act are of one scope")
    try:
        return scopes.pop(), [json.dumps(payload, sort_keys=True, allow_nan=False) for _, payload in act]
    except (TypeError, ValueError) as error:
        raise DataError(f"decision {kinds[0]!r} cannot be kept: {error}") from error


def standing(log: Sequence[Decision], act: Sequence[Part]) -> list[Decision]:
    """The newest decisions in force where they are this very act: it need not be made again. Else []. Raises DataError
    as `checked` does."""
    scope, texts = checked(act)
    last = [d for d in log if d.scope == scope and not d.undone][-len(texts):]
    said = [(d.kind, json.dumps(d.payload, sort_keys=True)) for d in last]
    return last if said == list(zip((kind for kind, _ in act), texts, strict=True)) else []


def appended(log: Sequence[Decision], act: Sequence[Part], at: str) -> list[Decision]:
    """The log with one act more; at: local time, ISO 8601. Raises DataError as `checked` does."""
    scope, texts = checked(act)
    first = max((d.seq for d in log), default=0) + 1
    return [*log, *(Decision(seq=first + n, batch=first, at=at, scope=scope, kind=kind, payload=json.loads(text))
                    for n, ((kind, _), text) in enumerate(zip(act, texts, strict=True)))]


def newest(log: Sequence[Decision], scope: str) -> Decision | None:
    """The newest decision in force of a scope: undo takes its act back."""
    return next((d for d in reversed(log) if d.scope == scope and not d.undone), None)


def waiting(log: Sequence[Decision], scope: str) -> Decision | None:
    """The first decision of the act that redo puts back: undone, and nothing of its scope was decided since."""
    found = None
    for d in reversed(log):
        if d.scope == scope:
            if not d.undone:
                break
            found = d
    return found


def turned(log: Sequence[Decision], act: int, *, undone: bool) -> list[Decision]:
    """The log with one act (`act_of`) taken back or put back."""
    return [replace(d, undone=undone, turns=d.turns + 1) if act_of(d) == act else d for d in log]


def act_of(decision: Decision) -> int:
    """Number of the act that a decision belongs to."""
    return decision.batch or decision.seq


# ---- in the copy -----------------------------------------------------------------------------------------------------
def decide(study: Study, make: Callable[[list[Decision]], Sequence[Part]]) -> list[Decision]:
    """Add what `make` makes of the log to it, as one act that is undone as a whole; the whole log.

    `make` may take its time and may refuse (raise): nobody waits for it, and it is asked again when somebody else
    decided meanwhile. [] decides nothing, and the act that was made last is not made twice in a row. Raises DataError
    as `checked` does, JobError when the log cannot be read.
    """
    while True:
        seen = read_decisions(study)
        act = make(seen)
        with one_writer(study):
            log = read_decisions(study)
            if log != seen:
                continue
            if act and not standing(log, act):
                log = appended(log, act, datetime.now().isoformat(timespec="seconds"))
                _write(study, log)
            return log


def take_back(study: Study, scope: str) -> list[Decision]:
    """Undo the newest act in force of a scope; its decisions, [] when there is none. Raises JobError."""
    return _turn(study, scope, newest, undone=True)


def put_back(study: Study, scope: str) -> list[Decision]:
    """Redo the act of a scope that was undone last; its decisions, [] when there is none to redo. Raises JobError."""
    return _turn(study, scope, waiting, undone=False)


def _turn(study: Study, scope: str, which: Callable[[Sequence[Decision], str], Decision | None], *,
          undone: bool) -> list[Decision]:
    with one_writer(study):
        log = read_decisions(study)
        found = which(log, scope)
        if found is None:
            return []
        log = turned(log, act_of(found), undone=undone)
        _write(study, log)
    return [d for d in log if act_of(d) == act_of(found)]


def _write(study: Study, log: Sequence[Decision]) -> None:
    write_decisions(study, log, changed=datetime.now().isoformat())
