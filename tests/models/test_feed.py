"""Samples encoded ahead by threads."""

import threading
import time

import pytest
import tiny_vlm
import torch
from PIL import Image

from cadc.data.sample import Sample, Turn
from cadc.errors import DataError
from cadc.models import load_vlm
from cadc.models.encode import Encoded
from cadc.models.feed import AHEAD_BYTES, ahead


def encoded(row: int, numbers: int = 1) -> Encoded:
    return Encoded({"input_ids": torch.full((numbers,), row)}, torch.ones(numbers, dtype=torch.bool), str(row))


def encoders() -> int:
    return sum(thread.name.startswith("encode") for thread in threading.enumerate())


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_order_is_kept_and_a_bad_row_is_handed_on_as_its_error(workers):
    def encode(row):
        time.sleep(0.002 * (row % 3))  # later rows are ready first
        if row % 5 == 4:
            raise DataError(f"row {row} is bad")
        return encoded(row)

    found = list(ahead(encode, range(40), workers))
    assert [row for row, _ in found] == list(range(40))
    for row, outcome in found:
        assert str(outcome) == f"row {row} is bad" if row % 5 == 4 else outcome.id == str(row)
    assert encoders() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_any_other_error_is_raised_at_its_row(workers):
    def encode(row):
        if row == 7:
            raise ZeroDivisionError("on purpose")
        return encoded(row)

    rows = []
    with pytest.raises(ZeroDivisionError):
        for row, _ in ahead(encode, range(100), workers):
            rows.append(row)
    assert rows == list(range(7)) and encoders() == 0


def test_leaving_the_loop_stops_the_threads_long_before_the_end():
    begun = []

    def encode(row):
        begun.append(row)
        return encoded(row)

    class Stop(Exception):
        pass

    with pytest.raises(Stop):
        for row, _ in ahead(encode, range(100_000), 2):
            if row == 5:
                raise Stop
    assert encoders() == 0 and len(begun) < 1000


def test_waiting_samples_are_bounded_by_their_bytes():
    size = AHEAD_BYTES // 4
    begun, furthest = [], 0

    class Big(Encoded):
        """Claims to hold much."""

    class Heavy(torch.Tensor):
        nbytes = size

    def encode(row):
        begun.append(row)
        return Encoded({"input_ids": torch.zeros(1).as_subclass(Heavy)}, torch.ones(1, dtype=torch.bool), str(row))

    for row, _ in ahead(encode, range(60), 2):
        time.sleep(0.005)  # the threads would run far ahead
        if row > 4:
            furthest = max(furthest, max(begun) - row)
    assert 1 <= furthest <= 5


def test_threads_encode_exactly_what_one_thread_encodes(tmp_path):
    vlm = load_vlm(str(tiny_vlm.idefics3(tmp_path / "model", splitting=True)))
    samples, pictures = [], []
    for i in range(60):
        count = i % 3
        parts = (*range(count), "what " * (i % 7) + "?")
        turns = (Turn(role="user", parts=parts), Turn(role="assistant", parts=(f"answer {i * 37 % 100}",)))
        samples.append(Sample(index=i, id=str(i), turns=turns, images=tuple(f"{k}.png" for k in range(count))))
        pictures.append([Image.new("RGB", (16 + i, 20), (i, 2 * i, 3 * k)) for k in range(count)])

    def encode(row):
        return vlm.encode(samples[row], pictures[row])

    for row, outcome in ahead(encode, range(60), 4):
        truth = encode(row)
        assert torch.equal(outcome.answer, truth.answer) and outcome.inputs.keys() == truth.inputs.keys()
        assert all(torch.equal(outcome.inputs[key], value) for key, value in truth.inputs.items())
