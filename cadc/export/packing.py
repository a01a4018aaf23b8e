"""An export as one zip: the files that its manifest lists, nothing else, the same bytes for the same folder."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import IO

from cadc.errors import DataError
from cadc.export.reading import MANIFEST

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can name: no time of this run goes in."""
_PLAIN = (".json", ".jsonl", ".csv", ".md", ".yaml", ".py", ".sh")
"""What is worth compressing; pictures, parquet and tar shards are compressed or not to be."""


def listed(folder: Path) -> list[str]:
    """Files of the export in a folder, by name, manifest.json among them. Raises DataError where there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        entries = [entry for key in ("files", "beside", "picture_files") for entry in manifest.get(key) or []]
        return sorted({MANIFEST, *(str(entry["file"]) for entry in entries)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder} holds no finished export that could be packed ({error}). Export again.") from error


def pack(folder: Path, out: IO[bytes]) -> int:
    """Write the zip, file by file; how many it holds. All lie in a folder of the export's own name.

    Raises DataError for a file that is gone, or is listed outside the folder.
    """
    names = listed(folder)
    with zipfile.ZipFile(out, "w", allowZip64=True) as archive:
        for name in names:
            path = folder / name
            if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
                raise DataError(f"{path} is not there any more. Export again.")
            about = zipfile.ZipInfo(f"{folder.name}/{name}", _WHEN)
            about.compress_type = zipfile.ZIP_DEFLATED if path.suffix in _PLAIN else zipfile.ZIP_STORED
            about.create_system = 3  # the modes below are those of Unix
            about.external_attr = (0o100755 if path.suffix == ".sh" else 0o100644) << 16
            about.file_size = path.stat().st_size
            with path.open("rb") as read, archive.open(about, "w") as write:
                shutil.copyfileobj(read, write, 1 << 20)
    return len(names)
