"""Who holds which shard, and how many rows that makes."""

from hypothesis import given
from hypothesis import strategies as st
from watching import Watching

from cadc.jobs.engines.shard_queue import ShardQueue
from cadc.jobs.shards import Shard


def shards(*rows: int) -> list[Shard]:
    return [Shard(number, tuple(range(count))) for number, count in enumerate(rows)]


def test_lost_shard_is_given_out_first_and_given_up_at_last():
    progress = Watching()
    queue = ShardQueue(shards(3, 3), progress, tries=2)
    assert queue.take("a") == 0
    queue.said("a", 2, 1.0)
    assert queue.lose("a") == 0 and progress.rows == 0
    assert queue.take("b") == 0 and queue.lose("b") == 0 and queue.given_up == [0]
    assert queue.take("a") == 1 and queue.take("b") is None
    queue.finish("a")
    assert not queue.open and queue.done == {1} and progress.rows == 3


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_rows_add_up_and_every_shard_ends_once_whatever_happens(rows, workers, data):
    progress = Watching()
    queue = ShardQueue(shards(*rows), progress, tries=3)
    holding: dict[int, int] = {}
    while queue.open:
        worker = data.draw(st.integers(0, workers - 1))
        if worker not in holding:
            if (number := queue.take(worker)) is not None:
                assert number not in holding.values()
                holding[worker] = number
            continue
        match data.draw(st.sampled_from(("finish", "batch", "die"))):
            case "batch":
                queue.said(worker, 1, 0.5)
            case "finish":
                queue.finish(worker)
                del holding[worker]
            case "die":
                assert queue.lose(worker) == holding.pop(worker)
    assert sorted([*queue.done, *queue.given_up]) == list(range(len(rows)))
    assert progress.rows == sum(rows[number] for number in queue.done)
