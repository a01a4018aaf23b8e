"""A study's list of exports: whatever wrote them."""

import pandas as pd
import pytest

from benchmarks.synthesise import synthesise
from cadc.cli import main
from cadc.curation.workbench import open_workbench
from cadc.export import export
from cadc.export.record import note, noted
from cadc.views.export import exports_of, told_of, write

NONE = pd.DataFrame(columns=["made_at", "folder", "format", "rows"])


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("CADC_CACHE", str(tmp_path / "cache"))
    return open_workbench(synthesise(tmp_path / "cache", rows=60, units=4, checkpoints=2, samples_per_unit=3,
                                     name="trial"))


def test_page_and_command_line_see_each_others_exports(bench, tmp_path):
    assert exports_of(bench.study, NONE).empty
    write(bench, "trl", tmp_path / "page")
    assert main(["export", "trial", "--budget", "9", "--for", "ids", "--out", str(tmp_path / "command")]) == 0
    export(bench, tmp_path / "code", format="ids")
    table = exports_of(bench.study, NONE)
    assert list(table["by"]) == ["other code", "command line", "page"], "newest first"
    assert list(table["for"]) == ["ids", "ids", "trl"] and table["rows"].iloc[1] == 9 == int(table["budget"].iloc[1])
    assert table["there"].all()
    (tmp_path / "code" / "manifest.json").unlink()
    assert list(exports_of(bench.study, NONE)["there"]) == [False, True, True]


def test_exports_of_earlier_versions_are_those_of_the_database_before_the_list_began(bench, tmp_path):
    old = pd.DataFrame([(pd.Timestamp("2020-01-01 10:00:00.5"), "/old", "llava", 7)], columns=NONE.columns)
    assert list(exports_of(bench.study, old)["folder"]) == ["/old"]
    write(bench, "trl", tmp_path / "page")
    again = pd.DataFrame([(pd.Timestamp.now(), str(tmp_path / "page"), "trl", 3)], columns=NONE.columns)
    table = exports_of(bench.study, pd.concat([old, again], ignore_index=True))
    assert list(table["folder"]) == [str((tmp_path / "page").resolve()), "/old"], "the page's own is listed once"


def test_a_folder_says_what_was_written_into_it(bench, tmp_path):
    told = write(bench, "trl", tmp_path / "page")
    assert told_of(tmp_path / "page") == told
    assert told_of(tmp_path / "nothing") is None
    (tmp_path / "page" / "manifest.json").write_text("{broken")
    assert told_of(tmp_path / "page") is None


def test_a_damaged_list_stops_no_export(bench, tmp_path, caplog):
    bench.study.exports_file.write_text("{broken")
    assert noted(bench.study) == [] and "cannot be read" in caplog.text
    note(bench.study, tmp_path, format="trl", rows=1, by="", budget=0.05, preset="studio")
    assert [one["rows"] for one in noted(bench.study)] == [1]
