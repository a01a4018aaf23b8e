"""The rows of a synthesised pool: written one by one for ingest to read, or all at once with what ingest makes of them.

Ingest holds every row in memory and takes a second for ten thousand: ten million are past a small machine. So for
those the file of the pool and `pool.parquet` are written in blocks, and ingest itself reads a small pool with every
picture, every fault and every row that a target could repeat; a test compares both ways.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from cadc.data import run_ingest
from cadc.data.table import COLUMNS
from cadc.study import Study, write_json
from cadc.study.progress import Silent

if TYPE_CHECKING:
    import pyarrow as pa

SKILLS = ("read words", "count dots", "compare bars", "locate shapes", "name colours", "follow sequences")
FORMATS = {"yes/no": ("yes", "no"), "letter": ("A", "B", "C", "D"), "number": tuple(map(str, range(1, 10))),
           "word": ("red", "green", "blue", "left", "right", "square")}
SOURCES = ("charts", "documents", "scenes", "tables", "chat")
PICTURES = 6
"""Of each source but the last, which has none."""
OFF = "talk about the weather"
BROKEN = 7
"""Rows at the end of a file that cannot be used."""
HOSTILE = '<img src=x onerror=alert(1)> ![p](http://127.0.0.1:9/p.png) **bold** $x^2$ <b>no markup</b>'
"""One question carries this: a page that renders dataset text shows it at once."""
BLOCK = 1 << 18
"""Rows that are written together."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """What the rows of one file say; N of them, then `BROKEN` more."""

    role: str
    """`pool` or `target`."""
    family: np.ndarray
    """int [N]: unit that a row is about; -1: none."""
    form: np.ndarray
    """int [N]: place of its answer's format in `FORMATS`."""
    draws: np.ndarray
    """int [N, 2]: which answer, which picture."""
    names: tuple[str, ...]
    """Of the units."""

    def __len__(self) -> int:
        return len(self.family)

    @property
    def first(self) -> int:
        """A tenth of a pool are copies: of row 0 on, from this row on."""
        return len(self) - len(self) // 10 if self.role == "pool" else len(self)

    def like(self, rows: np.ndarray) -> np.ndarray:
        """int [n]: the row that each of these copies, itself where it is none."""
        return np.where(rows >= self.first, rows - self.first, rows)


def draw(rng: Generator, role: str, family: np.ndarray, names: list[str]) -> Rows:
    """Answers and pictures for rows about these units."""
    form = np.where(family >= 0, family // 2 % len(FORMATS), rng.integers(0, len(FORMATS), size=len(family)))
    return Rows(role=role, family=family, form=form, draws=rng.integers(0, 1000, size=(len(family), 2)),
                names=tuple(names))


def write_one_by_one(path: Path, rows: Rows, which: Iterator[int] | range | None = None) -> None:
    """LLaVA rows, all or these, and the broken ones."""
    with path.open("w", encoding="utf-8") as handle:
        for i in range(len(rows)) if which is None else which:
            handle.write(json.dumps(_row(rows, i), ensure_ascii=False) + "\n")
        handle.writelines(_broken(rows))


def _row(rows: Rows, i: int) -> dict[str, Any]:
    like = int(rows.like(np.array(i)))
    f, answers = rows.family[like], tuple(FORMATS.values())[rows.form[like]]
    source = SOURCES[f % (len(SOURCES) - 1)] if f >= 0 else SOURCES[-1]
    asks = SKILLS[f % len(SKILLS)] if f >= 0 else OFF
    question = HOSTILE if i == 0 and rows.role == "pool" else f"Number {like}: {asks}, please."
    row = {"id": f"{rows.role[0]}{i}", "source": source}
    row |= {"image": f"{source}/{rows.draws[like, 1] % PICTURES}.png"} if f >= 0 else {}
    row |= {"unit": rows.names[f]} if rows.role == "target" else {}
    return row | {"conversations": [
        {"from": "human", "value": ("<image>\n" if f >= 0 else "") + question},
        {"from": "gpt", "value": answers[rows.draws[like, 0] % len(answers)]}]}


def _broken(rows: Rows) -> Iterator[str]:
    for i in range(BROKEN):
        row = {"id": f"broken-{i}", "unit": rows.names[0]} | ({"image": "charts/missing.png"} if i % 2 else {})
        yield json.dumps(row | {"conversations": [{"from": "human", "value": "<image>\nWhat?"},
                                                  {"from": "gpt", "value": "yes"}]}) + "\n"


# ---- all at once -----------------------------------------------------------------------------------------------------
def write_in_blocks(path: Path, rows: Rows) -> None:
    """The file that `write_one_by_one` writes of a whole pool."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with path.open("wb") as handle:
        for block in _blocks(rows):
            lines = pa.scalar(block["raw"].combine_chunks().to_pylist(), pa.list_(pa.large_string()))
            handle.write(pc.binary_join(lines, pa.scalar("\n", pa.large_string())).as_buffer())
            handle.write(b"\n")
        handle.writelines(line.encode() for line in _broken(rows))


def keep_as_read(study: Study, rows: Rows, samples: int) -> None:
    """What the job `ingest` makes of a pool that was written in blocks, with the study's own target file of so many
    samples."""
    import pyarrow.parquet as pq

    picked = [np.arange(min(samples, rows.first)), np.arange(rows.first, min(rows.first + samples, len(rows)))]
    picture = np.where(rows.family >= 0, rows.family % (len(SOURCES) - 1) * PICTURES + rows.draws[:, 1] % PICTURES, -1)
    picked.append(np.unique(picture[:rows.first], return_index=True)[1])
    which = np.unique(np.concatenate(picked))  # rows that can be in the target, and every picture
    with study.new_ingest() as folder, tempfile.TemporaryDirectory(dir=study.root) as scratch:
        file = Path(scratch) / "pool.jsonl"
        write_one_by_one(file, rows, iter(which.tolist()))
        small = Study.create("small", replace(study.config, pool=str(file)), created="", root=Path(scratch))
        run_ingest(small, Silent())
        read = small.result("ingest").folder
        for name in ("target.parquet", "pictures-target.parquet", "pictures-pool.parquet"):
            shutil.copy(read / name, folder / name)
        report = json.loads((read / "report.json").read_text(encoding="utf-8"))
        place = [*which.tolist(), *range(len(rows), len(rows) + BROKEN)]
        for kind in ("set_aside", "warnings"):
            report["pool"][kind] = [reason | {"index": place[reason["index"]]} for reason in report["pool"][kind]]
        report["pool"] |= {"file": study.config.pool, **_counts(rows)}
        with pq.ParquetWriter(folder / "pool.parquet", _schema(), compression="zstd") as writer:
            for block in _blocks(rows):
                writer.write_table(block, row_group_size=8192)
        write_json(folder / "report.json", report)
        study.keep_ingest(folder, {role: report[role]["pictures_digest"] for role in ("pool", "target")})


def _counts(rows: Rows) -> dict[str, Any]:
    """What a report says of a pool that follows from the rows as a whole."""
    like = rows.like(np.arange(len(rows)))
    family, form = rows.family[like], rows.form[like]
    text_only = int((family < 0).sum())
    source = np.where(family >= 0, family % (len(SOURCES) - 1), len(SOURCES) - 1)
    counts = {"conversations": len(rows), "id": len(rows), "source": len(rows), "image": len(rows) - text_only}
    return {"rows": len(rows) + BROKEN, "accepted": len(rows), "text_only": text_only,
            "duplicates": max(len(rows) // 10 - 1, 0),  # the copy of the hostile row has other words
            "answer_formats": _counted(form, tuple(FORMATS)), "sources": _counted(source, SOURCES),
            "keys": {"column": {"read": dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))},
                     "turn": {"read": {"from": len(rows), "value": len(rows)}}}}


def _counted(codes: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    counts = {name: int(count) for name, count in zip(names, np.bincount(codes, minlength=len(names)), strict=True)}
    return dict(sorted(((n, c) for n, c in counts.items() if c), key=lambda item: (-item[1], item[0])))


def _schema() -> "pa.Schema":
    import pyarrow as pa

    kinds = {"index": pa.int64(), "group": pa.int64(), "images": pa.list_(pa.string())}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in (*COLUMNS, "turns", "kept")])


def _blocks(rows: Rows) -> Iterator["pa.Table"]:
    """Accepted rows of a pool with the columns of `pool.parquet`, in file order."""
    for start in range(0, len(rows), BLOCK):
        yield _block(rows, np.arange(start, min(start + BLOCK, len(rows))))


def _block(rows: Rows, index: np.ndarray) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    like = rows.like(index)
    family, form, n = rows.family[like], rows.form[like], len(index)
    on = family >= 0

    def of(values: list[str], codes: np.ndarray) -> "pa.Array":
        return pa.array(values, pa.string()).take(pa.array(codes))

    def joined(*parts: "str | pa.Array") -> "pa.Array":
        return pc.binary_join_element_wise(*parts, "")

    source = of(list(SOURCES), np.where(on, family % (len(SOURCES) - 1), len(SOURCES) - 1))
    image = joined(source, "/", pa.array(rows.draws[like, 1] % PICTURES).cast(pa.string()), ".png")
    asks = of([*SKILLS, OFF], np.where(on, family % len(SKILLS), len(SKILLS)))
    question = joined("Number ", pa.array(like).cast(pa.string()), ": ", asks, ", please.")
    if index[0] == 0:
        question = pa.concat_arrays([pa.array([HOSTILE]), question[1:]])
    sizes = np.array([len(answers) for answers in FORMATS.values()])
    answer = of([a for answers in FORMATS.values() for a in answers],
                (np.cumsum(sizes) - sizes)[form] + rows.draws[like, 0] % sizes[form])
    ident, drawn = joined("p", pa.array(index).cast(pa.string())), pa.array(on)
    named = pc.if_else(drawn, joined(', "image": "', image, '"'), "")
    raw = joined('{"id": "', ident, '", "source": "', source, '"', named,
                 ', "conversations": [{"from": "human", "value": "', pc.if_else(drawn, "<image>\\n", ""), question,
                 '"}, {"from": "gpt", "value": "', answer, '"}]}')
    turns = joined('[["user", [', pc.if_else(drawn, '0, "\\n', '"'), question, '"]], ["assistant", ["', answer, '"]]]')
    offsets = np.concatenate([[0], np.cumsum(on)]).astype(np.int32)
    group = np.where(index == rows.first, index, like)  # what it copies was given other words
    columns = {"index": pa.array(index), "id": ident,
               "images": pa.ListArray.from_arrays(pa.array(offsets), image.filter(drawn)), "source": source,
               "unit": pa.array([""] * n), "question": question, "answer": answer,
               "answer_format": of(list(FORMATS), form), "group": pa.array(group), "raw": raw, "turns": turns,
               "kept": joined('{"source": "', source, '"}')}
    return pa.table([columns[field.name].cast(field.type) for field in _schema()], schema=_schema())
