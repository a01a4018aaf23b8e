"""Export as the page shows it: every trainer, the same command, the whole folder to take away."""

import io
import zipfile
from pathlib import Path

import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.errors import DataError
from cadc.export import FORMATS
from cadc.views import export as views


def test_every_trainer_says_what_it_is():
    lines = views.trainer_lines()
    assert list(lines) == list(FORMATS) and all(line.startswith(f"{name}: ") for name, line in lines.items())


def test_pictures_are_offered_as_a_trainer_can_read_them():
    assert list(views.picture_lines("axolotl")) == ["copy", "link", "absolute"]
    assert list(views.picture_lines("hub"))[0] == "parquet" and views.picture_lines("ids") == {}


def test_each_trainer_gets_a_folder_of_its_own():
    assert views.folder_of("~/out", "llava") == Path.home() / "out" / "llava"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_workbench(synthesise(tmp_path_factory.mktemp("cache"), rows=60, units=4, checkpoints=2,
                                     samples_per_unit=3, name="trial"))


def test_what_was_written_is_listed_with_what_runs_it_and_what_is_gone_is_said(bench, tmp_path):
    folder = tmp_path / "a folder" / "llava"
    said = views.command(bench, "llava", folder, "copy")
    assert said.endswith(f"--budget 5% --for llava --pictures copy --out '{folder}'")
    manifest = views.write(bench, "llava", folder, "copy")
    assert "rows" not in manifest and "picture_files" not in manifest and "list" not in manifest["not_written"]
    view = views.export_view(bench.study, "llava", folder, manifest)
    assert view.rows == len(bench.curriculum.rows) and view.sendable and view.run.endswith(f"sh '{folder}/run.sh'")
    assert {"curriculum.jsonl", "run.sh", "README.md"} <= set(view.files["file"])
    assert view.size == sum(path.stat().st_size for path in folder.rglob("*") if path.name != "manifest.json"
                            and path.is_file())
    (folder / "manifest.json").unlink()
    assert not views.export_view(bench.study, "llava", folder, manifest).sendable
    old = {"rows_written": 5, "files": [{"file": "curriculum.jsonl", "rows": 5, "bytes": 9, "sha256": ""}]}
    assert views.export_view(bench.study, "llava", folder, old).size == 9, "of an earlier version"


def test_the_zip_is_the_whole_folder_and_the_same_each_time(bench, tmp_path):
    taken = []
    for place in ("one", "two"):
        folder = tmp_path / place / "trl"
        views.write(bench, "trl", folder)
        (folder / "mine.txt").write_text("not of the export")
        with views.packed(folder) as packed:
            taken.append(packed.read())
    assert taken[0] == taken[1]
    with zipfile.ZipFile(io.BytesIO(taken[0])) as archive:
        names = archive.namelist()
        inside = {path.relative_to(folder.parent).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert names == sorted(names) and set(names) == inside - {"trl/mine.txt"}
        for name in names:
            assert archive.read(name) == (folder.parent / name).read_bytes()
        assert archive.getinfo("trl/run.sh").external_attr >> 16 == 0o100755
    (folder / "curriculum.jsonl").unlink()
    with pytest.raises(DataError, match="not there any more"):
        views.packed(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match="no finished export"):
        views.packed(folder)
