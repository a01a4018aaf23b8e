"""The last decoder layer at answer positions alone, against the whole layer. That gradients are right with it is said
by `test_family_gradients`, whose reference knows nothing of it."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies as st
from talks import pictures_of, readable
from tiny_families import EAGER, FAMILIES

from cadc.models import add_lora, answer_losses, last_states, load_vlm, lora_parameters, prefix
from cadc.models.narrow import Places, narrowed, separable

OTHERWISE_MADE = {"gpt_neox", "falcon"}


def opened(folder, layers="all"):
    vlm = load_vlm(str(folder), dtype="float64")
    add_lora(vlm, rank=2, alpha=3.0, layers=layers)
    for number, parameter in enumerate(lora_parameters(vlm)):
        torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(number))
    return vlm, prefix(vlm, vlm.collate([vlm.encode(sample, pictures_of(sample)) for sample in readable(vlm)]))


@drawn(st.data(), st.integers(2, 40), st.integers(1, 6))
def test_places_name_every_answer_token_once(data, length, samples):
    answers = [data.draw(st.sets(st.integers(0, length - 2), min_size=1, max_size=length)) for _ in range(samples)]
    pairs = [(row, column) for row, own in enumerate(answers) for column in sorted(own)]
    rows, columns = (torch.tensor(list(side)) for side in zip(*pairs, strict=True))
    places = Places.of(rows, columns, samples)
    most, last = max(map(len, answers)), max(map(max, answers))
    assert (places is None) == (most > (last + 2) / 2)
    if places is not None:
        assert torch.equal(places.at[rows, places.order], columns) and places.own[rows, places.order].all()
        assert places.at.shape == (samples, most) and int(places.own.sum()) == len(pairs)
        assert all(places.at[row, ~places.own[row]].eq(min(own)).all() for row, own in enumerate(answers))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layers", ["all", "last:1"])
def test_states_are_those_of_the_whole_layer(family, layers, family_folder):
    vlm, given = opened(family_folder(family), layers)
    assert separable(vlm.layers) == (family not in OTHERWISE_MADE)
    if family in OTHERWISE_MADE:
        return
    whole = last_states(vlm, given)[given.rows, given.columns]
    with narrowed(vlm, given.places):
        narrow = last_states(vlm, given)
    assert narrow.shape[1] == int(given.tokens.max()) < last_states(vlm, given).shape[1]
    found = narrow[given.rows, given.places.order]
    if family in EAGER:  # whose float64 knows no padding
        found, whole = found[given.rows == 1], whole[given.rows == 1]
    assert whole.isfinite().all() and torch.allclose(found, whole, rtol=1e-10, atol=1e-12)


def test_nothing_is_left_on_the_layer_also_after_an_error(family_folder):
    vlm, given = opened(family_folder("idefics3"))
    before = {name: dict(vars(module)) for name, module in vlm.layers[-1].named_modules()}
    hooked = [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in vlm.layers[-1].modules()]
    wrong = given.__class__(**(given.__dict__ | {"columns": given.columns + 10_000}))
    for one, outcome in ((given, nullcontext()), (wrong, pytest.raises(RuntimeError))):
        with outcome:
            answer_losses(vlm, one)
        assert all("forward" not in vars(module) for module in vlm.layers[-1].modules())
        assert before.keys() == dict(vlm.layers[-1].named_modules()).keys()
        assert hooked == [len(module._forward_pre_hooks) + len(module._forward_hooks)
                          for module in vlm.layers[-1].modules()]


def test_a_layer_that_stands_twice_is_left_whole(family_folder):
    vlm, _ = opened(family_folder("idefics3"))
    vlm.layers[-1] = vlm.layers[0]
    assert not separable(vlm.layers)


def test_it_spares_what_it_promises(family_folder):
    """FLOP of the last layer's MLP and output: those of answer positions, not of all."""
    from torch.utils.flop_counter import FlopCounterMode

    vlm, given = opened(family_folder("idefics3"))
    layer = vlm.layers[-1]
    counted = []
    for states in (lambda: last_states(vlm, given), lambda: answer_losses(vlm, given)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            states()
        counted.append(counter.get_total_flops())
    samples, most = given.places.at.shape
    per_token = 2 * sum(m.weight.numel() for name, m in layer.named_modules()
                        if isinstance(m, torch.nn.Linear) and "k_proj" not in name and "v_proj" not in name)
    head = 2 * int(given.tokens.sum()) * vlm.head.weight.numel()
    spared = samples * (last_states(vlm, given).shape[1] - most) * per_token
    assert counted[0] - (counted[1] - head) == pytest.approx(spared, rel=1e-9)


def test_positions_behind_the_last_prediction_are_not_computed_unless_a_picture_lies_there(family_folder):
    from cadc.data.sample import Sample, Turn

    vlm, given = opened(family_folder("idefics3"))
    said = (Turn(role="user", parts=("why?",)), Turn(role="assistant", parts=("so",)))
    more = (Turn(role="user", parts=(0, "and here?")), Turn(role="assistant", parts=("no",), learnt=False))
    plain = Sample(index=0, id="a", turns=said)
    shown = Sample(index=1, id="b", turns=said + more, images=("a",))
    for sample, cut in ((plain, True), (shown, False)):
        encoded = vlm.encode(sample, pictures_of(sample))
        batch = vlm.collate([encoded])
        last = int(encoded.answer.nonzero().max())
        hidden = last_states(vlm, prefix(vlm, batch))
        assert hidden.shape[1] == (last if cut else encoded.length) and last < encoded.length
        whole = last_states(vlm, prefix(vlm, batch, whole=True))
        assert whole.shape[1] == encoded.length
        assert torch.allclose(hidden[:, :last], whole[:, :last], rtol=1e-10, atol=1e-12)
