"""The intervention test on a real, tiny, from-config model."""

import numpy as np
import pytest

from cadc.data.indices import FeedRow
from cadc.discovery.intervention import (
    Intervention,
    Start,
    Transfer,
    TransferSettings,
    divided,
    measure_transfer,
    measured_places,
    unit_rows,
)
from cadc.discovery.transfer import relative
from cadc.errors import DataError, JobError

QUICK = TransferSettings(steps=8, batch=8, learning_rate=5e-3)


def test_training_on_a_unit_lowers_its_own_held_out_loss(finished_study):
    found = measure_transfer(finished_study, QUICK)
    assert found.units == ("name", "is_red", "option")
    assert (found.own > 0).all()
    assert np.allclose(np.diag(found.matrix), 1)
    assert (found.before > 0).all()


def test_the_matrix_is_the_same_for_the_same_seed_and_another_for_another(finished_study):
    other = TransferSettings(steps=8, batch=8, learning_rate=5e-3, seed=1)
    first, again, another = (measure_transfer(finished_study, settings).matrix for settings in (QUICK, QUICK, other))
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, another, equal_nan=True)


def test_the_start_is_the_checkpoint(finished_study):
    base, warm = (measure_transfer(finished_study, TransferSettings(steps=1, checkpoint=t)).before for t in (0, 2))
    assert warm.mean() < base.mean()


def test_repeats_average(finished_study):
    found = measure_transfer(finished_study, TransferSettings(steps=2, repeats=2))
    assert np.isfinite(found.drop()).all() and len(found.before) == len(found.unit) == found.after.shape[1]


def test_a_unit_that_learns_nothing_gives_no_scale():
    drop = np.array([[1.0, 0.001], [0.5, 0.001]])
    found = relative(drop)
    assert found[:, 0].tolist() == [1.0, 0.5] and np.isnan(found[:, 1]).all()


def test_a_missing_checkpoint_and_a_bad_setting_are_one_clear_line(finished_study):
    with pytest.raises(JobError, match="no checkpoint 9"):
        measure_transfer(finished_study, TransferSettings(checkpoint=9))
    with pytest.raises(DataError, match="steps=0"):
        TransferSettings(steps=0)


def test_drops_equal_those_of_a_training_by_hand(finished_study):
    """Brute force: plain peft adapter, plain torch AdamW, one sample at a time."""
    import torch

    from cadc.models import answer_losses, lora_parameters, prefix

    settings = TransferSettings(steps=3, batch=4, learning_rate=5e-3, repeats=2, samples=8)
    found = measure_transfer(finished_study, settings)
    one = Intervention(finished_study, settings)
    vlm, rows = one.vlm, unit_rows(one.feed.samples, [FeedRow(row) for row in range(len(one.feed))])
    fresh = [p.detach().clone() for p in lora_parameters(vlm)]
    start = Start(names=tuple(rows), rows=np.concatenate(list(rows.values())),
                  unit=np.repeat(range(3), list(map(len, rows.values()))), loss=np.zeros(0, np.float32))

    def loss(row):
        return answer_losses(vlm, prefix(vlm, vlm.collate([one.feed.encode(FeedRow(row))])))[0]

    def read(chosen):
        with torch.no_grad():
            return np.array([float(loss(row)) for row in chosen])

    drops = np.zeros((2, 3, 3))
    for repeat in range(2):
        parts = [divided(start, settings, number, repeat) for number in range(3)]
        everyone = [start.rows[measured_places(start, settings, repeat)][
            start.unit[measured_places(start, settings, repeat)] == n].tolist() for n in range(3)]
        for n, (train, _) in enumerate(parts):
            with torch.no_grad():
                for parameter, value in zip(lora_parameters(vlm), fresh, strict=True):
                    parameter.copy_(value)
            measured = [parts[m][1] if m == n else everyone[m] for m in range(3)]
            before = [read(chosen).mean() for chosen in measured]
            optimizer = torch.optim.AdamW(lora_parameters(vlm), lr=5e-3, weight_decay=0.0)
            rng = np.random.default_rng([settings.seed, 52, repeat, n])
            order = np.concatenate([rng.permutation(train) for _ in range(3)])[:3 * min(4, len(train))]
            for batch in order.reshape(3, -1):
                optimizer.zero_grad()
                torch.stack([loss(int(row)) for row in batch]).mean().backward()
                torch.nn.utils.clip_grad_norm_(lora_parameters(vlm), 1.0)
                optimizer.step()
            drops[repeat, n] = [b - read(chosen).mean() for b, chosen in zip(before, measured, strict=True)]
    assert np.allclose(found.drop(), drops.mean(0), atol=2e-3), (found.drop(), drops.mean(0))


def test_two_repeats_hold_out_others_and_never_what_they_train_on():
    start = Start(names=("a",), rows=np.arange(100, 110), unit=np.zeros(10, int), loss=np.zeros(10, np.float32))
    (train, out), (again, others) = (divided(start, TransferSettings(), 0, repeat) for repeat in (0, 1))
    assert set(train) | set(out) == set(again) | set(others) == set(range(100, 110))
    assert not set(train) & set(out) and not set(again) & set(others) and not set(out) & set(others)
    for asked, sizes in ((TransferSettings(), (8, 2, 10)), (TransferSettings(measured=2), (9, 1, 2)),
                         (TransferSettings(measured=1, repeats=1), (9, 1, 1)),
                         (TransferSettings(samples=4), (3, 1, 4))):
        assert asked.sizes(10) == sizes
        places = measured_places(start, asked, 1)
        read = {int(row) for row in start.rows[places]}
        assert len(read) == sizes[2] and set(divided(start, asked, 0, 0)[1]) <= read
        assert asked.repeats == 1 or set(divided(start, asked, 0, 1)[1]) <= read
        assert [len(part) for part in divided(start, asked, 0, 0)] == list(sizes[:2])


def test_a_unit_of_one_sample_trains_and_is_measured_on_it():
    start = Start(names=("a",), rows=np.array([7]), unit=np.array([0]), loss=np.zeros(1, np.float32))
    assert divided(start, TransferSettings(), 0, 1) == ([7], [7])


def test_a_unit_counts_itself_by_what_was_held_out_alone():
    found = Transfer(units=("a", "b"), before=np.zeros(4, np.float32), unit=np.array([0, 0, 1, 1]),
                     after=np.array([[-1, -5, -2, -4], [-3, -3, -7, -9]], np.float32),
                     held=np.array([True, False, False, True]))
    assert found.drop().tolist() == [[1, 3], [3, 9]]
    assert found.drop(np.array([1, 1, 3, 1])).tolist() == [[1, 2.5], [3, 9]]
    assert np.isnan(found.drop(np.array([0, 1, 1, 1]))[0, 0])
