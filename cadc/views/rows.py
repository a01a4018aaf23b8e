"""Pool rows as tables: what they say, whom they serve, and whether they were measured. N pool rows, K capabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cadc.data import Sample, read_samples
from cadc.data.indices import FileIndex
from cadc.study import Study

NO_SOURCE = "(no source)"


def source_labels(source: pd.Series, limit: int = 24) -> np.ndarray:
    """object [N]: the source of each row; beyond the `limit` largest, the rest becomes one counted group."""
    named = source.fillna("").astype(str).str.strip().replace("", NO_SOURCE)
    counts = named.value_counts()
    if len(counts) <= limit:
        return named.to_numpy(object)
    kept = set(counts.index[:limit - 1])
    return np.where(named.isin(kept), named, f"{len(counts) - limit + 1} other sources").astype(object)


def serves_table(served: pd.DataFrame, targets: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    """unit, question, value of the target sample that each position serves best, in the order of `positions`.

    served: `scores.influence.served` (position, target_index, value); targets: target table (index, unit, question). A
    row that serves no assigned unit gets empty texts and a value of nan.
    """
    best = served.drop_duplicates("position").set_index("position").reindex(positions)
    words = targets.drop_duplicates("index").set_index("index")[["unit", "question"]]
    found = words.reindex(best["target_index"]).fillna("").reset_index(drop=True)
    return found.assign(value=best["value"].to_numpy())


def served_words(served: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """question, answer, unit, value: the target samples of `cadc.scores.influence.served`, in its order."""
    words = targets.drop_duplicates("index").set_index("index")[["question", "answer", "unit"]]
    found = words.reindex(served["target_index"]).reset_index(drop=True)
    return found.assign(value=served["value"].to_numpy())


def row_table(table: pd.DataFrame, capability: Sequence[str], influence: np.ndarray, names: Sequence[str],
              serves: pd.DataFrame) -> pd.DataFrame:
    """What a page of pool rows shows: one line per row of `table` (index, images, question, answer …), in order.

    capability: label per row; influence: float [n, K]; serves: columns unit, target question of each row's reason
    ('' where it has none), in the same order. One column `→ name` per capability.
    """
    shown = table.reset_index(drop=True).assign(capability=list(capability))
    columns = {f"→ {name}": influence[:, k].astype(float) for k, name in enumerate(names)}
    return shown.assign(serves=serves["question"].to_numpy(), of_unit=serves["unit"].to_numpy(), **columns)


def with_turns(study: Study, role: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table (with `index`), each with its `turns` (`told_turns`). Raises JobError when they cannot be
    read."""
    wanted = [FileIndex(int(row["index"])) for row in rows]
    found = {sample.index: sample for sample in read_samples(study.samples_file(role), only=wanted)} if wanted else {}
    return [dict(row) | {"turns": told_turns(found[index])} for row, index in zip(rows, wanted, strict=True)]


def told_turns(sample: Sample) -> list[tuple[str, str]]:
    """(who, words) of every turn in order, as the model reads them: pictures as `[picture n]` where there are several
    or they stand inside the words; an answer says when it is not trained on."""
    many = len(sample.images) > 1
    told = []
    for turn in sample.turns:
        pieces = [part if isinstance(part, str) else f"[picture {part + 1}]" if many else "" for part in turn.parts]
        who = {"assistant": "answer" if turn.learnt else "answer (not trained on)", "user": "question"}
        told.append((who.get(turn.role, turn.role), "\n".join(piece.strip() for piece in pieces if piece.strip())))
    return told


def measured_note(measured: np.ndarray, correlation: np.ndarray | None, names: Sequence[str]) -> str:
    """One line on predicted rows; '' where there are none.

    measured: bool [N]; correlation: held-out rank correlation on each capability, [K], or None.
    """
    if measured.all():
        return ""
    share = f"{measured.mean():.0%} of rows measured, the others predicted from one forward"
    if correlation is None or not len(correlation):
        return share + "."
    low = int(np.argmin(correlation))
    return (f"{share}; held-out rank correlation {np.median(correlation):.2f} "
            f"(lowest capability: {names[low]}, {correlation[low]:.2f}).")


def floor_note(below: int, total: int, floor: float) -> str:
    """How many rows no capability claims."""
    return f"{below:,} of {total:,} rows lie at or below the floor of {floor:g} on every capability and belong to none."
