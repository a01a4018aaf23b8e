"""Columns are written once, by the job that the table names, and count by their content."""

import numpy as np
import pytest

from cadc.errors import DataError, JobError
from cadc.scores import columns
from cadc.scores.scores import ARRAYS, JUDGED, Scores
from cadc.signals.near import run_near
from cadc.study import JOBS
from cadc.study.progress import Silent


def test_every_column_has_a_job_and_needs_columns_of_jobs_that_run_before(finished, quick_study):
    for column in columns.COLUMNS.values():
        study = finished if JOBS[column.job].wanted(finished.config) else quick_study  # whose rows judges read
        assert (study.result(column.job).folder / columns.file_of(column.name)).is_file(), column.name
        for needed in column.needs:
            before = list(JOBS).index(columns.COLUMNS[needed].job)
            assert before < list(JOBS).index(column.job), (column.name, needed)


@pytest.mark.parametrize(("made", "judged"), [("finished", False), ("quick_study", True)])
def test_every_array_of_scores_is_a_column_of_the_shape_that_the_table_says(made, judged, request):
    scores, sizes = Scores.load(request.getfixturevalue(made)), {}
    assert scores.has_judge == judged
    for name in (name for name in ARRAYS if judged or name not in JUDGED):
        column = next(columns.COLUMNS[n] for n in (name, f"{name}.{scores.choice}") if n in columns.COLUMNS)
        kind, _, letters = column.shape.partition(" ")
        array = getattr(scores, name)
        assert array.dtype == kind, name
        for letter, size in zip(letters.strip("[]").split(", "), array.shape, strict=True):
            assert sizes.setdefault(letter, size) == size, (name, letter)
    # The judges' own columns hold as many rows as they read, in the scores as many as there are.
    assert sizes.pop("n", sizes["N"]) == sizes["N"] and set(sizes) == {"N", "T", "M", "S", "L"}


def test_a_column_of_a_finished_result_is_never_written_again(finished, own_copy):
    study = own_copy(finished)
    with pytest.raises(JobError, match="'loss' of study 'small' belongs to a finished result.*--again scores"):
        columns.write(study, "loss", np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("left", [np.arange(6) + 1.0, np.arange(6, dtype=np.float32), np.arange(5.0), b"", b"\x93NUM"])
def test_what_another_run_left_is_replaced_unless_it_holds_the_same(tmp_path, left):
    path, values = tmp_path / "a.npy", np.array([0, 1, np.nan, 3, 4, 5])
    columns.keep(path, values)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    columns.keep(path, values.copy())
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    path.write_bytes(left) if isinstance(left, bytes) else np.save(path, left)
    columns.keep(path, values)
    found = np.load(path)
    assert found.dtype == values.dtype and np.array_equal(found, values, equal_nan=True)


def test_the_digest_is_that_of_the_content(finished, own_copy):
    study = own_copy(finished)
    whole = columns.digest(study)
    assert whole == columns.digest(finished)
    study.result("near").remove()
    assert columns.digest(study) != whole
    run_near(study, Silent())
    assert columns.digest(study) == whole
    changed = np.array(columns.read(study, "near.joined"))
    changed[0, 0] += 1
    study.result("near").remove()
    same = [name for name, column in columns.COLUMNS.items() if column.job == "near" and name != "near.joined"]
    for name, values in (("near.joined", changed), *((name, columns.read(finished, name)) for name in same)):
        columns.write(study, name, values)
    study.result("near").finish()
    assert columns.digest(study) != whole


def test_a_choice_that_is_not_known_or_not_made_yet_is_said(finished, own_copy):
    with pytest.raises(DataError, match="nearness 'words' is unknown. Known: joined, whitened, gradients, quick"):
        Scores.load(finished, near="words")
    study = own_copy(finished)
    study.result("near").remove()
    with pytest.raises(JobError, match="no result of the job 'near' yet"):
        Scores.load(study, near="joined")
    assert Scores.load(study).choice == "gradients", "the best that is there"
    assert Scores.load(study, near="quick").choice == "quick"
