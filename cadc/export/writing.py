"""An ordered curriculum as a folder that a trainer runs as it lies: rows, stages, config, card, manifest.

The same rows, samples and manifest give the same bytes: no time and no place of this run is written, except where
absolute picture paths are asked for.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.curation.plain import plain_records
from cadc.data import Sample
from cadc.data.indices import FileIndex
from cadc.errors import DataError
from cadc.export import columns as others
from cadc.export.card import CARD, card
from cadc.export.clearing import clear, require_free, row_files
from cadc.export.format import Format
from cadc.export.formats import FORMATS
from cadc.export.outline import How, Outline, Row, StageFile
from cadc.export.pictures import Pictures, Shown
from cadc.export.reading import MANIFEST
from cadc.export.recipe import Recipe
from cadc.export.rowset import RowSet, row_digest, whole, write_lines, write_parquet, write_text
from cadc.export.shapes import Json, hidden
from cadc.export.types import card_types

if TYPE_CHECKING:
    import pandas as pd

VERSION = 2
"""Of the folder's layout."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: list[Path]
    """The curriculum first, its stages, what goes with them; manifest.json last. Pictures are not listed."""
    rows: int
    manifest: dict[str, Any]
    """As in manifest.json."""


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """Rows that the trainer can hold, and those that it cannot."""

    samples: list[Sample]
    """As its trainer gets them, other columns cut down to those of one type (where a reader may need that)."""
    every: list[Sample]
    """The same with their other columns of whatever type."""
    loose: others.Columns
    """Of `every`."""
    kept: list[int]
    """Their places among the rows asked for."""
    refused: list[Json]
    """{index, id, reason} of the others, in order."""
    columns: others.Columns
    adapted: int
    """Rows that had to be changed for the trainer."""


def write_curriculum(rows: "pd.DataFrame", table: "pd.DataFrame", samples: Sequence[Sample],
                     manifest: Mapping[str, Any], folder: Path | str, *, format: str, pictures: Pictures,
                     recipe: Recipe) -> Exported:
    """Write a curriculum for a trainer (docs/export.md).

    rows: in training order, with at least `index` (position in the pool file) and `stage` (from 1, ascending); every
    column goes into the manifest. table: `read_table` rows with `index` and `raw`; samples: at least those of `rows`.
    `format`: one of FORMATS. An earlier export in the folder is replaced; other files there stay. The manifest is
    written last: without it an export is not complete. Raises DataError for an unknown format, pictures that it cannot
    read so, an empty curriculum, a row without its sample, or a folder that cannot be written.
    """
    folder, form = Path(folder).expanduser(), FORMATS[format]
    how = form.how(pictures.how or "")
    chosen = _choose(_ordered(rows, samples), form)
    rows = rows.iloc[chosen.kept]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shown = Shown(pictures, folder, chosen.samples if form.pictures else [], how, form.beside)
        shown.require_elsewhere()
        clear(folder)
        require_free(folder, (CARD, *form.companions, *row_files(folder, int(rows["stage"].max()))))
        brought = shown.travel() if form.write is None else []
        found = _rowset(chosen, rows, table, shown, form)
        outline = _outline(form, how, found, manifest, recipe)
        files, stages = _files(found, folder, form, outline)
        outline = replace(outline, stages=stages, data=whole(files, stages), types=_types(found, form, how))
        head = _head(form, chosen, outline, files, brought, manifest)
        texts = {name: text for name, make in form.companions.items() if (text := make(outline))}
        texts[CARD] = card(outline, form.training(outline), head, _place(form, chosen, shown))
        head["beside"] = [write_text(folder, name, text) for name, text in texts.items()]
        write_text(folder, MANIFEST, _manifest(head, found.records, brought))
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    written = [folder / str(entry["file"]) for entry in files] + [folder / name for name in (*texts, MANIFEST)]
    return Exported(written, len(found.rows), head | {"picture_files": brought, "rows": list(found.records)})


# ---- which rows ----------------------------------------------------------------------------------------------------
def _ordered(rows: "pd.DataFrame", samples: Sequence[Sample]) -> list[Sample]:
    """The sample of every row, in training order."""
    if len(rows) == 0:
        raise DataError("the curriculum has no rows. Raise the budget, or loosen its filters.")
    by_index = {sample.index: sample for sample in samples}
    missing = [index for index in rows["index"] if int(index) not in by_index]
    if missing:
        raise DataError(f"pool row {missing[0]} is in the curriculum but not among the samples. "
                        "Run the ingest job again.")
    return [by_index[FileIndex(int(index))] for index in rows["index"]]


def _choose(samples: Sequence[Sample], form: Format) -> _Chosen:
    """Leave out what the trainer cannot hold. Raises DataError where that is everything."""
    refused, kept, made, adapted = [], [], [], 0
    for place, sample in enumerate(samples):
        if why := form.refuses(sample):
            refused.append({"index": int(sample.index), "id": sample.id, "reason": why})
            continue
        fitting = form.adapt(sample)
        adapted += fitting is not sample
        kept.append(place)
        made.append(fitting)
    if not made:
        raise DataError(f"{form.name} can hold none of the {len(samples)} rows: {refused[0]['reason']}. Choose another "
                        "trainer.")
    loose = others.columns(made, typed=False, read=form.reads)
    if form.whole or (form.shape is None and form.write is not None):
        found = others.untouched(made, written=form.whole)
    else:
        found = others.columns(made, typed=form.typed or form.write is None, read=form.reads)
    return _Chosen(samples=[found.of(sample) for sample in made], every=[loose.of(sample) for sample in made],
                   loose=loose, kept=kept, refused=refused, columns=found, adapted=adapted)


# ---- what rows say -------------------------------------------------------------------------------------------------
def _rowset(chosen: _Chosen, rows: "pd.DataFrame", table: "pd.DataFrame", shown: Shown, form: Format) -> RowSet:
    """The rows, as their format has them, and what the manifest says of each."""
    shaped, every = _rendered(chosen, table, shown, form), list[Row]()
    if form.shape is not None:
        shaped = _shaped(chosen.samples, rows, shown, form, chosen.columns.left)
        if not form.typed and form.write is None and chosen.columns.left:
            every = _shaped(chosen.every, rows, shown, form, {})
    return RowSet(rows=shaped, every=every, samples=chosen.samples, shown=shown, stages=_stages(rows),
                  records=_records(rows, chosen, shown, form))


def _shaped(samples: Sequence[Sample], rows: "pd.DataFrame", shown: Shown, form: Format, left: dict[str, str]
            ) -> list[Row]:
    """The row of every sample in a shape of ours; `left` learns of columns that a row has no place for."""
    if form.shape is None:
        return []
    marked = any(not turn.learnt for sample in samples for turn in sample.turns)
    named = any(sample.id for sample in samples)
    stage, capability = _labels(rows)
    found: list[Row] = []
    for sample, s, c in zip(samples, stage, capability, strict=True):
        row = form.shape(sample, shown.of(sample), marked=marked)
        for name in hidden(sample, row):
            left.setdefault(name, "these rows have a column of that name for their own")
        found.append(({"id": sample.id} if named else {}) | row | {others.STAGE: s, others.CAPABILITY: c})
    return found


def _types(found: RowSet, form: Format, how: How) -> tuple[str, ...]:
    """Types of the columns of JSON Lines, for the card."""
    plain = [row for row in found.rows if isinstance(row, dict)]
    if form.shape is None or form.write is not None or how == "parquet":
        return ()
    return tuple(card_types(plain))


def _rendered(chosen: _Chosen, table: "pd.DataFrame", shown: Shown, form: Format) -> list[Row]:
    """Rows of a format that writes them itself."""
    if form.render is None:
        return []
    wanted = {sample.index for sample in chosen.samples}
    part = table[table["index"].isin(wanted)]
    raw = dict(zip(part["index"].tolist(), part["raw"].tolist(), strict=True))
    return [form.render(sample, shown.of(sample), raw[sample.index]) for sample in chosen.samples]


def _labels(rows: "pd.DataFrame") -> tuple[list[int], list[str]]:
    """Stage and capability (by its name, '' for none) of every row."""
    given = [rows[name].fillna("").astype(str).tolist() if name in rows else [""] * len(rows)
             for name in ("name", "capability")]
    return [int(stage) for stage in rows["stage"]], [name or ident for name, ident in zip(*given, strict=True)]


def _records(rows: "pd.DataFrame", chosen: _Chosen, shown: Shown, form: Format) -> list[Json]:
    """What the manifest says of each row; `content` where our own reader gets it back."""
    records = plain_records(rows)
    if form.shape is None:
        return records
    digests = {name: shown.digest(name) for name in shown.names}
    return [record | {"content": row_digest(sample, [digests[name] for name in sample.images])}
            for record, sample in zip(records, chosen.samples, strict=True)]


def _stages(rows: "pd.DataFrame") -> tuple[StageFile, ...]:
    """The stages in order, their files still without a name."""
    stage = [int(value) for value in rows["stage"]]
    if stage != sorted(stage):
        raise DataError("the stages of the curriculum are not in order. This is a fault of the program; "
                        "please report it.")
    numbers = sorted(set(stage))
    starts = [stage.index(number) for number in numbers] + [len(stage)]
    return tuple(StageFile(stage=number, file="", first=starts[i], last=starts[i + 1])
                 for i, number in enumerate(numbers))


# ---- files ---------------------------------------------------------------------------------------------------------
def _files(found: RowSet, folder: Path, form: Format, outline: Outline
           ) -> tuple[list[Json], tuple[StageFile, ...]]:
    """Write the rows; the files, and the stages with theirs."""
    if form.write is not None:
        return form.write(found, folder)
    if outline.how == "parquet":
        return write_parquet(found, folder)
    return write_lines(found, folder, listed=form.listed(outline))


def _outline(form: Format, how: How, found: RowSet, manifest: Mapping[str, Any], recipe: Recipe) -> Outline:
    """What the texts speak of; the files are still to be named."""
    samples, staging = found.samples, (manifest.get("curation") or {}).get("staging")
    return Outline(format=form.name, rows=len(samples), stages=found.stages, recipe=recipe, data=(),
                   mixed=staging == "mix" and len(found.stages) == 1,
                   input_format=str(manifest.get("input_format", "")), how=how, pictures=len(found.shown.names),
                   odd=len(found.shown.odd), anew=bool(form.beside), loads=form.loads,
                   system_turns=sum(s.turns[0].role == "system" for s in samples),
                   several=sum(len(s.images) > 1 for s in samples),
                   marked=sum(any(not turn.learnt for turn in s.turns) for s in samples))


def _head(form: Format, chosen: _Chosen, outline: Outline, files: list[Json], brought: list[Json],
          manifest: Mapping[str, Any]) -> dict[str, Any]:
    """manifest.json without its lists."""
    reasons = Counter(str(row["reason"]) for row in chosen.refused)
    return {"export": VERSION, "format": form.name, **manifest, "rows_written": outline.rows,
            "not_written": {"rows": len(chosen.refused), "reasons": dict(sorted(reasons.items())),
                            "list": chosen.refused},
            "changed_for_the_trainer": chosen.adapted, "rows_with_unlearnt_answers": outline.marked,
            "columns": {"written": list(chosen.columns.taken), "left": _left(form, chosen, outline),
                        "licences": chosen.columns.licences},
            "recipe": outline.recipe.for_rows(outline.rows, mixed=outline.mixed),
            "data": list(outline.data), "files": files,
            "stage_files": [_stage(stage) for stage in outline.stages],
            "restorable": form.shape is not None,
            "pictures": {"how": outline.how if outline.pictures else "none", "distinct": outline.pictures,
                         "files": len(brought), "turned_or_flattened": outline.odd if outline.anew else 0}}


def _left(form: Format, chosen: _Chosen, outline: Outline) -> dict[str, str]:
    """Columns that are left, with the reason, and whether a JSON list beside has them."""
    listed = form.shape is not None and not form.typed and form.listed(outline)
    return {name: f"{why}; the JSON list has it" if listed and name in chosen.loose.taken else why
            for name, why in chosen.columns.left.items()}


def _place(form: Format, chosen: _Chosen, shown: Shown) -> str:
    """A sentence about where the pictures lie."""
    return form.place if form.place and any(sample.images for sample in chosen.samples) else shown.place()


def _stage(stage: StageFile) -> Json:
    return {key: value for key, value in asdict(stage).items() if key != "files" or value}


def _manifest(head: Mapping[str, Any], records: Sequence[Json], brought: Sequence[Json]) -> str:
    """manifest.json: the head indented, then one line per picture file and per row, in training order."""
    text = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False)[:-2]
    for name, entries in (("picture_files", brought), ("rows", records)):
        lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in entries)
        text += f',\n "{name}": [\n{lines}\n ]' if entries else f',\n "{name}": []'
    return text + "\n}\n"
