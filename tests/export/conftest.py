"""Pictures and a small pool of the tests of exports."""

import json
from pathlib import Path

import pytest
from exports import llava
from PIL import Image

from cadc.data import ingest


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Three pictures, one in a folder."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "vg").mkdir()
    for number, name in enumerate(("a.png", "b.png", "vg/ü c.png")):
        Image.new("RGB", (8, 8), (number * 90, 20, 200)).save(folder / name)
    return folder


@pytest.fixture
def found(root, tmp_path):
    rows = [llava("<image>\nWhat?", "red", "a.png", id="r0"), llava("Hi", "Ho\u2028ho", id="r1"), 5,
            llava("<image> or <image>?", "first", ["a.png", "vg/ü c.png"], id="r3", extra={"n": 1.0}),
            llava("untagged", "x", "b.png", id="r4")]
    (tmp_path / "in.json").write_text(json.dumps(rows, indent=1))
    return ingest(tmp_path / "in.json", root)
