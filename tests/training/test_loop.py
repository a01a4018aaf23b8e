"""Kept prefixes and short LoRA runs on a real, tiny model."""

from itertools import pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cadc.training.prefix_cache import PART, SHARE, by_length

QUESTIONS = ("What is it?", "Is it red, or is it another colour?", "Name it.", "How many?", "Which one of these is it?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tiny_vlm import idefics3

    return idefics3(tmp_path_factory.mktemp("model"))


def opened(folder, layers: str = "all", targets: str = "language"):
    """(model with an adapter that is not zero, encode): rows of different length, the last one without a picture."""
    from PIL import Image

    from cadc.data.sample import Sample, Turn
    from cadc.errors import DataError
    from cadc.models import adapter_state, add_lora, load_adapter_state, load_vlm

    vlm = load_vlm(str(folder))
    add_lora(vlm, rank=2, alpha=4.0, layers=layers, targets=targets)
    state = adapter_state(vlm)
    generator = torch.Generator().manual_seed(3)
    load_adapter_state(vlm, {k: v + 0.1 * torch.randn(v.shape, generator=generator) for k, v in state.items()})

    def encode(row: int):
        if row == 99:
            raise DataError("sample 99: too long")
        picture = row < 4
        parts = (0, QUESTIONS[row]) if picture else (QUESTIONS[row],)
        turns = (Turn(role="user", parts=parts), Turn(role="assistant", parts=("yes" * (row + 1),)))
        images = [Image.new("RGB", (16, 16), (40 * row, 90, 20))] if picture else []
        return vlm.encode(Sample(index=row, id=str(row), images=("a.png",) * picture, turns=turns), images)

    return vlm, encode


@pytest.mark.parametrize("targets", ["connector", "language+vision"])
def test_adapters_below_the_language_model_learn_from_every_batch(folder, targets):
    from cadc.models import adapter_state, answer_losses, prefix
    from cadc.training.loop import new_optimizer, train
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder, targets=targets)
    bank = PrefixCache(vlm, encode)
    assert bank.usable([4, 3, 99, 0]) == [4, 3, 0]
    for rows in ([4, 0, 3, 3], [4]):  # with pictures, and words only
        fresh = prefix(vlm, vlm.collate([encode(row) for row in rows]))
        assert torch.allclose(answer_losses(vlm, bank.get(rows)), answer_losses(vlm, fresh), rtol=1e-6)
    assert "cannot be kept" in bank.note
    before = adapter_state(vlm)
    losses = list(train(vlm, bank, [[4], [0, 3]] * 8, [1e-2] * 16, new_optimizer(vlm)))
    assert losses[-1] < losses[1]
    assert all(not torch.equal(before[name], value) for name, value in adapter_state(vlm).items())


@pytest.mark.parametrize("layers", ["all", "last:1"])
@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_kept_prefixes_give_the_losses_and_gradients_of_a_fresh_forward(folder, layers, limit):
    from cadc.models import answer_losses, lora_parameters, prefix
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder, layers)
    bank = PrefixCache(vlm, encode, limit)
    assert bank.usable([3, 0, 99, 4, 2, 1]) == [3, 0, 4, 2, 1]
    rows = [4, 0, 2, 2, 3]
    kept = answer_losses(vlm, bank.get(rows))
    fresh = answer_losses(vlm, prefix(vlm, vlm.collate([encode(row) for row in rows])))
    assert torch.allclose(kept, fresh, rtol=1e-5, atol=1e-6)
    ours, wanted = (torch.autograd.grad(loss.sum(), lora_parameters(vlm)) for loss in (kept, fresh))
    for a, b in zip(ours, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6)
    assert bank.note == ""
    assert (limit == 0) == (bank._bytes == 0)


def cost(lengths, groups) -> int:
    """Padded tokens, and what parts cost."""
    part = max(PART, sum(lengths) // SHARE)
    return sum(max(lengths[place] for place in group) * len(group) + part for group in groups)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=9))
def test_no_division_of_a_batch_into_neighbours_in_length_costs_less(lengths):
    groups, order = by_length(lengths), sorted(range(len(lengths)), key=lambda place: lengths[place])
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    every = []
    for cuts in product((False, True), repeat=len(order) - 1):
        ends = [0, *(place for place, cut in enumerate(cuts, 1) if cut), len(order)]
        every.append(cost(lengths, [order[start:end] for start, end in pairwise(ends)]))
    assert cost(lengths, groups) == min(every)


@given(st.lists(st.integers(100, 103), min_size=1, max_size=40))
def test_an_even_batch_stays_as_it_is(lengths):
    assert by_length(lengths) == [list(range(len(lengths)))]


def test_parts_give_the_gradient_and_losses_of_the_whole_batch(folder, monkeypatch):
    from cadc.models import adapter_state, answer_losses, load_adapter_state, lora_parameters
    from cadc.training import prefix_cache
    from cadc.training.loop import losses, train
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    bank, rows = PrefixCache(vlm, encode), [4, 0, 2, 2, 3, 1]
    whole = answer_losses(vlm, bank.get(rows)).detach()
    start = {name: value.clone() for name, value in adapter_state(vlm).items()}
    after = []
    for part in (0, 10_000):
        monkeypatch.setattr(prefix_cache, "PART", part)
        monkeypatch.setattr(prefix_cache, "SHARE", 10_000)
        load_adapter_state(vlm, start)
        assert (len(bank.parts(rows)) > 1) == (part == 0)
        assert torch.allclose(losses(vlm, bank, rows, 4), whole, rtol=1e-4, atol=1e-5), "in the order asked for"
        optimizer = torch.optim.SGD(lora_parameters(vlm), lr=1.0)
        assert list(train(vlm, bank, [rows], [0.5], optimizer)) == [pytest.approx(float(whole.mean()), rel=1e-4)]
        after.append({name: value.clone() for name, value in adapter_state(vlm).items()})
    for name, value in after[0].items():
        assert torch.allclose(value, after[1][name], rtol=1e-3, atol=1e-6)
        assert not torch.equal(value, start[name])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_folded_training_gives_the_losses_and_gradients_of_the_products_side_by_side(folder, dtype, monkeypatch):
    from cadc.models import answer_losses, folding, lora_parameters
    from cadc.models.folding import folded_training
    from cadc.models.lora import lora_modules
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    if dtype == "float64":
        vlm.model.double()
        vlm.dtype = torch.float64
    bank, rows = PrefixCache(vlm, encode), [4, 0, 2, 2, 3, 1]
    given = bank.get(rows)

    def found() -> list[torch.Tensor]:
        loss = answer_losses(vlm, given)
        return [loss.detach(), *torch.autograd.grad(loss.mean(), lora_parameters(vlm))]

    wanted, calls = found(), []
    before = folding._Folded.apply
    monkeypatch.setattr(folding._Folded, "apply", lambda *a: (calls.append(a[0].shape), before(*a))[1])
    monkeypatch.setattr(folding, "MANY", 0)
    with folded_training(vlm):
        ours = found()
    assert len(calls) == len(lora_modules(vlm)), "each of its linears went this way"
    exact = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-6}
    assert all(torch.allclose(a, b, **exact) for a, b in zip(ours, wanted, strict=True))
    monkeypatch.setattr(folding, "MANY", 10_000)
    with folded_training(vlm):
        few = found()
    assert all(torch.equal(a, b) for a, b in zip(few, wanted, strict=True)), "few tokens: as peft does it"
    assert len(calls) == len(lora_modules(vlm)) and not any("forward" in vars(m) for m in lora_modules(vlm))


def test_a_row_that_cannot_be_encoded_says_why(folder):
    from cadc.errors import DataError
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    bank = PrefixCache(vlm, encode)
    with pytest.raises(DataError, match="too long"):
        bank.get([0, 99])
    with pytest.raises(DataError, match="too long"):
        bank.parts([0, 99])


def test_a_family_with_other_inputs_is_computed_each_time_and_says_so(folder):
    """Positions of three kinds, [3, B, L] as Qwen's, cannot be cut by sample."""
    from cadc.models import answer_losses
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    honest = PrefixCache(vlm, encode)
    wanted = answer_losses(vlm, honest.get([0, 4]))

    def with_positions(module, args, kwargs):
        return args, kwargs | {"grid": torch.zeros(3, *kwargs["inputs_embeds"].shape[:2])}

    hook = vlm.decoder.register_forward_pre_hook(with_positions, with_kwargs=True, prepend=True)
    bank = PrefixCache(vlm, encode)
    found = answer_losses(vlm, bank.get([0, 4]))
    hook.remove()
    assert "cannot be kept" in bank.note
    assert torch.allclose(found, wanted, rtol=1e-5)


def test_training_lowers_the_loss_and_touches_the_adapter_alone(folder):
    from cadc.training.loop import fresh_adapter, losses, train
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    bank = PrefixCache(vlm, encode)
    fresh_adapter(vlm, 1)
    frozen = {name: value.clone() for name, value in vlm.model.state_dict().items() if "lora_" not in name}
    before = losses(vlm, bank, [0, 1, 2])
    seen = list(train(vlm, bank, [[0, 1, 2]] * 25, [0.02] * 25))
    assert len(seen) == 25 and seen[0] == pytest.approx(float(before.mean()), rel=1e-4)
    assert losses(vlm, bank, [0, 1, 2]).mean() < 0.7 * before.mean()
    assert all(torch.equal(value, frozen[name]) for name, value in vlm.model.state_dict().items() if name in frozen)


def test_a_fresh_adapter_changes_nothing_yet_and_follows_its_seed(folder):
    from cadc.models import adapter_state, load_vlm
    from cadc.training.loop import fresh_adapter, losses
    from cadc.training.prefix_cache import PrefixCache

    vlm, encode = opened(folder)
    bank = PrefixCache(vlm, encode)
    fresh_adapter(vlm, 1)
    first, loss = adapter_state(vlm), losses(vlm, bank, [0, 1])
    fresh_adapter(vlm, 2)
    assert torch.equal(losses(vlm, bank, [0, 1]), loss)
    assert not all(torch.equal(first[k], v) for k, v in adapter_state(vlm).items())
    fresh_adapter(vlm, 1)
    assert all(torch.equal(first[k], v) for k, v in adapter_state(vlm).items())
    bare = load_vlm(str(folder))
    with torch.no_grad():
        batch = bare.collate([encode(0)])
        assert torch.allclose(bare.model(**batch.inputs).logits, vlm.model(**batch.inputs).logits, atol=1e-5)
