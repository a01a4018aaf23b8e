"""Rows of any shape: read, written in any shape, read again, they say and show the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rows import PICTURES, ROWS

from cadc.data import Sample, ingest
from cadc.export.shapes import WRITERS, line


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(PICTURES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (90 * number, 40, 200)).save(folder / name)
    return folder


def kept(sample: Sample) -> dict:
    return json.loads(sample.kept) if sample.kept else {}


def alike(sample: Sample) -> Sample:
    """Without what a file gives and not the row, and the columns beside it."""
    return replace(sample, index=0, kept="")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=4), shape=st.sampled_from(sorted(WRITERS)))
def test_turns_pictures_marks_and_columns_come_back(root, tmp_path, rows, shape):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    before = ingest(first, root)
    assert not before.set_aside
    second.write_text("".join(line(WRITERS[shape](s, s.images)) + "\n" for s in before.samples), encoding="utf-8")
    after = ingest(second, root)
    assert not after.set_aside
    assert [alike(s) for s in after.samples] == [alike(s) for s in before.samples]
    for was, now in zip(before.samples, after.samples, strict=True):
        assert kept(now) == kept(was)
