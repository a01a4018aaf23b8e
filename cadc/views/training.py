"""What it takes to train on chosen rows: tokens and time; and budgets that are said in tokens. N scored pool rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cadc.curation import CurationSettings
from cadc.curation.workbench import Workbench
from cadc.data.lengths import UNKNOWN, tokens_of
from cadc.estimate import ledger
from cadc.estimate.devices import DEVICES, EFFICIENCY
from cadc.study import Study
from cadc.views.words import duration

TRIES = 8
"""Curricula that are looked at, at most, to find the one of so many tokens."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolTokens:
    """Tokens of the scored pool rows as the model reads them, pictures included."""

    each: np.ndarray
    """float64 [N]; rows whose tokens nobody could estimate count as the mean of the others."""
    known: np.ndarray
    """bool [N]: whether somebody could."""

    @property
    def mean(self) -> float:
        """Of a pool row."""
        return float(self.each.mean()) if len(self.each) else 0.0

    def of(self, positions: np.ndarray) -> float:
        """All tokens of these rows."""
        return float(self.each[positions].sum())


def pool_tokens(bench: Workbench) -> PoolTokens | None:
    """As the job `lengths` has estimated them; None where it has not run, or could estimate no row."""
    study = bench.study
    if not study.finished("lengths"):
        return None
    return bench.influence_columns.remember(("tokens", study.key("lengths")), lambda: _read(bench))


def _read(bench: Workbench) -> PoolTokens | None:
    found = tokens_of(bench.study, "pool", bench.table["index"].to_numpy())
    if found is None or not (found != UNKNOWN).any():
        return None
    known = found != UNKNOWN
    return PoolTokens(each=np.where(known, found, found[known].mean()).astype(np.float64), known=known)


def rows_of_tokens(bench: Workbench, draft: CurationSettings, tokens: PoolTokens, wanted: float) -> int:
    """How many rows the draft may take so that they have about `wanted` tokens and no more: at least 1 row.

    A larger budget takes the same rows and more of them (source caps aside), so tokens grow with rows: a few curricula
    on the way there are enough. What is found may be short of `wanted` by a few rows, and a single row may be longer.
    """
    pool = len(bench.table)
    below, above, best = 0, pool + 1, 1
    rows = round(wanted / max(tokens.mean, 1e-9))
    for _ in range(TRIES):
        rows = min(max(rows, below + 1), above - 1)
        chosen = bench.under(replace(draft, budget=max(float(rows), 1.0 + 1e-9))).curriculum.rows["position"].to_numpy()
        total = tokens.of(chosen)
        if total <= wanted:
            below, best = rows, rows
        else:
            above = rows
        if above - below <= 1 or len(chosen) < rows:
            break
        rows = round(rows * wanted / total) if total else above - 1
        if wanted - total < tokens.mean and total <= wanted:
            break
    return best


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one pass over chosen rows takes."""

    tokens: float | None
    """Of all of them; None where nobody has estimated tokens."""
    share: float
    """Of the pool's tokens."""
    unknown: int
    """Chosen rows that count as long as the mean of the others."""
    seconds: dict[str, float]
    """Device (`here`: this machine) → seconds of one pass, LoRA as in the study, as the latest estimates have it."""
    study: str
    """Name of the study."""

    @property
    def words(self) -> list[str]:
        """For a person; without a price the command that makes one. A name that somebody typed is in it."""
        return [self._said_tokens(), self._said_time()]

    def _said_tokens(self) -> str:
        if self.tokens is None:
            return f"Training tokens are not known: python -m cadc run {self.study} --until lengths counts them."
        more = f"; {self.unknown:,} rows counted as long as the mean" if self.unknown else ""
        return f"{self.tokens:,.0f} training tokens, {self.share:.1%} of the pool's{more}."

    def _said_time(self) -> str:
        if not self.seconds:
            return f"Hours: not estimated yet. python -m cadc estimate {self.study} says what a pass takes here."
        parts = [f"{duration(seconds)} here, as estimated" if device == ledger.HERE else
                 f"{duration(seconds)} on one {DEVICES[device].name}, counted at {EFFICIENCY:.0%} of its peak"
                 for device, seconds in self.seconds.items()]
        return f"One pass over these rows: {'; '.join(parts)}."


def training(bench: Workbench, positions: np.ndarray) -> Training:
    """positions: int [n] of the chosen rows. Raises JobError for a torn estimate."""
    tokens = pool_tokens(bench)
    total = tokens.of(positions) if tokens else None
    # Prices are of a mean row of the pool; the time of a row goes about as its tokens.
    rows = total / tokens.mean if tokens and total is not None and tokens.mean else float(len(positions))
    return Training(tokens=total, share=total / max(float(tokens.each.sum()), 1e-9) if tokens and total else 0.0,
                    unknown=int((~tokens.known[positions]).sum()) if tokens else 0,
                    seconds={device: rows * each for device, each in row_seconds(bench.study).items()},
                    study=bench.study.name)


def row_seconds(study: Study) -> dict[str, float]:
    """Seconds to train on a mean pool row once, on each device of the latest estimates; {} where there are none."""
    found = {}
    for device, estimate in ledger.kept(study).items():
        if device == ledger.HERE and "fresh_row" in estimate.get("rates", {}):
            found[device] = float(estimate["rates"]["fresh_row"])
        elif device in DEVICES and {"once", "each"} <= set(estimate.get("flops", {})):
            flops = estimate["flops"]["once"] + estimate["flops"]["each"]
            found[device] = flops / (DEVICES[device].tflops * 1e12 * EFFICIENCY)
    return found


def length_bins(tokens: Sequence[float] | np.ndarray, bins: int = 8) -> np.ndarray:
    """float64 [at most bins + 1]: edges that cut the pool's tokens into parts of about equally many rows."""
    return np.unique(np.quantile(np.asarray(tokens, np.float64), np.linspace(0, 1, bins + 1)).round())
