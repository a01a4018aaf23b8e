"""The embedding of every family: means of the base's last hidden states, over a sample and where its answer is written,
whatever else is in the batch."""

import numpy as np
import pytest
import torch
from talks import pictures_of, readable
from tiny_families import EAGER, FAMILIES

from cadc.models import add_lora, load_vlm
from cadc.signals.embedding import last_hidden


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_mean_of_the_last_hidden_states(family, family_folder):
    exact = family not in EAGER
    vlm = load_vlm(str(family_folder(family)), dtype="float64" if exact else "float32")
    samples = readable(vlm)
    encoded = [vlm.encode(sample, pictures_of(sample)) for sample in samples]
    assert len({one.length for one in encoded}) > 1, "padding is left out"
    wanted = []
    with torch.no_grad():
        for one in encoded:  # each alone, through the whole model, before any adapter is there
            batch = vlm.collate([one]).to(vlm.device, vlm.dtype)
            inputs = batch.inputs
            hidden = vlm.model(**inputs, use_cache=False, output_hidden_states=True).hidden_states[-1]
            real, writes = inputs["attention_mask"][0].bool(), batch.answer[0].roll(-1)  # each token by the one before
            wanted.append([hidden[0, where].mean(0).numpy() for where in (real, writes)])
    add_lora(vlm, rank=2, alpha=4.0)
    found = last_hidden(vlm, vlm.collate(encoded))
    assert found.shape == (len(samples), 2, found.shape[2])
    assert np.allclose(found, np.array(wanted), rtol=1e-4, atol=1e-5)
    assert all(len(np.unique(found[:, part].round(4), axis=0)) == len(samples) for part in (0, 1))
