"""The comparison of what trainers saw with what the study learnt from; TRL for real (the others: `make trainers`)."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_vlm import idefics3

from benchmarks.trainers.compare import IGNORED, SeenRow, Verdict, Wanted, compare
from benchmarks.trainers.environments import BARE, TRAINERS
from benchmarks.trainers.exporting import Written, export_pool, ways
from benchmarks.trainers.rows import Pool, make_pool
from benchmarks.trainers.running import INSIDE, Run, run
from benchmarks.trainers.table import PACKAGES, TITLES, Tried, by_defaults, by_export
from benchmarks.trainers.wanted import wanted_rows

PICTURE, BREAK = 9, 8
"""Made ids of the picture token and of a line break."""


def _wanted(name: str, stage: int, question: list[int], answer: list[int], pictures: int = 0) -> Wanted:
    ids = [1, *[PICTURE] * 2 * pictures, *question, *answer, BREAK]
    learnt = [False] * (len(ids) - len(answer) - 1) + [True] * len(answer) + [False]
    tiles = [np.full((2, 3), float(question[0]) + place, np.float32) for place in range(pictures)]
    return Wanted(name=name, stage=stage, ids=ids, learnt=learnt, pictures=tiles)


WANTED = [_wanted("a", 1, [20], [30, 31]), _wanted("b", 1, [21], [32], 1), _wanted("c", 2, [22], [33, 34], 2)]


def _seen(one: Wanted) -> SeenRow:
    """A row as a faithful trainer would see it."""
    labels = [token if learnt else IGNORED for token, learnt in zip(one.ids, one.learnt, strict=True)]
    return {"step": 0, "ids": list(one.ids), "labels": labels, "pictures": len(one.pictures)}


def _compared(rows: list[SeenRow], shown: list[Wanted]) -> Verdict:
    """`shown`: whose pictures each row has."""
    pixels = {f"{n}.{place}": tile for n, one in enumerate(shown) for place, tile in enumerate(one.pictures)}
    return compare(WANTED, rows, pixels, picture=PICTURE, breaks=frozenset({BREAK}))


def test_a_faithful_trainer_is_the_same():
    found = _compared([_seen(one) for one in WANTED], WANTED)
    assert found.same and (found.seen, found.in_place, found.pictures) == (3, 3, 3)
    assert found.label_tokens == found.on_answers == found.answer_tokens == 5


def test_a_second_pass_goes_on_where_the_first_ended_and_is_not_counted_twice():
    order = [*WANTED, WANTED[0], WANTED[1]]
    found = _compared([_seen(one) for one in order], order)
    assert found.same and (found.seen, found.in_place, found.label_tokens) == (5, 5, 5)
    order = [*WANTED, WANTED[1], WANTED[0]]
    found = _compared([_seen(one) for one in order], order)
    assert not found.same and found.in_place == 3 and found.borders


def test_rows_in_another_order_are_not_and_lose_their_stages():
    order = [WANTED[2], WANTED[1], WANTED[0]]
    found = _compared([_seen(one) for one in order], order)
    assert not found.same and found.in_place == 1 and not found.borders
    assert not (found.texts or found.labels or found.pixels or found.lost)


def test_a_change_inside_a_stage_leaves_its_border():
    order = [WANTED[1], WANTED[0], WANTED[2]]
    found = _compared([_seen(one) for one in order], order)
    assert found.borders and not found.same and found.in_place == 1


def test_a_row_in_the_place_of_another_is_a_lost_row():
    order = [WANTED[0], WANTED[0], WANTED[2]]
    found = _compared([_seen(one) for one in order], order)
    assert found.lost == ["b"] and found.seen == 3 and found.pictures_lost == 1 and not found.same


def test_an_answer_that_was_cut_is_another_text_and_other_labels():
    rows = [_seen(one) for one in WANTED]
    rows[2]["ids"], rows[2]["labels"] = rows[2]["ids"][:-2], rows[2]["labels"][:-2]
    found = _compared(rows, WANTED)
    assert found.texts == found.labels == ["c"] and found.on_answers == 4 and found.in_place == 3


@pytest.mark.parametrize("place", [0, 1])
def test_a_label_on_a_question_is_found(place):
    rows = [_seen(one) for one in WANTED]
    rows[0]["labels"][place] = rows[0]["ids"][place]
    found = _compared(rows, WANTED)
    assert found.labels == ["a"] and not found.texts and (found.label_tokens, found.on_answers) == (6, 5)


def test_an_answer_without_labels_is_found():
    rows = [_seen(one) for one in WANTED]
    rows[1]["labels"] = [IGNORED] * len(rows[1]["labels"])
    assert _compared(rows, WANTED).labels == ["b"]


def test_a_label_on_the_line_break_behind_an_answer_is_counted_and_let_pass():
    rows = [_seen(one) for one in WANTED]
    rows[0]["labels"][-1] = BREAK
    found = _compared(rows, WANTED)
    assert found.same and found.line_breaks == 1


@pytest.mark.parametrize(("change", "same"), [(0.01, True), (0.2, False)])
def test_pixels_may_differ_by_rounding_alone(change, same):
    other = Wanted(name="b", stage=1, ids=WANTED[1].ids, learnt=WANTED[1].learnt,
                   pictures=[WANTED[1].pictures[0] + np.float32(change)])
    found = _compared([_seen(one) for one in WANTED], [WANTED[0], other, WANTED[2]])
    assert found.same is same and found.pixels == ([] if same else ["b.0"])


def test_pictures_that_changed_places_and_one_that_is_missing_are_found():
    turned = Wanted(name="c", stage=2, ids=WANTED[2].ids, learnt=WANTED[2].learnt,
                    pictures=WANTED[2].pictures[::-1])
    assert _compared([_seen(one) for one in WANTED], [*WANTED[:2], turned]).pixels == ["c.0", "c.1"]
    assert _compared([_seen(one) for one in WANTED], [WANTED[0], WANTED[0], WANTED[2]]).pixels == ["b.0"]


def test_the_tables_say_what_was_lost(tmp_path):
    written = Written(folder=tmp_path, names=["a", "b", "c"], refused={"d": "no mark"})
    good = Run(rows=[], pixels={}, versions={"trl": "1.2", "transformers": "5", "datasets": "4"}, error="")
    bad = Run(rows=[], pixels={}, versions={}, error="ValueError: a | b\nc")
    same = _compared([_seen(one) for one in WANTED], WANTED)
    lost = _compared([_seen(WANTED[2])], [WANTED[2]])
    tried = [Tried(name="trl", how="copy", written=written, export=(good, same), defaults=(bad, lost)),
             Tried(name="axolotl", failed="no such release")]
    assert by_export(tried).splitlines()[2:] == [
        "| TRL 1.2 (transformers 5, datasets 4) | copy | 3 of 3 | 3 of 3 | kept | 3 of 3 | 3 of 3 | 3 of 3 | 1 |",
        "| Axolotl |  | not run: no such release |  |  |  |  |  |  |"]
    assert by_defaults(tried).splitlines()[2:] == [
        "| TRL 1.2 (transformers 5, datasets 4) | 1 of 3 | 0 of 1 | 1 | 100.0% | 2 of 5 | ValueError: a / b c |"]
    assert tried[0].same and not tried[1].same


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Pool:
    return make_pool(tmp_path_factory.mktemp("pictures"))


def test_the_pool_holds_every_kind_of_row(pool):
    shown = {len(sample.images) for sample in pool.samples}
    assert shown >= {0, 1, 2, 3} and sorted(set(pool.stages)) == [1, 2, 3] and list(pool.stages) == sorted(pool.stages)
    turns = [turn for sample in pool.samples for turn in sample.turns]
    assert any(turn.role == "system" for turn in turns) and any(not turn.learnt for turn in turns)
    assert any(sample.turns[-2].role == "user" and len(sample.turns) > 3 for sample in pool.samples)


def test_trl_trains_on_what_the_study_learnt_from(pool, tmp_path):
    model = idefics3(tmp_path / "model")
    wanted = wanted_rows(model, pool)
    written = export_pool(pool, model, "trl", tmp_path)
    pool.root.rename(tmp_path / "put away")  # the export is all that is there
    try:
        got = run("trl", written.folder, model, tmp_path / "run", python=Path(sys.executable))
    finally:
        (tmp_path / "put away").rename(pool.root)
    assert not got.error, got.error
    found = compare(wanted, got.rows, got.pixels, picture=4, breaks=frozenset())
    assert found.same, found
    assert found.wanted == len(pool.samples) and found.label_tokens == found.answer_tokens and not written.refused


def test_the_page_has_the_table_of_the_versions_that_are_pinned():
    """A new pin without a new run of `make trainers ARGS="--write docs/export.md"` is found."""
    page = (INSIDE.parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    rows = page.split("<!-- measured: trainers -->")[1].split("<!-- end measured -->")[0].splitlines()
    for name in TRAINERS:
        pins = dict(line.split("==") for line in (INSIDE.parent / f"requirements-{name}.txt").read_text().split()
                    if "==" in line) | dict(pin.split("==") for pin in BARE.get(name, []))
        title = (f"| {TITLES[name]} {pins[PACKAGES[name]]} (transformers {pins['transformers']}, "
                 f"datasets {pins['datasets']}) |")
        assert sum(row.startswith(title) for row in rows) == len(ways(name)) + 1  # and by its defaults
