"""What somebody who exports must know without opening a file: the same lines for the command and the page."""

from collections.abc import Mapping
from typing import Any


def notes(manifest: Mapping[str, Any]) -> list[str]:
    """What was left out, changed, left aside and written anew. Manifests of earlier versions say less."""
    said = [f"left out, {rows} rows: {why}" for why, rows in manifest.get("not_written", {}).get("reasons", {}).items()]
    if changed := manifest.get("changed_for_the_trainer"):
        said.append(f"changed for the trainer, {changed} rows: the system turn stands at the head of the question")
    left: dict[str, list[str]] = {}
    for name, why in manifest.get("columns", {}).get("left", {}).items():
        left.setdefault(why, []).append(name)
    said += [f"column{'s' * (len(names) > 1)} {', '.join(names)} left: {why}" for why, names in left.items()]
    if odd := manifest.get("pictures", {}).get("turned_or_flattened"):
        said.append(f"written anew as the study saw them, {odd} pictures: turned by EXIF data, transparent, of 16 "
                    "bits, for print or moving")
    return said
