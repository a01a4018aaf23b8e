"""What an installed package needs, read from the pinned files that `make` installs: one list, loosened for a wheel.

A wheel may be installed beside a trainer that brings its own versions, so it asks for the pinned minor version or a
later one of the same major version; `constraints.txt` beside the code keeps the exact set that is tested
(docs/decisions/0020).
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

EXTRAS = {"ray": "requirements-ray.txt", "quantization": "requirements-quantization.txt"}


class Requirements(MetadataHookInterface):
    """Fills `dependencies` and `optional-dependencies` of pyproject.toml."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Called by hatchling with the `project` table."""
        root = Path(self.root)
        metadata["dependencies"] = loosened(root / "requirements.txt")
        metadata["optional-dependencies"] = {name: loosened(root / file) for name, file in EXTRAS.items()}


def loosened(path: Path) -> list[str]:
    """`name>=X.Y,<X+1` for each line `name==X.Y.Z`. Raises ValueError for a requirement in any other form."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith(("#", "-c ")):
            continue
        pin = re.fullmatch(r"([\w.-]+)==(\d+)\.(\d+)[\w.]*", line.strip())
        if pin is None:
            raise ValueError(f"{path.name}: {line!r} is no pin. Write name==X.Y.Z.")
        name, major, minor = pin.groups()
        found.append(f"{name}>={major}.{minor},<{int(major) + 1}")
    return found
