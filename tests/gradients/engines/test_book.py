"""Who holds which shard, and how many rows that makes."""

from hypothesis import given
from hypothesis import strategies as st
from watching import Watching

from cadc.gradients.engines.book import Book
from cadc.gradients.shards import Shard


def shards(*rows: int) -> list[Shard]:
    return [Shard(number, tuple(range(count))) for number, count in enumerate(rows)]


def test_lost_shard_is_given_out_first_and_given_up_at_last():
    progress = Watching()
    book = Book(shards(3, 3), progress, tries=2)
    assert book.take("a") == 0
    book.said("a", 2, 1.0)
    assert book.lose("a") == 0 and progress.rows == 0
    assert book.take("b") == 0 and book.lose("b") == 0 and book.given_up == [0]
    assert book.take("a") == 1 and book.take("b") is None
    book.finish("a")
    assert not book.open and book.done == {1} and progress.rows == 3


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_rows_add_up_and_every_shard_ends_once_whatever_happens(rows, workers, data):
    progress = Watching()
    book = Book(shards(*rows), progress, tries=3)
    holding: dict[int, int] = {}
    while book.open:
        worker = data.draw(st.integers(0, workers - 1))
        if worker not in holding:
            if (number := book.take(worker)) is not None:
                assert number not in holding.values()
                holding[worker] = number
            continue
        match data.draw(st.sampled_from(("finish", "batch", "die"))):
            case "batch":
                book.said(worker, 1, 0.5)
            case "finish":
                book.finish(worker)
                del holding[worker]
            case "die":
                assert book.lose(worker) == holding.pop(worker)
    assert sorted([*book.done, *book.given_up]) == list(range(len(rows)))
    assert progress.rows == sum(rows[number] for number in book.done)
