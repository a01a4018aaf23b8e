"""Checking what was written: every file of a study, or an export wherever it lies."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cadc.commands.command import Command, as_json, print_json
from cadc.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from cadc.data import Sample
    from cadc.export.verify import Measure
    from cadc.study import Study


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of a study (`list` shows them), or the folder of an export, whose study "
                        "need not be here")
    parser.add_argument("--model", default="", metavar="PATH_OR_ID",
                        help="measure every row of an export by this model's processor")
    as_json(parser)


def verify(chosen: argparse.Namespace) -> int:
    """Check a study or an export; 1 where something is wrong."""
    from cadc.export.verify import is_export
    from cadc.study import Study

    named = chosen.name in Study.names()
    folder = Path(chosen.name).expanduser()
    if not named and (is_export(folder) or folder.is_dir()):
        return _export(folder, chosen.model, as_json=chosen.json)
    if not named and folder.is_file():
        raise DataError(f"{folder} is a file, and an export is a folder. " + (
            "Unpack it (`unzip`), and name the folder in it." if folder.suffix == ".zip" else
            f"Name the folder that it lies in: {folder.absolute().parent}"))
    if chosen.model:
        raise DataError(f"--model is for the folder of an export, and {chosen.name!r} is none.")
    return _study(Study.open(chosen.name), as_json=chosen.json)


def _study(study: "Study", *, as_json: bool) -> int:
    """Print every damaged file of a study."""
    from cadc.jobs.integrity import damaged

    found = damaged(study)
    if as_json:
        print_json({"study": study.name, "identity": study.identity,
                    "damaged": [{"job": d.job, "file": str(d.file), "what": d.what} for d in found]})
        return int(bool(found))
    for damage in found:
        print(f"  {damage.job:<10} {damage.file}: {damage.what}")
    if not found:
        print(f"study {study.name}: every file is as it was written")
        return 0
    print(f"study {study.name}: {len(found)} damaged. `python -m cadc run {study.name}` makes them again and keeps "
          "everything else.")
    return 1


def _export(folder: Path, model: str, *, as_json: bool) -> int:
    """Print every kind of fault of an export once, with its count."""
    from cadc.export.verify import verify as check

    found = check(folder, measure=_measure(model) if model else None)
    if as_json:
        print(json.dumps({"folder": str(folder), "rows": found.rows, "restored": found.restored, "files": found.files,
                          "pictures": found.pictures, "faults": {kind: len(w) for kind, w in found.faults.items()},
                          "remarks": found.remarks}, ensure_ascii=False))
        return int(bool(found.faults))
    print(f"{folder}: {found.rows} rows, {found.restored} of them restored as written; {found.files} files, "
          f"{found.pictures} pictures opened")
    print("".join(f"  {line}\n" for line in [*found.lines(), *(f"note: {remark}" for remark in found.remarks)]), end="")
    print("something is wrong: export again, or take the export from where it came" if found.faults else "all is well")
    return int(bool(found.faults))


def _measure(model: str) -> "Measure":
    """Rows measured by a model's own processor. Raises ModelError where it cannot be loaded."""
    from cadc.models import load_vlm

    encode = load_vlm(model, max_tokens=1 << 30).encode

    def measured(sample: "Sample", images: "Sequence[Image]") -> int:
        return encode(sample, images).length

    return measured


VERIFY = Command(name="verify", about="Check every file of a study, or an export: files, pictures, lengths, rows.",
                 example="verify curriculum/", arguments=_arguments, run=verify)
