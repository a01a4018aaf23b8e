"""The FLOP model against counting by hand."""

import dataclasses

import pytest
import torch
from tiny_study import make_study

from cadc.errors import DataError
from cadc.estimate import costs, flops
from cadc.estimate.devices import DEVICES, device, share
from cadc.estimate.estimate import chosen_mode, device_memory, estimate_for
from cadc.estimate.ledger import kept
from cadc.estimate.sizes import sizes
from cadc.models import add_lora, load_vlm

RANK, WIDTH, INNER, HEADS, VOCABULARY = 2, 32, 48, 2, 262
KV = 16  # one key-value head of half the width


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    import tiny_vlm

    return tiny_vlm.llama(tmp_path_factory.mktemp("llama"), layers=3)


def encoded(vlm, words: int):
    from cadc.data.sample import Sample, Turn

    turns = (Turn(role="user", parts=("why " * words,)), Turn(role="assistant", parts=("so it is",)))
    return vlm.encode(Sample(index=0, id="a", images=(), turns=turns), [])


def by_hand(layers: int, tokens: int) -> int:
    """FLOP of the forward of that many decoder layers, LoRA branches not included."""
    linear = WIDTH * WIDTH * 2 + WIDTH * KV * 2 + 3 * WIDTH * INNER
    return layers * (2 * tokens * linear + 2 * 2 * tokens**2 * WIDTH)


def lora_by_hand(layers: int, tokens: int) -> int:
    both = 2 * (WIDTH + WIDTH) + 2 * (WIDTH + KV) + 3 * (WIDTH + INNER)
    return layers * 2 * tokens * RANK * both


def spared_by_hand(elsewhere: int) -> int:
    """FLOP of the last layer's queries, output and MLP at positions that predict no answer, with LoRA branches."""
    linear = WIDTH * WIDTH * 2 + 3 * WIDTH * INNER
    return 2 * elsewhere * (linear + RANK * (2 * (WIDTH + WIDTH) + 3 * (WIDTH + INNER)))


@pytest.mark.parametrize("chosen, first", [("all", 0), ("last:1", 2)])
def test_forward_flops_are_those_of_the_hand_count(text_model, chosen, first):
    vlm = load_vlm(str(text_model))
    add_lora(vlm, rank=RANK, alpha=4.0, layers=chosen)
    sample = encoded(vlm, 9)
    found = flops.count(vlm, vlm.collate([sample]))
    length = int(sample.answer.nonzero().max())  # what follows the last prediction is not computed
    assert length < sample.length
    head = 2 * WIDTH * VOCABULARY * sample.tokens
    rope = 2 * length * (WIDTH // HEADS // 2)  # the outer product of positions and frequencies, once a forward
    lower, upper = by_hand(first, length), by_hand(3 - first, length)
    assert found.vision == 0
    assert found.below == pytest.approx(lower, abs=rope)
    upper += lora_by_hand(3 - first, length) - spared_by_hand(length - sample.tokens)
    assert found.forward == pytest.approx(upper + head, abs=rope)
    assert 0.9 * found.forward < found.backward < 2 * found.forward  # frozen weights: no gradient of W


def test_the_tower_counts_by_its_tiles_and_weights(data):
    vlm = load_vlm(str(data / "model"))
    add_lora(vlm, rank=RANK, alpha=4.0)
    from PIL import Image

    from cadc.data.sample import Sample, Turn

    def seen(pictures: int) -> flops.RowFlops:
        turns = (Turn(role="user", parts=(*range(pictures), "what?")), Turn(role="assistant", parts=("red",)))
        sample = Sample(index=0, id="a", images=("x",) * pictures, turns=turns)
        return flops.count(vlm, vlm.collate([vlm.encode(sample, [Image.new("RGB", (16, 16))] * pictures)]))

    patches, width, inner = 16, 16, 24  # 16-px pictures in patches of 4 px
    tile = 2 * patches * (3 * 16 * width + 4 * width * width + 2 * width * inner) + 4 * patches**2 * width
    connector = 2 * (patches // 4) * (4 * width) * WIDTH
    assert seen(1).vision == pytest.approx(tile + connector, rel=1e-9)
    assert seen(2).vision == pytest.approx(2 * (tile + connector), rel=1e-9)


def test_a_few_counted_rows_determine_all_lengths(text_model):
    vlm = load_vlm(str(text_model))
    add_lora(vlm, rank=RANK, alpha=4.0, layers="last:2")
    samples = [encoded(vlm, n) for n in (1, 5, 12, 30, 3, 21)]
    counted = [flops.count(vlm, vlm.collate([s])) for s in samples]
    shapes = [flops.shape_of(s) for s in samples]
    for left_out in (4, 5):
        found = flops.mean_row(shapes[:4], counted[:4], [shapes[left_out]])
        for part in dataclasses.fields(flops.RowFlops):
            assert getattr(found, part.name) == pytest.approx(getattr(counted[left_out], part.name), rel=0.01), part


def test_counting_leaves_the_model_as_it_was(text_model):
    vlm = load_vlm(str(text_model))
    add_lora(vlm, rank=RANK, alpha=4.0)
    flops.count(vlm, vlm.collate([encoded(vlm, 4)]))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in vlm.model.modules())
    assert all(p.grad is None for p in vlm.model.parameters())


def test_products_cost_one_multiply_add_per_number_and_vector():
    with flops.counting() as counter:
        torch.randn(1, 50) @ torch.randn(50, 7)
    assert flops.product_flops(7, 50) == counter.get_total_flops()


def test_a_named_device_is_predicted_without_it_and_marked_as_not_measured(data, tmp_path):
    study = make_study(data, tmp_path)
    found = estimate_for(study, "A100-40g")
    assert "not measured" in found["basis"] and "A100 40 GB" in found["basis"]
    assert found["mode"] == "exact" and found["total"]["memory_mb"] > 0
    assert kept(study)["a100-40g"] == found
    half = estimate_for(study, "a100-40g", efficiency=share(None) / 2)
    assert half["flops"] == found["flops"]


def test_flops_of_a_job_grow_with_the_pool_and_the_checkpoints(data, tmp_path):
    study = make_study(data, tmp_path, judges=0)  # which would make the embedding on their way
    row = flops.RowFlops(vision=5, below=3, forward=7, backward=11, kept=1)
    known = sizes(study)
    twice = dataclasses.replace(known, pool=2 * known.pool, distinct=2 * known.distinct)
    prices = costs.counted(row, study.config.checkpoints, flops.product_flops(1, 10))
    once, more = ({job: cost.price for job, cost in costs.costs_of(
        costs.Work(config=study.config, sizes=k, parameters=10, width=32), prices).items()} for k in (known, twice))
    products = 2 * known.vectors * 10
    assert once["attribute"] == known.pool * (8 + study.config.checkpoints * (18 + products))
    assert more["attribute"] == 2 * once["attribute"]
    assert known.targets == 15 < known.target_rows == 18, "five of six of each unit have gradients"
    assert once["embedding"] == (known.pool + known.target_rows) * (8 + 7)


def test_vectors_that_do_not_fit_make_it_a_sketch(data, tmp_path):
    study = make_study(data, tmp_path)
    known = dataclasses.replace(sizes(study), singles=3_240, units=162)
    memory = device_memory(study, known, 20_000_000, weights=7_000_000_000, kept=1e8, tokens=800)
    assert memory["exact"] > 100 * memory["sketch"] / 20
    assert chosen_mode(study, memory, device("h100")) == "sketch"
    small = device_memory(study, known, 2_400_000, weights=250_000_000, kept=1e8, tokens=800)
    assert chosen_mode(study, small, device("h100")) == "exact"


def test_an_unknown_device_is_answered_with_the_known_ones(data, tmp_path):
    with pytest.raises(DataError, match="a100-80g.*rtx4090"):
        estimate_for(make_study(data, tmp_path), "abacus")
    assert all(d.tflops > 0 and d.memory_gb > 0 for d in DEVICES.values())


@pytest.mark.parametrize("efficiency", [0, -0.1, 1.5])
def test_an_impossible_efficiency_is_refused(efficiency):
    with pytest.raises(DataError, match="share of the device's peak"):
        share(efficiency)


def test_copies_are_read_once(data, tmp_path):
    study = make_study(data, tmp_path)
    row = flops.RowFlops(vision=5, below=3, forward=7, backward=11, kept=1)
    known = dataclasses.replace(sizes(study), pool=100, distinct=100)
    prices = costs.counted(row, study.config.checkpoints, flops.product_flops(1, 10))

    def of(distinct: int) -> dict[str, float]:
        work = costs.Work(config=study.config, sizes=dataclasses.replace(known, distinct=distinct), parameters=10,
                          width=32)
        return {job: cost.price for job, cost in costs.costs_of(work, prices).items()}

    whole, half = of(100), of(50)
    assert half["attribute"] == whole["attribute"] / 2
    assert whole["judge"] - half["judge"] == 50 * (8 + 7 + study.config.judges * 7)
    assert half["warmup"] == whole["warmup"] and half["targets"] == whole["targets"]
