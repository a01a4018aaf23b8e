"""The map of the pool: which points an area holds, what the browser is told, and what points are coloured by."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from cadc.curation.workbench import Workbench, open_workbench
from cadc.discovery.pool_layout import SIDE, layout_job, run_layout
from cadc.study.progress import Silent
from cadc.views import pool_map as views
from cadc.views.pool_map import GREY, PoolMap, by_score, chosen_rows, colouring, colourings, corners_of, selection_note
from cadc.views.rows import source_labels


def scattered(count: int, seed: int = 0, missing: int = 0) -> PoolMap:
    rng = np.random.default_rng(seed)
    total = count + missing
    return PoolMap(key="k", positions=np.sort(rng.permutation(total)[:count]), total=total, landmarks=count,
                   spots=rng.integers(0, SIDE + 1, (count, 2)).astype(np.uint16))


def ray(spot: np.ndarray, corners: np.ndarray) -> bool:
    """Even-odd, one point at a time: crossings of a ray to the right."""
    odd, (x, y) = False, (float(v) for v in spot)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if (y0 <= y < y1) or (y1 <= y < y0):
            odd ^= x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return odd


@pytest.mark.parametrize("corners", [3, 4, 17, 200])
def test_an_area_holds_what_a_ray_says(corners):
    found = scattered(400, seed=corners, missing=100)
    polygon = np.random.default_rng(corners).uniform(-0.2 * SIDE, 1.2 * SIDE, (corners, 2))  # it crosses itself
    expected = [p for p, spot in zip(found.positions, found.spots, strict=True) if ray(spot, polygon)]
    assert found.inside(polygon).tolist() == expected and found.inside(polygon[::-1]).tolist() == expected


def test_a_rectangle_holds_its_points_and_two_halves_hold_each_once():
    found = scattered(3000)
    x, y = found.spots.astype(int).T
    low, middle, high = 10_000, 31_007, 50_000
    box = lambda a, b: [[a, low], [b, low], [b, high], [a, high]]  # noqa: E731
    inside = found.positions[(x >= low) & (x < high) & (y >= low) & (y < high)]
    assert np.array_equal(found.inside(box(low, high)), inside)
    halves = [found.inside(box(low, middle)), found.inside(box(middle, high))]
    assert np.array_equal(np.sort(np.concatenate(halves)), inside)
    assert len(found.inside([[0, 5], [100, 5], [50, 5]])) == 0, "an area without height"


@pytest.mark.parametrize("sent", [None, [], "lasso", [[1, 2], [3, 4]], [[1, 2, 3]] * 4, [[1, None], [2, 3], [4, 5]],
                                  [[0, 0], [float("inf"), 1], [2, 2]], {"a": 1}])
def test_what_is_no_area_selects_nothing(sent):
    assert corners_of(sent) is None and scattered(10).chosen(sent) is None


def test_rows_out_of_force_are_grey_and_never_selected():
    found, everything = scattered(200, missing=50), [[-1, -1], [SIDE + 1, -1], [SIDE + 1, SIDE + 1], [-1, SIDE + 1]]
    among = np.arange(found.total) % 3 == 0
    assert np.array_equal(found.chosen(everything), found.positions)
    assert np.array_equal(found.chosen(everything, among), found.positions[among[found.positions]])
    colours = by_score(np.arange(found.total))
    head, places, classes = told(found.message(colours, among))
    assert np.array_equal(places, found.spots) and (head["points"], head["total"]) == (200, 250)
    assert np.array_equal(classes == GREY, ~among[found.positions])
    assert np.array_equal(classes[classes != GREY], colours.classes[found.positions][among[found.positions]])


def told(message: bytes) -> tuple[dict, np.ndarray, np.ndarray]:
    """As the browser reads it."""
    (length,) = struct.unpack_from("<I", message)
    head, body = json.loads(message[4:4 + length]), message[4 + length:]
    assert (4 + length) % 4 == 0 and len(body) == 5 * head["points"]
    places = np.frombuffer(body, "<u2", 2 * head["points"]).reshape(-1, 2)
    return head, places, np.frombuffer(body, np.uint8, offset=4 * head["points"])


def test_a_message_says_when_its_content_changed():
    found, values = scattered(100), np.arange(100.0)
    for top in (False, True):  # the same number of each class, at other points
        one, same, other = (told(found.message(replace(by_score(v), first_on_top=top)))[0]["content"]
                            for v in (values, values + 1, -values))
        assert one == same != other


def test_chosen_rows_are_drawn_over_the_others(bench):
    found = PoolMap(key="k", positions=np.arange(len(bench.scores.index)), total=len(bench.scores.index), landmarks=1,
                    spots=np.stack([np.arange(len(bench.scores.index))] * 2, 1).astype(np.uint16))
    colours = colouring(bench, source_labels(bench.table["source"]), "chosen or left out")
    _, places, classes = told(found.message(colours))
    assert (np.diff(classes.astype(int)) <= 0).all() and classes[-1] == 0
    assert np.array_equal(colours.classes[places[:, 0]], classes), "places and classes go together"


def test_eighths_of_a_score_keep_equal_values_together():
    found = by_score(np.array([*np.arange(800.0), np.nan, np.inf]))
    assert [kind.rows for kind in found.kinds] == [100] * 8 + [2] and found.kinds[-1].name == "not known"
    assert found.kinds[0].name.startswith("0 …") and found.kinds[7].name.endswith("… 799")
    tied = by_score(np.array([0.0] * 90 + [1.0] * 10))
    assert sorted(set(tied.classes[:90].tolist())) != sorted(set(tied.classes[90:].tolist()))
    assert len(set(tied.classes[:90].tolist())) == len(set(tied.classes[90:].tolist())) == 1
    assert [kind.rows for kind in by_score(np.full(5, np.nan)).kinds if kind.rows] == [5]
    for values in (np.zeros(7), np.arange(3), np.full(1, 2.0), np.zeros(0)):
        assert sum(kind.rows for kind in by_score(values).kinds) == len(values)


@pytest.fixture(scope="module")
def bench(finished) -> Workbench:
    return open_workbench(finished)


def test_every_colouring_gives_every_row_a_line_of_the_legend(bench):
    sources = source_labels(bench.table["source"])
    names = colourings(bench)
    assert {"capability", "source", "chosen or left out", "loss", "self-influence"} <= set(names)
    assert "loss under the judges" not in names, "this study has none"
    for name in names:
        found = colouring(bench, sources, name)
        assert len(found.classes) == len(bench.scores.index)
        assert [kind.rows for kind in found.kinds] == np.bincount(found.classes, minlength=len(found.kinds)).tolist()
        assert all(len(kind.colour) == 7 and int(kind.colour[1:], 16) >= 0 for kind in found.kinds)


def test_classes_are_what_the_library_says(bench):
    sources = source_labels(bench.table["source"])
    line = lambda name: np.array([k.name for k in colouring(bench, sources, name).kinds], object)[  # noqa: E731
        colouring(bench, sources, name).classes]
    assert np.array_equal(line("source"), sources)
    capability = np.array([*bench.capabilities.names, "unattributed"], object)[bench.assignment]
    assert np.array_equal(line("capability"), capability)
    fate, candidates = line("chosen or left out"), bench.inputs.candidates
    assert np.array_equal(fate == "chosen", chosen_rows(bench))
    assert set(np.flatnonzero(fate == "chosen")) == set(bench.curriculum.rows["position"])
    for number, reason in enumerate(candidates.left_out):
        assert np.array_equal(fate == f"left out: {reason}", (candidates.fate == number) & ~chosen_rows(bench))
    one = bench.capabilities.names[0]
    steps = colouring(bench, sources, views.SCORE + one).classes
    order = np.argsort(bench.influence[:, 0], kind="stable")
    assert (np.diff(steps[order].astype(int)) >= 0).all()


def test_the_map_of_a_study_knows_which_rows_have_scores(finished, own_copy):
    study = own_copy(finished)
    offered = views.offer(study, 100)
    assert offered and offered.job == layout_job(study.config) in offered.text and not offered.running
    assert views.layout_digest(study) == ""
    run_layout(study, Silent())
    index = open_workbench(study).scores.index
    some = views.pool_map(study, index[::2])
    whole = views.pool_map(study, index)
    assert views.offer(study, 100) is None and whole.key == views.layout_digest(study) != ""
    assert np.array_equal(whole.positions, np.arange(len(index))) and whole.total == len(index)
    assert np.array_equal(some.spots, whole.spots[::2])
    more = views.pool_map(study, np.append(index, index[-1] + 10**6))
    assert more.total == len(index) + 1 and len(more.positions) == len(index), "a row without a place is not drawn"


def test_a_selection_says_how_many_are_chosen():
    chosen = np.array([True, False, True, False])
    assert selection_note(np.array([0, 1, 3]), chosen) == "3 selected, of these 1 chosen."
    assert selection_note(np.array([0]), chosen, np.array([True, True, False, False])) == (
        "1 selected of 2 in force, of these 1 chosen.")
    assert "Nothing is selected" in selection_note(None, chosen)
