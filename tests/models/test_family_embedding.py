"""The embedding of every family: the mean of the base's last hidden states, whatever else is in the batch."""

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
            inputs = vlm.collate([one]).to(vlm.device, vlm.dtype).inputs
            hidden = vlm.model(**inputs, use_cache=False, output_hidden_states=True).hidden_states[-1]
            wanted.append(hidden[0, inputs["attention_mask"][0].bool()].mean(0).numpy())
    add_lora(vlm, rank=2, alpha=4.0)
    found = last_hidden(vlm, vlm.collate(encoded))
    assert np.allclose(found, np.stack(wanted), rtol=1e-4, atol=1e-5)
    assert len(np.unique(found.round(4), axis=0)) == len(samples)
