"""A sample's numbers do not depend on the samples beside it; a model that breaks this is found out."""

import pytest
import torch
from watching import Counting

from cadc.gradients import targets
from cadc.gradients.attribute import PoolPass, run_attribute
from cadc.models.feed import Feed
from cadc.scores import attribution, compaction


@pytest.fixture(scope="module")
def engine(ready):
    made = PoolPass(ready)
    return made, Feed(ready, "pool", made.vlm)


def close(ours: torch.Tensor, truth: torch.Tensor) -> None:
    """Each row within 1e-5 of its own size."""
    scale = truth.abs().flatten(1).amax(1)
    assert ((ours - truth).abs().flatten(1).amax(1) <= 1e-5 * scale).all()


def test_every_number_of_a_sample_is_the_same_alone_beside_others_and_in_any_order(engine):
    made, feed = engine
    batch = [(row, feed.encode(row)) for row in range(16)]
    assert len({len(feed.samples[row].images) for row, _ in batch}) == 3  # none, one, two pictures
    assert len({encoded.length for _, encoded in batch}) > 5
    alone = [made.scores([item]) for item in batch]
    orders = (list(range(16)), list(range(15, -1, -1)), [0, 3, 7], [5, 0], [4, 8, 12], [1, 2, 3])
    for order in orders:
        together = made.scores([batch[i] for i in order])
        for name, value in together.items():
            truth = torch.cat([alone[i][name] for i in order])
            if value.is_floating_point():
                rows = (len(order), -1)
                close(value.reshape(rows), truth.reshape(rows))
            else:
                assert torch.equal(value, truth), name


def test_sound_attention_gives_no_warning(ready):
    assert targets.summary(ready)["warnings"] == []


def test_attention_that_ignores_the_mask_is_named_and_the_warning_is_kept(ready, own_copy, monkeypatch):
    from transformers.models.llama.modeling_llama import LlamaAttention

    study = own_copy(ready)
    study.result("targets").remove()
    own = LlamaAttention.forward

    def averaged(self, hidden_states, *args, **kwargs):
        out, weights = own(self, hidden_states, *args, **kwargs)
        return out + hidden_states.mean(1, keepdim=True), weights  # every position sees all, padding too

    monkeypatch.setattr(LlamaAttention, "forward", averaged)
    told = Counting()
    for job in (targets.run_targets, run_attribute, compaction.run_scores):
        job(study, told)
    for found in (targets.summary(study), attribution.report(study)):
        warnings = found["warnings"]
        assert len(warnings) == 1 and "'sdpa' may ignore padding" in warnings[0] and "'eager'" in warnings[0]
    assert sum("scores depend on which samples share a batch" in note for note in told.notes) == 2
