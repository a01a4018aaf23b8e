"""A ranking is one list: read in any steps, by any number of readers, it is the same."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadc.selection.ranking import PIECE, Ranking, Reader, Taken

ROWS = 3 * PIECE


def picks():
    """All rows of a pool, last first."""
    for position in range(ROWS)[::-1]:
        yield position, position % 7, position / 2, "rounds" if position % 2 else "near"


def taken_of(rows=ROWS, source=None, cap=0):
    if source is None:
        return Taken(np.ones(rows, bool), np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Taken(np.ones(rows, bool), source, np.asarray(cap))


@given(steps=st.lists(st.integers(0, ROWS), max_size=5))
def test_a_ranking_read_in_steps_is_the_list(steps):
    ranking = Ranking(picks)
    for number, step in enumerate(steps, 1):
        assert ranking.reach(step) == max(steps[:number])
    assert ranking.reach(2 * ROWS) == ROWS
    assert list(zip(ranking.position, ranking.target, ranking.value, ranking.reason, strict=True)) == list(picks())


@given(counts=st.lists(st.integers(0, ROWS // 2), min_size=1, max_size=4), gone=st.sets(st.integers(0, ROWS - 1)))
def test_a_reader_takes_the_first_free_rows_whatever_the_steps(counts, gone):
    taken = taken_of()
    for row in gone:
        taken.take(row)
    reader = Reader(Ranking(picks), taken)
    for count in counts:
        reader.take(count)
    wanted = [pick for pick in picks() if pick[0] not in gone][:sum(counts)]
    assert list(zip(*(column.tolist() for column in reader.picks()), strict=True)) == wanted
    assert not any(taken.free(position) for position, *_ in wanted)


def test_a_source_cap_counts_every_taken_row():
    taken = taken_of(6, np.array([0, 0, 0, 1, 1, 1]), [2, 2])
    for row in (0, 1, 3):
        assert taken.free(row)
        taken.take(row)
    assert [taken.free(row) for row in range(6)] == [False, False, False, False, True, True]


def test_each_source_has_its_own_cap_and_0_is_none():
    reader = Reader(Ranking(picks), taken_of(ROWS, np.arange(ROWS) % 3, [0, 2, 5]))
    assert reader.take(ROWS) == ROWS // 3 + 2 + 5
    assert np.bincount(reader.picks()[0] % 3).tolist() == [ROWS // 3, 2, 5]


def test_an_interruption_loses_no_row_and_repeats_none():
    calls = []

    def broken_once():
        calls.append(1)
        for number, pick in enumerate(picks()):
            if len(calls) == 1 and number == 10:
                raise KeyboardInterrupt
            yield pick

    ranking = Ranking(broken_once)
    with pytest.raises(KeyboardInterrupt):
        ranking.reach(20)
    assert ranking.reach(20) == 20 and list(ranking.position) == [row for row, *_ in picks()][:20]
    assert len(ranking.target) == len(ranking.reason) == 20


def test_threads_share_a_ranking():
    ranking, found = Ranking(picks), []

    def read():
        reader = Reader(ranking, taken_of())
        for _ in range(ROWS // 3):
            reader.take(3)
        found.append(reader.picks()[0].tolist())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[row for row, *_ in picks()]] * 4
