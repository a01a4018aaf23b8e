"""What chosen rows are made of beside the pool: sources, answer formats, answers, lengths. N scored pool rows.

How varied a list is, is said as the entropy of its values in bits, against that of as many rows drawn from the pool at
random: few rows cannot hold as many different answers as all of them.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from cadc.curation import CurationSettings
from cadc.curation.workbench import Workbench
from cadc.views.rows import NO_SOURCE
from cadc.views.training import length_bins, pool_tokens

LISTS = {"source": "sources", "answer_format": "answer formats", "answer": "answers"}
"""Columns of the pool whose variety is watched → how a person calls them."""
COLLAPSED = 0.5
"""Less of the pool's entropy than this is a warning."""
DRAWN = 12
"""Values of one list that are drawn; the others are one line together."""


def entropy(counts: np.ndarray) -> float:
    """Of values that were seen so often, in bits: −Σ p log₂ p; 0 for none."""
    seen = np.asarray(counts, np.float64)
    p = seen[seen > 0] / max(seen.sum(), 1e-300)
    return float(-(p * np.log2(p)).sum()) + 0.0


def codes(bench: Workbench, column: str) -> tuple[np.ndarray, list[str]]:
    """Number of each row's value in a column of the pool, int64 [N], and the values; '' where it has none. Remembered:
    a slider only counts them."""
    def made() -> tuple[np.ndarray, list[str]]:
        numbers, values = pd.factorize(bench.table[column].fillna(""))
        return numbers, [str(value) for value in values]

    return bench.influence_columns.remember(("codes of the pool", column), made)


def counts(bench: Workbench, column: str, positions: np.ndarray | None = None) -> np.ndarray:
    """int64 [values]: how many of these rows (None: of all) have each value of `codes`."""
    numbers, values = codes(bench, column)
    if positions is None:
        return bench.influence_columns.remember(("counts of the pool", column),
                                                lambda: np.bincount(numbers, minlength=len(values)))
    return np.bincount(numbers[positions], minlength=len(values))


@dataclass(frozen=True, kw_only=True)
class Variety:
    """How varied the chosen rows are in one way."""

    what: str
    """`sources`, `answer formats`, `answers`."""
    kinds: int
    """Different values among the chosen rows."""
    of: int
    """Different values in the pool."""
    bits: float
    """Entropy of the chosen rows'."""
    random_bits: float
    """Of as many random rows of the pool."""

    @property
    def collapsed(self) -> bool:
        """Whether the chosen rows have less than half of that."""
        return self.bits < COLLAPSED * self.random_bits

    @property
    def words(self) -> str:
        """For a person."""
        return (f"{self.kinds:,} of {self.of:,} {self.what}, entropy {self.bits:.2f} bits; as many random rows of the "
                f"pool {self.random_bits:.2f}")


def variety(bench: Workbench, positions: np.ndarray) -> list[Variety]:
    """Of the chosen rows, int [n], one for each of `LISTS`."""
    found = []
    for column, what in LISTS.items():
        pool, chosen = counts(bench, column), counts(bench, column, positions)
        rng = np.random.default_rng(0)  # the same rows every time: a number that jitters is no number
        drawn = rng.multivariate_hypergeometric(pool, len(positions), method="marginals")
        found.append(Variety(what=what, kinds=int((chosen > 0).sum()), of=len(pool), bits=entropy(chosen),
                             random_bits=entropy(drawn)))
    return found


def warning(found: list[Variety]) -> str:
    """What has collapsed, in a sentence; '' where nothing has."""
    names = [one.what for one in found if one.collapsed]
    return (f"Little variety: the entropy of {' and '.join(names)} is less than half of that of as many random rows of "
            "the pool. A cap for a source, other shares or more rows bring it back.") if names else ""


def beside(bench: Workbench, column: str, positions: np.ndarray) -> pd.DataFrame:
    """value, pool, curriculum (shares 0…1), rows: the largest values of a column first, at most `DRAWN` of them, the
    others as one line."""
    values = [value or NO_SOURCE for value in codes(bench, column)[1]]
    table = _shares(values, counts(bench, column), counts(bench, column, positions))
    table = table.sort_values("pool", ascending=False, kind="stable", ignore_index=True)
    if len(table) <= DRAWN:
        return table
    rest = table.iloc[DRAWN - 1:]
    last = pd.DataFrame({"value": [f"{len(rest):,} others"], **{c: [rest[c].sum()] for c in
                                                                ("pool", "curriculum", "rows")}})
    return pd.concat([table.iloc[:DRAWN - 1], last], ignore_index=True)


def lengths(bench: Workbench, positions: np.ndarray) -> pd.DataFrame | None:
    """value (tokens from … to …), pool, curriculum, rows in ascending order; None where nobody has estimated tokens."""
    tokens = pool_tokens(bench)
    if tokens is None:
        return None
    edges = bench.influence_columns.remember(("bins of tokens", bench.study.key("lengths")),
                                             lambda: length_bins(tokens.each))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0] + 1])
    numbers = np.clip(np.searchsorted(edges, tokens.each, side="right") - 1, 0, len(edges) - 2)
    last = len(edges) - 2
    ends = [(low, high - (place < last)) for place, (low, high) in enumerate(pairwise(edges))]
    names = [f"{low:,.0f} to {high:,.0f}" if low < high else f"{low:,.0f}" for low, high in ends]
    return _shares(names, np.bincount(numbers, minlength=len(names)),
                   np.bincount(numbers[positions], minlength=len(names)))


def _shares(values: list[str], pool: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"value": values, "pool": pool / max(pool.sum(), 1),
                         "curriculum": chosen / max(chosen.sum(), 1), "rows": chosen})


def sources(bench: Workbench, draft: CurationSettings, positions: np.ndarray) -> pd.DataFrame:
    """source (as in the file), pool, chosen (rows), cap (of this source, empty: as for all): the largest first."""
    names, own = codes(bench, "source")[1], dict(draft.source_caps)
    table = pd.DataFrame({"source": names, "pool": counts(bench, "source"),
                          "chosen": counts(bench, "source", positions),
                          "cap": pd.array([own.get(name) for name in names], dtype="Int64")})
    return table.sort_values(["pool", "source"], ascending=[False, True], ignore_index=True)


def capped(draft: CurationSettings, table: pd.DataFrame, edits: dict[int, dict[str, int | None]]) -> dict[str, int]:
    """Caps of single sources after a person changed lines of `sources`: {line: {"cap": rows, or None for none of its
    own}}."""
    caps = dict(draft.source_caps)
    for line, changed in edits.items():
        if "cap" in changed:
            caps.pop(str(table["source"].iloc[line]), None)
            if changed["cap"] is not None:
                caps[str(table["source"].iloc[line])] = int(changed["cap"])
    return caps
