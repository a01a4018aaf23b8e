"""What is written down of a study: its settings in two copies, with paths that a copied cache finds, and its names."""

import json
import os
from pathlib import Path

from cadc.errors import JobError
from cadc.study.results import read_sealed, write_sealed

HERE = "cache:"
"""Paths below the cache root are written with this in front, so that a copied cache finds its own files."""


def _places(folder: Path) -> tuple[Path, Path]:
    return folder / "study.json", folder / "study.copy.json"


def write_settings(folder: Path, root: Path, about: dict) -> None:
    """Write settings and inputs, in two copies."""
    config = {key: _portable(value, root) for key, value in about["config"].items()}
    for place in _places(folder):
        write_sealed(place, about | {"config": config})


def read_settings(folder: Path, root: Path) -> dict | None:
    """Settings and inputs of a study, from whichever copy is whole; the other one is mended."""
    places = _places(folder)
    for place in places:
        found = read_sealed(place)
        if found is not None:
            for other in places:
                if other != place and read_sealed(other) != found:
                    write_sealed(other, found)
            return found | {"config": {key: _placed(value, root) for key, value in found["config"].items()}}
    try:  # an earlier version wrote one copy without a checksum
        found = json.loads(places[0].read_bytes())
        return found if "identity" in found and "seal" not in found else None
    except (OSError, ValueError):
        return None


def _portable(value: object, root: Path) -> object:
    inside = isinstance(value, str) and value.startswith(f"{root}{os.sep}")
    return HERE + str(value)[len(str(root)) + 1:] if inside else value


def _placed(value: object, root: Path) -> object:
    return str(root / value[len(HERE):]) if isinstance(value, str) and value.startswith(HERE) else value


def identity_at(pointer: Path) -> str:
    """The identity that a name points to; '' when there is no such name, or its file is damaged and no study says that
    the name is its own."""
    try:
        return str(json.loads(pointer.read_bytes())["identity"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(f"names/{pointer.name} cannot be read ({error}). Delete it and register the study again with "
                       "`python -m cadc new`: what was computed is found again.") from error


def created_at(pointer: Path) -> str:
    """When a name was first given; '' where its file does not say."""
    try:
        return str(json.loads(pointer.read_bytes()).get("created", ""))
    except (OSError, ValueError, AttributeError):
        return ""
