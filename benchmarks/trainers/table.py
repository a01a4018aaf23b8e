"""The two tables of `make trainers`, as Markdown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.trainers.compare import Verdict
from benchmarks.trainers.exporting import Written
from benchmarks.trainers.running import Run

TITLES = {"trl": "TRL", "llamafactory": "LLaMA-Factory", "swift": "ms-swift", "axolotl": "Axolotl"}
PACKAGES = {"trl": "trl", "llamafactory": "llamafactory", "swift": "ms-swift", "axolotl": "axolotl"}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trainer and one way to carry pictures."""

    name: str
    how: str = ""
    written: Written | None = None
    export: tuple[Run, Verdict] | None = None
    """What came of the export as it lies."""
    defaults: tuple[Run, Verdict] | None = None
    """What came of the same rows by the trainer's defaults."""
    failed: str = ""
    """Why its environment could not be made."""

    @property
    def same(self) -> bool:
        """Whether the trainer trained on what the study learnt from."""
        return self.export is not None and not self.export[0].error and self.export[1].same

    @property
    def numbers(self) -> dict[str, object]:
        """Everything, for a machine."""
        found = {name: {"versions": run.versions, "error": run.error} | asdict(verdict)
                 for name, pair in (("export", self.export), ("defaults", self.defaults)) if pair
                 for run, verdict in [pair]}
        left_out = self.written.refused if self.written else {}
        return {"trainer": self.name, "pictures": self.how, "same": self.same, "failed": self.failed,
                "left_out": left_out} | found


EXPORT = ("trainer", "pictures", "rows", "in order, two passes", "stage borders", "texts equal",
          "loss on the same tokens", "pixels equal", "left out of the export")
DEFAULTS = ("trainer, its defaults", "rows", "in order, two passes", "whole", "labels that are of answers",
            "answer tokens learnt", "ended with")


def by_export(tried: list[Tried]) -> str:
    """What reached the loss when the export ran as it lay, beside what the study learnt from."""
    rows = []
    for one in tried:
        if one.export is None or one.written is None:
            rows.append((_title(one), "", f"not run: {_short(one.failed)}", *[""] * 6))
            continue
        run, v = one.export
        rows.append((
            _title(one), one.how, _rows(v) + (f"; ended with {_short(run.error)}" if run.error else ""),
            f"{v.in_place} of {v.seen}", "kept" if v.borders else "lost", _equal(v.wanted, len(v.lost), v.texts),
            _equal(v.wanted, len(v.lost), v.labels) + (f" (and {v.line_breaks} line breaks behind answers)"
                                                       if v.line_breaks else ""),
            _equal(v.pictures, v.pictures_lost, v.pixels), str(len(one.written.refused))))
    return _table(EXPORT, rows)


def by_defaults(tried: list[Tried]) -> str:
    """What the trainer's defaults would have done to the same rows."""
    rows = []
    for one in tried:
        if one.defaults is None:
            continue
        run, v = one.defaults
        rows.append((
            _title(one), _rows(v), f"{v.in_place} of {v.seen}", str(v.wanted - len(v.lost) - len(v.texts)),
            f"{v.on_answers / v.label_tokens:.1%}" if v.label_tokens else "none",
            f"{v.on_answers} of {v.answer_tokens}", _short(run.error) or "success"))
    return _table(DEFAULTS, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def _rows(verdict: Verdict) -> str:
    return f"{verdict.wanted - len(verdict.lost)} of {verdict.wanted}"


def _title(one: Tried) -> str:
    versions = one.export[0].versions if one.export else {}
    beside = f" (transformers {versions['transformers']}, datasets {versions['datasets']})" if versions else ""
    return f"{TITLES[one.name]} {versions.get(PACKAGES[one.name], '')}".rstrip() + beside


def _equal(count: int, lost: int, others: list[str]) -> str:
    """`28 of 30; not r13, r15`: those that are equal, lost ones not counted."""
    named = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
    return f"{count - lost - len(set(others))} of {count}" + (f"; not {named}" if others else "")


def _short(error: str) -> str:
    """One line that a table can hold; of a worker's traceback its last."""
    text = error.strip().splitlines()[-1] if "Traceback" in error else error
    return " ".join(text.split()).replace("|", "/")[:160]
