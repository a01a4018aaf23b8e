"""Pool rows: look for them, and say something of them."""

import argparse
from typing import TYPE_CHECKING, Any

from cadc.commands.command import Command, as_json, of_study, print_json, shown
from cadc.errors import DataError

if TYPE_CHECKING:
    from cadc.study import Study
    from cadc.views.pool_rows import PoolRows

ROWS_HELP = "pool rows by their place in the pool file: `3,5-9`"


# ---- rows ------------------------------------------------------------------------------------------------------------
def _rows_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("--where", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="a filter as the address of the Rows page has it: source, capability, unit, format, "
                        "status, mark, words, loss=1..3, influence=..0, group, target, sort, down=0")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="rows that are printed; default: 20")
    parser.add_argument("--out", metavar="FILE", help="write all of them as they came, one JSON line each")
    as_json(parser, "with the index of every row that passes")


def rows(chosen: argparse.Namespace) -> int:
    """Print the rows that a filter leaves, in its order."""
    from pathlib import Path

    from cadc.study import Study, replacing
    from cadc.views.row_filter import KEYS, from_query

    pairs = [item.partition("=") for item in chosen.where]
    wanted, odd = from_query({key: value for key, _, value in pairs})
    study = Study.open(chosen.name)
    view = _opened(study)
    unknown = [key for key, sign, _ in pairs if not sign or key not in KEYS]
    problems = [*(f"there is no filter {key!r}." for key in unknown), *odd, *view.odd(wanted)]
    if problems:
        raise DataError(" ".join(problems))
    order = view.order(wanted)
    if chosen.out:
        with replacing(Path(chosen.out)) as handle:
            handle.write(view.records(order).encode())
    if chosen.json:
        print_json({"study": study.name, "identity": study.identity, "rows": len(order), "of": len(view.index),
                    "index": view.index[order].tolist(), "out": chosen.out})
        return 0
    print(view.note(order))
    for row in view.page(order[:max(chosen.most, 0)]).to_dict("records") if len(order) else ():
        said = f" [{row['marks']}]" if row["marks"] else ""
        print(shown(f"  {row['index']:>7} {row['capability'] or '–'} {row['strength']:.2f} {row['status']}{said}  "
                    f"{row['question']} → {row['answer']}"))
    return 0


def _opened(study: "Study") -> "PoolRows":
    """All rows under all decisions, without the app's database."""
    import numpy as np

    from cadc.curation.marks import marks_of
    from cadc.curation.workbench import open_workbench
    from cadc.discovery.pool_layout import layout_job
    from cadc.study.decisions import read_decisions
    from cadc.views.pool_map import pool_map
    from cadc.views.pool_rows import PoolRows
    from cadc.views.rows import source_labels

    bench = open_workbench(study)
    found = pool_map(study, bench.scores.index) if study.finished(layout_job(study.config)) else None
    table = bench.table

    def matching(words: str) -> np.ndarray:
        text = table["question"] + "\n" + table["answer"] + "\n" + table["id"]
        index: np.ndarray = table["index"].to_numpy()[text.str.lower().str.contains(words.lower(), regex=False)]
        return index

    marks = marks_of(d for d in read_decisions(study) if not d.undone)
    return PoolRows(bench=bench, curriculum=bench.curriculum, sources=source_labels(table["source"]), marks=marks,
                    matching=matching, inside=found.within if found else None)


ROWS = Command(name="rows", about="Look for pool rows: by source, capability, status in the curriculum, marks, "
               "words, loss.", example="rows mine --where status=wrong sort=judge --most 50", arguments=_rows_arguments,
               run=rows)


# ---- tag, check, note ------------------------------------------------------------------------------------------------
def _said(study_name: str, kind: str, payload: dict[str, Any], *, as_line: bool) -> int:
    """Write one decision about rows down and say it. Raises DataError for a row that the pool has not."""
    import numpy as np

    from cadc.arrays import numbers_of
    from cadc.study import Study
    from cadc.study.deciding import decide
    from cadc.study.decisions import describe
    from cadc.views.opened import open_scores

    study = Study.open(study_name)
    named = numbers_of(payload["rows"]) if "rows" in payload else np.array([payload["row"]])
    missing = np.setdiff1d(named, np.asarray(open_scores(study).index))
    if len(missing):
        raise DataError(f"pool row {missing[0]} has no scores: the file has no such row, or it was left out.")
    log = decide(study, lambda _: [(kind, payload)])
    newest = next(d for d in reversed(log) if d.kind == kind)
    if as_line:
        print_json({"study": study.name, "identity": study.identity, "kind": kind, "payload": payload,
                    "rows": len(named)})
    else:
        print(shown(describe(newest)))
    return 0


def _tag_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("tag", help="one line of at most 40 characters")
    parser.add_argument("rows", help=ROWS_HELP)
    parser.add_argument("--off", action="store_true", help="take it off these rows")
    as_json(parser)


def tag(chosen: argparse.Namespace) -> int:
    """Put a tag on pool rows, or take it off."""
    from cadc.arrays import numbers_of
    from cadc.curation.marks import tag_payload

    return _said(chosen.name, "tag", tag_payload(chosen.tag, numbers_of(chosen.rows), on=not chosen.off),
                 as_line=chosen.json)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("rows", help=ROWS_HELP)
    parser.add_argument("--off", action="store_true", help="they are not checked any longer")
    as_json(parser)


def check(chosen: argparse.Namespace) -> int:
    """Mark pool rows as checked."""
    from cadc.arrays import numbers_of
    from cadc.curation.marks import check_payload

    return _said(chosen.name, "check", check_payload(numbers_of(chosen.rows), on=not chosen.off), as_line=chosen.json)


def _note_arguments(parser: argparse.ArgumentParser) -> None:
    of_study(parser)
    parser.add_argument("row", type=int, help="pool row, by its place in the pool file")
    parser.add_argument("text", help="'' takes the note away")
    as_json(parser)


def note(chosen: argparse.Namespace) -> int:
    """Note something on a pool row."""
    from cadc.curation.marks import note_payload

    return _said(chosen.name, "note", note_payload(chosen.row, chosen.text), as_line=chosen.json)


TAG = Command(name="tag", about="Tag pool rows; tags change no curriculum.", example='tag mine "two answers" 3,5-9',
              arguments=_tag_arguments, run=tag)
CHECKED = Command(name="checked", about="Say that somebody looked at pool rows.", example="checked mine 3,5-9",
                  arguments=_check_arguments, run=check)
NOTE = Command(name="note", about="Note something on a pool row.", example='note mine 3 "of another picture"',
               arguments=_note_arguments, run=note)
