"""`exact` or `sketch`: decided once per study, before the target pass, and recorded with its reason."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cadc.study import Study, StudyConfig

log = logging.getLogger(__name__)

SHARE = 0.5
"""Share of the free memory that target vectors may take; model and batches need the rest."""
_MB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Need:
    """What full target vectors would take."""

    vectors: int
    """T · R."""
    parameters: int
    """P."""
    width: int
    """Bytes per number."""
    workers: int = 1
    """Processes that hold them at the same time."""

    @property
    def bytes(self) -> int:
        """Of all processes together."""
        return self.vectors * self.parameters * self.width * self.workers


@dataclass(frozen=True, kw_only=True)
class Mode:
    """The choice, as targets.json has it."""

    mode: str
    """`exact` or `sketch`."""
    reason: str
    dim: int
    """Numbers per vector in `sketch` mode, else 0."""
    need_mb: float
    free_mb: float


def choose(config: "StudyConfig", need: Need, free: int) -> Mode:
    """`auto`: exact where full vectors fit into half of `free` bytes, else sketch."""
    need_mb, free_mb = round(need.bytes / _MB, 1), round(free / _MB, 1)
    fits = need.bytes <= SHARE * free
    copies = f" in {need.workers} processes" if need.workers > 1 else ""
    sizes = f"full target vectors take {_size(need.bytes)}{copies}, {_size(free)} of memory are free"
    if config.mode == "auto":
        mode, reason = ("exact" if fits else "sketch"), sizes
    else:
        mode, reason = config.mode, f"set; {sizes}"
    if mode == "exact" and not fits:
        log.warning("mode=exact although %s", sizes)
    return Mode(mode=mode, reason=reason, dim=config.sketch_dim if mode == "sketch" else 0, need_mb=need_mb,
                free_mb=free_mb)


def free_bytes(device: str) -> int:
    """Memory of the device that nobody uses: of a GPU, or of this machine within its control group's limit."""
    if str(device).startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info()[0]
    free = _available()
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    return min(free, limit - used) if limit is not None and used is not None else free


def _available() -> int:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # no Linux: half of what is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such control group, or `max`
        return None


def recorded(study: "Study") -> dict[str, Any] | None:
    """What the target job says on products: `Mode`'s fields, `gram` and, in sketch mode, `agreement`; None before."""
    if not study.finished("targets"):
        return None
    result = study.result("targets")
    found: dict[str, Any] = {}
    for name in ("targets.json", "about.json"):
        found |= json.loads(result.intact(name).read_text())["products"]
    return found


def essence(study: "Study") -> dict[str, Any]:
    """What a manifest says on products: mode, dimension and agreement with exact; nothing of this machine."""
    found = recorded(study) or {}
    return {key: found[key] for key in ("mode", "dim", "agreement") if key in found}


def sentence(found: dict[str, Any]) -> str:
    """One line for a person."""
    if found["mode"] == "exact":
        return f"Exact dot products: {found['reason']}"
    said = f"Sketched to {found['dim']:,} numbers per vector: {found['reason']}; "
    agreement = found.get("agreement") or {}
    if "near" not in agreement:
        return said + f"its error was not measured ({agreement.get('note', 'no rows')})"
    parts = [f"{name} {agreement[name]['mean']:.3f} (lowest unit {agreement[name]['min']:.3f})"
             for name in ("near", "dots", "grounded") if name in agreement]
    return said + f"rank correlation with exact on {agreement['rows']} pool rows: {', '.join(parts)}"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB" if count >= 1 << 30 else f"{count / _MB:.1f} MB"
