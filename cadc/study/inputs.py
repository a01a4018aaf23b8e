"""Where the files of a pool or target lie: one file, a folder, a glob, or a dataset that was downloaded before.

Only names and first bytes are looked at; what is in the files is read by `cadc.data`.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cadc.errors import DataError
from cadc.study.content import digest_of_file

DATA = (".json", ".jsonl", ".ndjson", ".jsonlines", ".parquet", ".arrow")
"""Endings of files that are taken for data, also with one of `PACKED` behind them."""
PACKED = (".gz", ".zst", ".zstd")
OTHER = (".md", ".rst", ".txt", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".py", ".pyc", ".sh", ".ipynb", ".html",
         ".pdf", ".csv", ".tsv", ".xlsx", ".bib", ".log", ".lock", ".done", ".crc", ".sha256", ".md5", ".tmp", ".bak",
         ".part", ".zip", ".tar", ".tgz", ".safetensors", ".bin", ".pt", ".pth", ".npy", ".npz", ".mp4", ".wav")
"""Endings of files that are passed over, whatever is in them."""
NAMES = ("readme", "license", "licence", "notice", "changelog", "citation.cff", "makefile", "dockerfile", "_success",
         "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "croissant.json")
"""Files that are passed over by their whole name, in any letter case."""
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif")
HINT = "a JSON, JSONL or parquet file, a folder or a glob of them"
"""What may be given, for messages."""
SHOWN = 12
"""Names that a message lists."""

_MAGIC = re.compile(rb"PAR1|ARROW1|\xff{4}|\x1f\x8b|\x28\xb5\x2f\xfd|\xff\xfe|\xfe\xff|(?:\xef\xbb\xbf)?\s*[\[{]")
_SPLIT = re.compile(r"(?:^|[-_./])(train|training|test|testing|val|valid|validation|dev|eval)(?=[-_./]|$)")
_ALIKE = {"training": "train", "testing": "test", "val": "validation", "valid": "validation", "dev": "validation",
          "eval": "test"}
_HUB = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(?:/[^/]+)*")


@dataclass(frozen=True)
class InputFiles:
    """The files of one input, in the order in which their rows are counted."""

    given: str
    """What was asked for."""
    root: Path
    """Folder that picture paths are relative to, unless an image root is set."""
    files: tuple[Path, ...]
    several: bool = False
    """Whether a folder or a glob was given, whatever the number of files found."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """Files that lie there and are no data → how many: `README.md`, `*.jpg`, `images/`."""

    def digest(self, memo: Path | None = None) -> str:
        """SHA-256 of the one file, or over the digests of several in their order; their names do not count."""
        digests = [digest_of_file(path, memo) for path in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def input_files(given: str | Path) -> InputFiles:
    """Find the files of an input. Nothing is fetched. Raises DataError when nothing that could be read lies there."""
    given = str(given)
    path = Path(given).expanduser()
    try:
        info = os.stat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return _not_a_path(given, path)
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{given!r} cannot be read ({what}). Give the path of {HINT}.") from None
    if stat.S_ISDIR(info.st_mode):
        return _of_folder(given, path, path)
    if not stat.S_ISREG(info.st_mode):
        raise DataError(f"{given} is not a regular file. Give the path of {HINT}.")
    return InputFiles(given, path.parent, (path,))


def input_there(given: str) -> bool:
    """Whether the files of an input are there."""
    try:
        return bool(input_files(given).files)
    except DataError:
        return False


def input_root(given: str) -> Path:
    """Folder that the picture paths of an input are relative to, also when it is gone: a folder itself, the first
    folder of a glob, the copy of a downloaded dataset, else the folder of the file."""
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    hub = is_hub_name(given)
    if hub and (snapshot := _snapshot("/".join(given.split("/")[:2]))):
        return input_root(str(snapshot / "/".join(given.split("/")[2:])))
    fixed, pattern = _fixed(path)
    if not path.exists() and _is_pattern(pattern):
        return fixed
    return path if hub else path.parent


def is_hub_name(given: str) -> bool:
    """Whether this may be the name of a dataset on the Hugging Face hub (`owner/name`, or a folder, file or glob in it)
    and is no path here, nor the name of a data file."""
    if not _HUB.fullmatch(given) or ".." in given.split("/") or os.path.exists(given):
        return False
    first = given.split("/")
    return not os.path.exists(first[0]) and not (len(first) == 2 and _suffix(first[1]) in DATA)


# ---- what was given is no path -------------------------------------------------------------------------------------
def _not_a_path(given: str, path: Path) -> InputFiles:
    """A glob, a downloaded dataset, or nothing."""
    fixed, pattern = _fixed(path)
    if is_hub_name(given):
        return _of_hub(given)
    if not _is_pattern(pattern):
        raise DataError(f"{given} not found. Give the path of {HINT}.")
    try:
        found = [one for one in fixed.glob(pattern) if one.is_file()]
    except (ValueError, OSError, NotImplementedError) as error:
        raise DataError(f"{given} is no glob that can be looked for ({error}). Give the path of {HINT}.") from None
    if not found:
        raise DataError(f"no file matches {given}. In {fixed} there lies: {_lying(fixed)}. Give the path of {HINT}.")
    data, passed = _sorted_out(found, fixed)
    if not data:
        raise DataError(f"no file that matches {given} is data: {_listed(passed)}. Give the path of {HINT}.")
    return InputFiles(given, fixed, tuple(data), True, passed)


def _fixed(path: Path) -> tuple[Path, str]:
    """(the longest folder of a path that is there, the rest)."""
    here = Path(path.anchor)
    parts = path.parts[1:] if path.anchor else path.parts
    for number, part in enumerate(parts):
        try:
            if not (here / part).is_dir():
                return here, "/".join(parts[number:])
        except (OSError, ValueError):
            return here, "/".join(parts[number:])
        here = here / part
    return here, ""


def _is_pattern(text: str) -> bool:
    return any(c in text for c in "*?[")


def _of_hub(given: str) -> InputFiles:
    """A dataset of the hub in the copy that an earlier download left."""
    parts = given.split("/")
    name, rest = "/".join(parts[:2]), "/".join(parts[2:])
    snapshot = _snapshot(name)
    if snapshot is None:
        raise DataError(f"{given}: there is no such path, and no downloaded copy of a dataset {name}. Nothing is "
                        f"fetched here: `hf download {name} --repo-type dataset` does it, or give the path of {HINT}.")
    found = input_files(snapshot / rest if rest else snapshot)
    return InputFiles(given, found.root, found.files, True, found.passed_over)


def _snapshot(name: str) -> Path | None:
    """The downloaded revision `main` of a dataset; the only other one where there is no `main`."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        revision = ""
    if re.fullmatch(r"[0-9a-zA-Z]+", revision) and (folder / "snapshots" / revision).is_dir():
        return folder / "snapshots" / revision
    others = [one for one in (folder / "snapshots").glob("*") if one.is_dir()]
    return others[0] if len(others) == 1 else None


# ---- folders -------------------------------------------------------------------------------------------------------
def _of_folder(given: str, folder: Path, root: Path) -> InputFiles:
    """The data files right in a folder; those of its only subfolder with data where there are none."""
    if (folder / "dataset_dict.json").is_file():
        return _of_splits(given, folder)
    try:
        entries = sorted(folder.iterdir())
        below = [one for one in entries if one.is_dir()]
    except OSError as error:
        raise DataError(f"{given}: the folder cannot be read ({error.strerror}). Give the path of {HINT}.") from None
    data, passed = _sorted_out([one for one in entries if not one.is_dir()], folder)
    passed |= {f"{one.name}/": 1 for one in below}
    if not data:
        holding = [one for one in below if not one.name.startswith(".") and _holds_data(one)]
        if len(holding) == 1:
            found = _of_folder(given, holding[0], root)
            passed.pop(f"{holding[0].name}/")
            inner = {f"{holding[0].name}/{name}": count for name, count in found.passed_over.items()}
            return InputFiles(given, root, found.files, True, passed | inner)
        if holding:
            raise DataError(f"{given} holds data in several folders: {_few(one.name for one in holding)}. Give one of "
                            f"them ({given.rstrip('/')}/{holding[0].name}), or a glob ({given.rstrip('/')}/*/*).")
        raise DataError(f"no file in {given} is data. There lies: {_listed(passed)}. Give the path of {HINT}.")
    _one_split(given, data)
    _one_writing(given, data)
    return InputFiles(given, root, tuple(_in_state(folder, data, passed)), True, passed)


def _of_splits(given: str, folder: Path) -> InputFiles:
    """A folder of `DatasetDict.save_to_disk`: its only split."""
    known = _json_of(folder / "dataset_dict.json").get("splits")
    splits = [one for one in known if isinstance(one, str) and (folder / Path(one).name).is_dir()] \
        if isinstance(known, list) else []
    if len(splits) != 1:
        raise DataError(f"{given} is a dataset of the splits {_few(splits) or 'none'}. Give the folder of one of them"
                        + (f": {given.rstrip('/')}/{splits[0]}." if splits else "."))
    return _of_folder(given, folder / Path(splits[0]).name, folder)


def _one_split(given: str, data: list[Path]) -> None:
    """Refuse to read a test split as if it were more of the training split."""
    splits: dict[str, list[str]] = {}
    for path in data:
        found = _SPLIT.search(Path(_bare(path.name)).name.lower())
        split = _ALIKE.get(found[1], found[1]) if found else ""
        splits.setdefault(split, []).append(path.name)
    if len(splits) > 1 and set(splits) != {"", "train"}:
        raise DataError(f"{given} holds several splits: "
                        + ", ".join(f"{split or 'no split'} ({_few(names, 2)})" for split, names in splits.items())
                        + ". Give the files of one of them, by name or by a glob.")


def _one_writing(given: str, data: list[Path]) -> None:
    """Refuse to read the same rows twice: packed and unpacked, or converted and as they were."""
    names: dict[str, list[str]] = {}
    for path in data:
        names.setdefault(_bare(path.name), []).append(path.name)
    twice = next((found for found in names.values() if len(found) > 1), None)
    if twice:
        raise DataError(f"{given} holds {_few(twice)}, which may be the same rows twice. Give those that are meant, by "
                        f"name or by a glob ({given.rstrip('/')}/*{_suffix(twice[0])}).")


def _in_state(folder: Path, data: list[Path], passed: dict[str, int]) -> list[Path]:
    """The files of `Dataset.save_to_disk` in the order that it wrote down; other files are passed over."""
    state = _json_of(folder / "state.json").get("_data_files")
    named = [str(one.get("filename")) for one in state if isinstance(one, dict)] if isinstance(state, list) else []
    if not any(path.suffix == ".arrow" for path in data) or not named:
        return data
    there = {path.name: path for path in data}
    if missing := [name for name in named if name not in there]:
        raise DataError(f"{folder}: state.json names files that are not there: {_few(missing)}. Copy the folder anew.")
    passed |= {name: 1 for name in there if name not in named}
    return [there[name] for name in named]


def _json_of(path: Path) -> dict[str, object]:
    """The object in a small JSON file; {} where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# ---- which files are data ------------------------------------------------------------------------------------------
def natural(name: str) -> tuple[tuple[int | str, ...], str]:
    """Sort key in which part-2 comes before part-10; equal names but for zeros by their text."""
    pieces = re.split(r"(\d+)", name)
    return tuple(int(piece[:4000]) if at % 2 else piece for at, piece in enumerate(pieces)), name


def _sorted_out(paths: Iterable[Path], folder: Path) -> tuple[list[Path], dict[str, int]]:
    """(data files in natural order, what is passed over → how many)."""
    data: list[Path] = []
    passed: dict[str, int] = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if _is_data(path):
            data.append(path)
        else:
            key = f"*{path.suffix.lower()}" if path.suffix.lower() in PICTURES else name
            passed[key] = passed.get(key, 0) + 1
    return sorted(data, key=lambda path: natural(path.relative_to(folder).as_posix())), passed


def _is_data(path: Path) -> bool:
    """By the name; files whose name says nothing by their first bytes."""
    name = path.name.lower()
    suffix = _suffix(name)
    if name.startswith(".") or name in NAMES or suffix in OTHER + PICTURES:
        return False
    try:
        if not path.is_file():
            return False
        if suffix in DATA:
            return True
        with path.open("rb") as handle:
            return _MAGIC.match(handle.read(64)) is not None
    except OSError:
        return suffix in DATA


def _bare(name: str) -> str:
    """A file's name without the endings of data and packing."""
    stem = name
    while Path(stem).suffix.lower() in DATA + PACKED:
        stem = Path(stem).stem
    return stem


def _suffix(name: str) -> str:
    """The ending that tells what a file is; that of packing does not count."""
    path = Path(name)
    return Path(path.stem if path.suffix.lower() in PACKED and Path(path.stem).suffix else name).suffix.lower()


def _holds_data(folder: Path) -> bool:
    try:
        return (folder / "dataset_dict.json").is_file() or any(_is_data(one) for one in folder.iterdir())
    except OSError:
        return False


def _lying(folder: Path) -> str:
    try:
        return _few(sorted(one.name + "/" * one.is_dir() for one in folder.iterdir())) or "nothing"
    except OSError:
        return "nothing that can be read"


def _listed(passed: dict[str, int]) -> str:
    return _few(f"{name} ({count})" if count > 1 else name for name, count in passed.items()) or "nothing"


def _few(names: Iterable[str], most: int = SHOWN) -> str:
    """The first names, and how many there are beside them."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
