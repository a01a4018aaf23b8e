"""The batch plan: searched with a limit put on memory, settled once, the same for all."""

import threading

import numpy as np
import pytest
import torch
from lengths import items, padded
from tiny_study import scored
from watching import Counting

from cadc.errors import JobError
from cadc.gradients import batch_plan, batch_search
from cadc.gradients.attribute import PoolPass, run_attribute
from cadc.models.batching import ROWS, TOKENS, packed
from cadc.scores import attribution
from cadc.study import Study
from cadc.study.progress import Cancelled, Silent
from cadc.study.results import read_sealed, write_sealed


class Device:
    """A device with `room` for padded tokens, a launch cost, and a full speed; its clock counts work, not time."""

    def __init__(self, room: int, launch: float) -> None:
        self.room, self.launch, self.clock, self.most, self.runs = room, launch, 0.0, 0, []

    def run(self, batch) -> None:
        size = padded(batch)
        self.runs.append(size)
        self.most = max(self.most, size)
        if size > self.room:
            raise torch.OutOfMemoryError("on purpose")
        self.clock += self.launch + size

    def now(self) -> float:
        return self.clock

    def reset(self) -> None:
        self.most = 0

    def peak(self) -> float:
        return self.most / self.room


def found(device: Device, longest: int = 1000) -> batch_plan.BatchPlan:
    return batch_search.search(device.run, items([50, 60]), items([longest - 1, longest]), device)


def test_search_grows_while_it_gains_and_stays_within_the_memory():
    plan = found(Device(room=100_000, launch=100_000))
    assert plan.tokens == 4 * TOKENS and plan.rows == 4 * ROWS
    assert found(Device(room=70_000, launch=100_000)).tokens == 2 * TOKENS  # 65 000 of 70 000 is above the share


def test_search_keeps_the_default_where_more_gains_nothing():
    assert found(Device(room=10**9, launch=10)).tokens == TOKENS


def test_search_shrinks_where_the_default_does_not_fit():
    plan = found(Device(room=5000, launch=10))
    assert plan.tokens == TOKENS // 4


def test_search_on_a_device_too_small_for_one_sample_falls_back():
    plan = found(Device(room=10, launch=10))
    assert (plan.rows, plan.tokens) == (ROWS, TOKENS) and "not even one" in plan.reason


@pytest.fixture
def study(ready, own_copy) -> Study:
    return own_copy(ready)


def test_plan_is_settled_once_and_read_by_all_that_follow(study):
    engine = PoolPass(study)
    from cadc.models.feed import Feed

    feed, plans, runs = Feed(study, "pool", engine.vlm), [], []

    def run(batch):
        runs.append(len(batch))
        return engine.scores(batch)

    def settle():
        plans.append(batch_search.choose_batch_size(study, "attribute", engine.vlm, feed, run,
                                                    lambda f: (f["loss"], f["gradient_norm"])))

    threads = [threading.Thread(target=settle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1, 1, 2] and plans == [batch_search.fixed()] * 3


def test_the_pass_cuts_its_batches_by_the_plan_and_loses_nothing(study):
    before = scored(study)
    assert before.index.tolist() == list(range(30))
    dots = np.array(before.dots)
    for job in ("attribute", "scores"):
        study.result(job).remove()
    by_hand = {"rows": 3, "tokens": 200, "reason": "by hand"}
    write_sealed(study.batch_file("attribute"), by_hand | {"warnings": [], "key": study.key("attribute")})
    sizes = []

    class Watched(Silent):
        def step(self, n=1, **readings) -> None:
            sizes.append(n)

    run_attribute(study, Watched())
    after = scored(study)
    assert max(sizes) <= 3 and sum(sizes) == 30 and after.index.tolist() == before.index.tolist()
    assert abs(after.dots - dots).max() <= 1e-5 * abs(dots).max()
    assert attribution.report(study)["batch"] == by_hand


def test_out_of_memory_in_the_pass_halves_and_is_counted(study, monkeypatch):
    own = PoolPass.scores

    def small(self, batch):
        if padded(batch) > 150:
            raise torch.OutOfMemoryError("on purpose")
        return own(self, batch)

    monkeypatch.setattr(PoolPass, "scores", small)
    scored(study)
    report = attribution.report(study)
    assert report["halved_batches"] > 0 and report["rows"] == 30
    assert any("did not fit into memory and were halved" in line for line in attribution.sentences(study))


def test_plan_of_another_question_is_refused(study):
    plan = {"rows": 1, "tokens": 1, "reason": "", "warnings": [], "key": "0" * 16}
    write_sealed(study.batch_file("attribute"), plan)
    with pytest.raises(JobError, match="belongs to another question"):
        run_attribute(study, Silent())


def test_a_plan_that_was_lost_beside_finished_shards_is_taken_from_them(study):
    by_hand = {"rows": 3, "tokens": 200, "reason": "by hand", "warnings": [], "key": study.key("attribute")}
    write_sealed(study.batch_file("attribute"), by_hand)
    with pytest.raises(Cancelled):
        run_attribute(study, Counting(rows=9))
    study.batch_file("attribute").unlink()
    run_attribute(study, Silent())
    assert read_sealed(study.batch_file("attribute")) == by_hand


def test_packed_takes_its_defaults_from_the_fixed_plan():
    assert [len(b) for b in packed(items([1] * (ROWS + 1)))] == [ROWS, 1]
