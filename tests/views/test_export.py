"""Export as the page shows it: every format, the same command, files that can be taken away."""

from pathlib import Path

import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.export import FORMATS
from cadc.views import export as views


def test_every_format_says_what_it_is():
    lines = views.format_lines()
    assert list(lines) == list(FORMATS) and all(line != name for name, line in lines.items())


def test_each_format_gets_a_folder_of_its_own():
    assert views.folders("~/out", ["llava", "input"]) == {"llava": Path.home() / "out" / "llava",
                                                          "input": Path.home() / "out" / "input"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_workbench(synthesise(tmp_path_factory.mktemp("cache"), rows=60, units=4, checkpoints=2,
                                     samples_per_unit=3, name="trial"))


def test_what_was_written_is_offered_and_what_is_gone_is_not(bench, tmp_path):
    folder = tmp_path / "a folder" / "llava"
    assert views.command(bench, "llava", folder).endswith(f"--budget 5% --format llava --out '{folder}'")
    manifest = views.write(bench, "llava", folder)
    assert "rows" not in manifest
    view = views.export_view("llava", folder, manifest)
    assert view.rows == len(bench.curriculum.rows) and [p.name for p in view.offered] == list(views.OFFERED)
    assert set(view.files["file"]) >= {"curriculum.jsonl"} and view.kept == ()
    (folder / "curriculum.jsonl").unlink()
    again = views.export_view("llava", folder, manifest)
    assert again.kept == ("curriculum.jsonl",) and [p.name for p in again.offered] == ["manifest.json"]
