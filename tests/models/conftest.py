from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    """Folder of a family's tiny model, made once."""
    from tiny_families import FAMILIES

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = FAMILIES[name](tmp_path_factory.mktemp(name))
        return made[name]

    return folder
