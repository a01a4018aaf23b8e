"""WebDataset: tar shards in order, for each row a JSON and its pictures."""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cadc.export.columns import CAPABILITY, STAGE
from cadc.export.format import Format
from cadc.export.outline import Outline, StageFile
from cadc.export.rowset import RowSet, entry, write_text
from cadc.export.scripting import in_order
from cadc.export.shapes import Json, blocks, line
from cadc.study import replacing

ROWS = 1000
"""Rows of a shard; a stage begins a new one."""


def write(found: RowSet, folder: Path) -> tuple[list[Json], tuple[StageFile, ...]]:
    """curriculum-000000.tar …: names sort in training order, in a shard and over shards."""
    cuts = [(stage, start, min(start + ROWS, stage.last)) for stage in found.stages
            for start in range(stage.first, stage.last, ROWS)]
    width, digits = max(6, len(str(len(cuts)))), max(6, len(str(len(found.rows))))
    files: list[Json] = []
    own: dict[int, list[str]] = {stage.stage: [] for stage in found.stages}
    for number, (stage, start, stop) in enumerate(cuts):
        name = f"curriculum-{number:0{width}d}.tar"
        with replacing(folder / name) as handle, tarfile.open(fileobj=handle, mode="w", format=tarfile.GNU_FORMAT
                                                              ) as tar:
            for place in range(start, stop):
                _add(tar, found, place, f"{place:0{digits}d}")
        files.append(entry(folder, name, stop - start))
        own[stage.stage].append(name)
    files.append(_index(found, folder, [str(file["file"]) for file, _ in zip(files, cuts, strict=True)], cuts, digits))
    return files, tuple(replace(s, file=own[s.stage][0], files=tuple(own[s.stage])) for s in found.stages)


def _index(found: RowSet, folder: Path, names: Sequence[str], cuts: Sequence[tuple[StageFile, int, int]], digits: int
           ) -> Json:
    """index.jsonl: shard and key of every row, with its id, stage and capability."""
    rows = []
    for name, (_, start, stop) in zip(names, cuts, strict=True):
        for place in range(start, stop):
            row = found.rows[place]
            told = row if isinstance(row, dict) else {}
            rows.append({"shard": name, "key": f"{place:0{digits}d}", "id": told.get("id", ""), STAGE: told[STAGE],
                         CAPABILITY: told[CAPABILITY]})
    return write_text(folder, "index.jsonl", "".join(f"{line(row)}\n" for row in rows)) | {"rows": len(rows)}


def _add(tar: tarfile.TarFile, found: RowSet, place: int, key: str) -> None:
    """One row: KEY.json, and KEY.0.jpg, KEY.1.png … for its pictures, which its `images` name."""
    row, names = found.rows[place], []
    members = []
    for number, name in enumerate(found.samples[place].images):
        suffix = PurePosixPath(found.shown.names[name]).suffix.lower() or ".img"
        names.append(f"{key}.{number}{suffix}")
        members.append((names[-1], found.shown.content(name)))
    told = (row if isinstance(row, dict) else {}) | {"images": names}
    for name, data in [(f"{key}.json", json.dumps(told, ensure_ascii=False).encode()), *members]:
        member = tarfile.TarInfo(name)  # no time, owner or mode of this machine
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def training(outline: Outline) -> str:
    """See `Format.training`."""
    stages = ("`shardshuffle=False` and no `.shuffle(…)`; several workers or nodes take shards in turn\n"
              "  (`nodesplitter`, `split_by_worker`) and so mix stages: "
              f"{len(outline.data)} shards, one stage each")
    order = in_order(outline, stages, "one mixed stage, so shuffle it anew in every pass: `.shuffle(N)`, N its rows")
    return f"""    import webdataset
    shards = sorted(glob.glob("curriculum-*.tar"))     # in this order
    rows = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")

* Order: {order}.
* `index.jsonl` says shard and key of every row; `datasets.load_dataset` of this folder reads that, since its own reader
  of shards wants as many pictures in every row.
* A row is `KEY.json` (`messages` with content blocks, `images` with the names of its pictures, other columns,
  `cadc_stage`, `cadc_capability`) and `KEY.0.jpg`, `KEY.1.png` …; an answer that is not to be learnt from carries
  weight 0 ({outline.marked} rows here)."""


FORMAT = Format(name="webdataset", about="WebDataset: tar shards in order, JSON and pictures", shape=blocks,
                training=training, write=write, pictures=("copy",),
                place="Pictures lie in the shards, each beside the JSON of its row.", loads="index.jsonl")
