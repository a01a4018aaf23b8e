"""Estimated tokens of every accepted row, as the job `lengths` leaves them (`cadc.models.lengths` makes them): what is
probably too long is said before anything is computed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cadc.data.indices import FileIndex
from cadc.data.reasons import PROBABLY_TOO_LONG, Reason, counted
from cadc.study import Study, write_array, write_json
from cadc.study.results import Result

ABOUT = "lengths.json"
UNKNOWN = -1
"""Tokens of a row that cannot be estimated."""
LISTED = 10_000
"""Rows named one by one; all are counted by kind."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Estimates of rows, in their order."""

    tokens: NDArray[np.int32]
    """[n]: what the model's processor will make of a row, pictures included; `UNKNOWN` where nobody can say."""
    refused: Mapping[int, str]
    """Row 0…n−1 → why the model will not take it, kind first."""
    how: str
    """What the estimates rest on, in words."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Rows that will probably be left out in the run."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    """Kind → rows, all of them."""
    rows: tuple[Reason, ...] = ()
    """By position in the file, at most `LISTED` of each kind of reason."""
    unknown: int = 0
    """Rows whose tokens nobody could estimate."""
    how: str = ""
    """What the estimates rest on, in words; '' where there are none."""


def expected_of(found: Lengths, index: Sequence[FileIndex], ids: Sequence[str], max_tokens: int) -> Expected:
    """Of the rows with these positions in the file and these ids: those that are probably too long, and those that the
    model refuses whatever their length."""
    long = [row for row in np.flatnonzero(found.tokens > max_tokens).tolist() if row not in found.refused]
    reasons = {row: too_long(int(found.tokens[row]), max_tokens) for row in long[:LISTED]}
    reasons |= dict(list(found.refused.items())[:LISTED])
    unknown = {row for row in np.flatnonzero(found.tokens == UNKNOWN).tolist() if row not in found.refused}
    kinds = counted([*(Reason(FileIndex(0), "", text).kind for text in found.refused.values()),
                     *[PROBABLY_TOO_LONG] * len(long)])
    return Expected(kinds=kinds, rows=tuple(Reason(index[row], ids[row], reasons[row]) for row in sorted(reasons)),
                    unknown=len(unknown), how=found.how)


def too_long(tokens: int, max_tokens: int) -> str:
    """What is said of a row before it is encoded; the hundreds of an estimate are enough to say."""
    return f"{PROBABLY_TOO_LONG}: about {tokens} tokens, at most max_tokens={max_tokens}"


def write_lengths(result: Result, found: Mapping[str, Lengths]) -> None:
    """Write the estimates of each role into the result of the job `lengths`."""
    about = {}
    for role, lengths in found.items():
        write_array(result.folder / _file(role), lengths.tokens)
        about[role] = {"how": lengths.how, "refused": {str(row): why for row, why in lengths.refused.items()}}
    write_json(result.folder / ABOUT, about)


def read_lengths(study: Study, role: str) -> Lengths | None:
    """The estimates of 'pool' or 'target', in the order of the samples file; None where the job has not run. Raises
    JobError when they are damaged."""
    if not study.finished("lengths"):
        return None
    result = study.result("lengths")
    about = json.loads(result.intact(ABOUT).read_text())[role]
    tokens = np.load(result.intact(_file(role)), allow_pickle=False)
    return Lengths(tokens=tokens, refused={int(row): why for row, why in about["refused"].items()}, how=about["how"])


def tokens_of(study: Study, role: str, index: NDArray[np.int64]) -> NDArray[np.int32] | None:
    """Estimated tokens of the rows with these positions in the file of 'pool' or 'target', `UNKNOWN` where nobody can
    say: [n], in their order; None where the job `lengths` has not run. Raises JobError when the estimates are damaged.
    """
    import pyarrow.parquet as pq

    found = read_lengths(study, role)
    if found is None:
        return None
    have = pq.read_table(study.samples_file(role), columns=["index"])["index"].to_numpy()
    place = np.searchsorted(have, index).clip(max=max(len(have) - 1, 0))  # rows are kept in the order of the file
    known = have[place] == index if len(have) else np.zeros(len(index), bool)
    return np.where(known, found.tokens[place], UNKNOWN).astype(np.int32) if len(have) else np.full(
        len(index), UNKNOWN, np.int32)


def expected(study: Study, role: str) -> Expected | None:
    """What will probably be left out of a role under the study's `max_tokens`; None where nobody has estimated it.
    Raises JobError when the estimates are damaged."""
    import pyarrow.parquet as pq

    found = read_lengths(study, role)
    if found is None:
        return None
    if not found.refused and not (found.tokens > study.config.max_tokens).any():
        return Expected(unknown=int((found.tokens == UNKNOWN).sum()), how=found.how)
    table = pq.read_table(study.result("ingest").intact(f"{role}.parquet"), columns=["index", "id"])
    return expected_of(found, table["index"].to_pylist(), table["id"].to_pylist(), study.config.max_tokens)


def _file(role: str) -> str:
    return f"tokens-{role}.npy"
