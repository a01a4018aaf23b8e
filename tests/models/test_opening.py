"""A study's settings decide what is adapted and how its base weights are kept."""

import pytest

from cadc.models import open_vlm
from cadc.study import StudyConfig


@pytest.mark.parametrize(("targets", "inside"), [
    ("language", {"text_model"}), ("connector", {"connector"}), ("language+vision", {"text_model", "vision_model"})])
def test_adapters_lie_where_the_study_asks_for_them(targets, inside, family_folder):
    config = StudyConfig(pool="", target="", model=str(family_folder("idefics3")), lora_rank=2, lora_targets=targets)
    vlm = open_vlm(config, device="cpu")
    assert {name.split(".")[1] for name in vlm.lora.names} == inside
    assert (vlm.lora.outer is None) == (targets == "language")


def test_base_weights_are_kept_as_the_study_asks(family_folder):
    pytest.importorskip("bitsandbytes")
    config = StudyConfig(pool="", target="", model=str(family_folder("llama")), lora_rank=2, quantization="4bit")
    vlm = open_vlm(config, device="cpu")
    assert vlm.quantized and any("4 bits" in note for note in vlm.notes)
    assert type(vlm.layers[0].mlp.up_proj.base_layer).__name__ == "Linear4bit"
