"""What a person decides about a curriculum (METHOD §5)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from cadc.curation.presets import PRESETS
from cadc.errors import DataError

RULES = ("self-influence", "uniform", "pool-size", "target-share", "manual")
STAGINGS = ("mix", "soft", "hard")
ORDER_KNOWN = ("On the generated pools soft stages gained and cost nothing that can be told from chance; each stage to "
               "its end costs 2 to 12 points against the same rows shuffled (docs/evidence.md).")
"""What an order is known to gain or cost, for a person who may choose one."""
INSIDE = ("easy-first", "influence-first", "random")


@dataclass(frozen=True, kw_only=True)
class CurationSettings:
    """Everything that changes a curriculum besides the scores and the capabilities. JSON through
    `to_dict`/`from_dict`."""

    preset: str = "studio"
    """One of `cadc.curation.presets`: `quick`, `studio` or `paper` (METHOD §3, §5)."""
    budget: float = 0.05
    """ρ up to 1 (a share of the scored pool), or a number of rows above 1."""
    rule: str = "target-share"
    """Shares of the capabilities: `target-share` (units each holds), `self-influence` (CADC's, of the `paper` preset),
    `uniform`, `pool-size` or `manual`. docs/decisions/0006 says why the presets differ."""
    shares: tuple[tuple[str, float], ...] = ()
    """`manual`: (capability id, weight) pairs; weights are scaled to sum 1. A dict is accepted."""
    order: tuple[str, ...] = ()
    """Capability ids in stage order; () or missing ids: by how early self-influence falls."""
    staging: str = "mix"
    """`mix` shuffles all rows into one stage, `soft` stages replay earlier capabilities, `hard` stages cut over (CADC
    §5). docs/decisions/0032-mix-by-default.md says why an order is not the default."""
    replay: float = 0.6
    """r: share of a capability's rows kept back for later stages (soft)."""
    inside: str = "random"
    """Order inside a stage: `easy-first` (of the `paper` preset), `influence-first` or `random`
    (docs/decisions/0017)."""
    signal: str = "plain"
    """Target gradients of the `paper` influence: `plain` or `grounded`."""
    scale: str = "unit"
    """`unit`: units scaled to unit norm before the capability mean (`paper`); `raw`: as they are."""
    floor: float = 0.0
    """Rows whose largest influence does not exceed this belong to no pool; in the units of the preset: by near(z, s) .5
    is half as near as the unit's own samples are to each other."""
    drop_duplicates: bool = True
    """Leave out near-duplicates: of each group one row can be taken."""
    drop_loss_share: float = 0.12
    """Leave out this share of rows with the highest loss (last checkpoint; without gradients the base's) within their
    nearest unit; 0 keeps all."""
    loss_quantile: float = 0.95
    """Leave out rows that look wrong: loss under the judges above this quantile of right answers' in their nearest
    unit, odds of the answer at most even (docs/decisions/0031); 1 keeps all. Takes the place of `drop_loss_share` where
    the study has judges."""
    source_cap: int = 0
    """At most this many rows of one source in the whole curriculum; 0: no cap."""
    source_caps: tuple[tuple[str, int], ...] = ()
    """(source, rows) pairs: caps of single sources, in place of `source_cap`; 0: none. A dict is accepted."""
    minimum_influence: float | None = None
    """Leave out rows with less influence on their own capability; None: no minimum."""
    keep: tuple[int, ...] = ()
    """Pool-file positions that are always taken (they count against the budget and pass every filter)."""
    drop: tuple[int, ...] = ()
    """Pool-file positions that are never taken."""
    random_share: float = 0.0
    """ε: share of each capability's rows that is drawn at random from its pool."""
    seed: int = 0
    """Seeds random draws and shuffles."""

    def __post_init__(self) -> None:
        for name in ("shares", "source_caps"):
            if isinstance(getattr(self, name), Mapping):
                object.__setattr__(self, name, tuple(getattr(self, name).items()))
        for name, kind in (("keep", int), ("drop", int), ("order", str)):
            object.__setattr__(self, name, tuple(kind(value) for value in getattr(self, name)))
        object.__setattr__(self, "shares", tuple((str(i), float(w)) for i, w in self.shares))
        object.__setattr__(self, "source_caps", tuple(sorted((str(i), int(n)) for i, n in self.source_caps)))
        one_of = {
            "preset": PRESETS,
            "rule": RULES,
            "staging": STAGINGS,
            "inside": INSIDE,
            "signal": ("plain", "grounded"),
            "scale": ("unit", "raw"),
        }
        for name, allowed in one_of.items():
            if getattr(self, name) not in allowed:
                raise DataError(
                    f"curation setting {name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}."
                )
        ranges = {
            "budget": (0 < self.budget < inf, "a share up to 1, or rows above 1"),
            "replay": (0 <= self.replay < 1, "at least 0 and below 1"),
            "drop_loss_share": (0 <= self.drop_loss_share < 1, "at least 0 and below 1"),
            "loss_quantile": (0 < self.loss_quantile <= 1, "above 0, at most 1"),
            "random_share": (0 <= self.random_share <= 1, "0 to 1"),
            "source_cap": (self.source_cap >= 0, "rows, or 0 for no cap"),
            "source_caps": (all(rows >= 0 for _, rows in self.source_caps), "rows, or 0 for no cap"),
            "shares": (all(0 <= w < inf for _, w in self.shares), "weights of 0 or more"),
            "floor": (-inf < self.floor < inf, "a number"),
        }
        for name, (ok, expected) in ranges.items():
            if not ok:
                raise DataError(f"curation setting {name}={getattr(self, name)!r}: expected {expected}.")
        if both := set(self.keep) & set(self.drop):
            raise DataError(f"pool row {min(both)} is tagged keep and drop. Take one tag away.")

    @classmethod
    def of_preset(cls, preset: str, **chosen: Any) -> "CurationSettings":
        """The complete choices of a preset (METHOD §3). `chosen` overrides. Raises DataError for an unknown preset, key
        or value."""
        return cls.from_dict({**PRESETS[preset].settings, "preset": preset} | chosen)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CurationSettings":
        """Read JSON values. Raises DataError for an unknown key or a value of the wrong kind."""
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise DataError(f"unknown curation setting {unknown[0]!r}. Known: {', '.join(sorted(known))}")
        values = dict(values)
        if isinstance(values.get("budget"), str):
            values["budget"] = read_budget(values["budget"])
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise DataError(f"curation settings cannot be read: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """JSON value; `from_dict` reads it back."""
        values = dataclasses.asdict(self) | {
            "shares": dict(self.shares),
            "order": list(self.order),
            "keep": list(self.keep),
            "drop": list(self.drop),
            "source_caps": dict(self.source_caps),
        }
        if not self.source_caps:  # what was written before there were such caps stays the same to the byte
            del values["source_caps"]
        return values

    @property
    def capped(self) -> bool:
        """Whether any source has a cap."""
        return bool(self.source_cap) or any(rows for _, rows in self.source_caps)

    def cap_of(self, source: str) -> int:
        """Most rows of a source; 0: no cap."""
        return dict(self.source_caps).get(source, self.source_cap)

    def rows(self, pool: int) -> int:
        """N of METHOD §5: budget in rows for a pool of this many scored rows, at least 1 and at most the pool."""
        wanted = self.budget * pool if self.budget <= 1 else self.budget
        return max(1, min(pool, int(wanted + 0.5))) if pool else 0


def read_budget(text: str) -> float:
    """`5%` or `0.05` (a share of the pool) or `2000` (rows, above 1). Raises DataError."""
    try:
        value = float(text.strip().removesuffix("%"))
        value = value / 100 if text.strip().endswith("%") else value
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf") or (text.strip().endswith("%") and value > 1):
        raise DataError(f"budget {text!r}: give a share such as 5% or 0.05, or a number of rows above 1.")
    return value
