"""Parts of a batch side by side: the same bits as one after the other, and the gradient of the whole batch."""

import pytest
import tiny_vlm
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_study import make_study

from cadc.data import read_samples
from cadc.jobs.engines import EngineSettings
from cadc.models import add_lora, answer_losses, load_vlm, lora_parameters, prefix, switch
from cadc.models.threads import torch_threads
from cadc.study.progress import Silent
from cadc.training import lanes
from cadc.training.warmup import checkpoint_file, plan, run_warmup


@given(st.lists(st.integers(1, 300), min_size=1, max_size=100))
def test_a_batch_is_cut_into_even_parts_of_neighbours_in_length(lengths):
    parts = lanes.cut(lengths, "cpu")
    assert sorted(place for part in parts for place in part) == list(range(len(lengths)))
    assert len(parts) == -(-len(lengths) // lanes.PART)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for shorter, longer in zip(parts, parts[1:], strict=False):
        assert max(lengths[place] for place in shorter) <= min(lengths[place] for place in longer)
    assert lanes.cut(lengths, "cuda") == [list(range(len(lengths)))]


def test_as_many_at_a_time_as_there_are_workers_parts_and_single_threads(data):
    vlm = load_vlm(str(data / "model"))
    with torch_threads(1):
        assert [lanes.lane_count(vlm, 40, workers) for workers in (1, 2, 3, 9)] == [1, 2, 3, 3]
        assert lanes.lane_count(vlm, lanes.PART, 9) == 1
    with torch_threads(2):
        assert lanes.lane_count(vlm, 40, 9) == 1


@pytest.fixture
def vlm(tmp_path):
    made = load_vlm(str(tiny_vlm.idefics3(tmp_path / "model")))
    add_lora(made, rank=2, alpha=4.0, seed=3)
    generator = torch.Generator().manual_seed(1)
    switch(made, torch.randn(made.layout.size, generator=generator) * 0.1)
    return made


def parts_of(vlm, count: int):
    from cadc.data.sample import Sample, Turn

    def said(number: int) -> Sample:
        turns = (Turn(role="user", parts=("why " * (number + 1),)), Turn(role="assistant", parts=("so " * number,)))
        return Sample(index=0, id="a", images=(), turns=turns)

    rows = [vlm.encode(said(number + 1), []) for number in range(3 * count)]
    return [prefix(vlm, vlm.collate(rows[3 * one:3 * one + 3])) for one in range(count)]


def gradients(vlm) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in lora_parameters(vlm)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_gradients_are_those_of_the_whole_batch_bit_by_bit_however_many_lanes(vlm, count):
    parts = parts_of(vlm, count)
    (sum(answer_losses(vlm, part).sum() for part in parts) / 7).backward()
    truth = gradients(vlm)
    found = {}
    for width in (1, 2, 3):
        with lanes.opened(vlm, width) as made:
            for _ in range(2):  # what an earlier step left behind does not count
                loss = made.backward(parts, 7)
            found[width] = [torch.tensor(loss), *gradients(vlm)]
    for ours, whole in zip(found[1][1:], truth, strict=True):
        assert torch.allclose(ours, whole, rtol=1e-4, atol=1e-6)
    for width in (2, 3):
        assert all(torch.equal(a, b) for a, b in zip(found[1], found[width], strict=True))


def test_lanes_follow_the_adapter_and_share_what_is_frozen(vlm):
    parts = parts_of(vlm, 2)
    with lanes.opened(vlm, 2) as made:
        other = made._every[1]
        learning = {id(p) for p in lora_parameters(other)}
        assert {p.data_ptr() for p in vlm.model.parameters() if not p.requires_grad} == {
            p.data_ptr() for p in other.model.parameters() if id(p) not in learning}
        made.backward(parts, 6)
        before = gradients(vlm)
        switch(vlm, torch.zeros(vlm.layout.size).uniform_(-1, 1, generator=torch.Generator().manual_seed(7)))
        made.backward(parts, 6)
        after = gradients(vlm)
    with lanes.opened(vlm, 1) as alone:
        alone.backward(parts, 6)
    assert all(torch.equal(a, b) for a, b in zip(after, gradients(vlm), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_error_in_a_lane_is_raised(vlm):
    parts = parts_of(vlm, 2)
    broken = [parts[0], parts[1].__class__(**(vars(parts[1]) | {"labels": parts[1].labels + 10_000}))]
    with lanes.opened(vlm, 2) as made, pytest.raises(IndexError):
        made.backward(broken, 6)


def test_a_warm_up_has_the_same_bits_with_one_process_and_with_two(data, tmp_path, monkeypatch):
    made, widths, opened = [], [], lanes.opened

    def counted(vlm, count):
        widths.append(count)
        return opened(vlm, count)

    monkeypatch.setattr(lanes, "opened", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for workers in (1, 2):
        study = make_study(data, tmp_path / str(workers), checkpoints=2, warmup_epochs=2, warmup_batch=24,
                           warmup_min_rows=24)
        assert len(plan(study, len(read_samples(study.samples_file("pool")))).rows) > lanes.PART
        with torch_threads(workers):  # numba leaves another number behind
            run_warmup(study, Silent(), engine=EngineSettings(workers=workers))
        made.append([checkpoint_file(study, t).read_bytes() for t in (1, 2)])
    assert widths == [1, 2]
    assert made[0] == made[1]
