"""A larger base for the embedded default: `python -m benchmarks.larger --out DIR`. Does a curriculum carry over?

The shipped eye and connector as they are, a deeper and wider tongue of its own seed, trained on the same kind of
lessons. The tongue's width stays that of the connector; parameters go into layers and their inner width.
"""

import argparse
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import Idefics3ForConditionalGeneration


def build(layers: int, inner: int, seed: int) -> "Idefics3ForConditionalGeneration":
    """The embedded model with another text model, untrained, on the shipped eye and connector."""
    import torch
    from transformers import Idefics3ForConditionalGeneration

    from cadc.demo.model import MODEL_DIR, build_model

    config = build_model(0).config
    config.text_config.intermediate_size, config.text_config.num_hidden_layers = inner, layers
    torch.manual_seed(seed)
    net = Idefics3ForConditionalGeneration(config)
    for name, weight in net.named_parameters():
        if weight.dim() >= 2 and "text_model" in name:  # as in cadc.demo.model.build_model
            fan_in = weight.shape[1] if "embed" in name else weight[0].numel()
            torch.nn.init.normal_(weight, std=0.7 / fan_in**0.5)
    net.tie_weights()
    shipped = Idefics3ForConditionalGeneration.from_pretrained(MODEL_DIR)
    for part in ("vision_model", "connector"):
        getattr(net.model, part).load_state_dict(getattr(shipped.model, part).state_dict())
    return net


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m benchmarks.larger`."""
    import torch

    from cadc.demo import pretrain

    parser = argparse.ArgumentParser(prog="benchmarks.larger", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--inner", type=int, default=704, help="inner width of each layer")
    parser.add_argument("--steps", type=int, default=3000, help="lessons of 32 lines")
    chosen = parser.parse_args(arguments)
    if (chosen.out / "model.safetensors").exists():
        print(f"{chosen.out} is there already")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    recipe, began = pretrain.Recipe(seed=11, tongue_steps=chosen.steps), time.time()
    net = build(chosen.layers, chosen.inner, recipe.seed)
    size = sum(p.numel() for p in net.parameters())
    print(f"{size:,} parameters")
    pretrain.train_tongue(net, recipe)
    from cadc.demo.model import build_tokenizer

    notes = {"recipe": asdict(recipe), "layers": chosen.layers, "inner": chosen.inner, "parameters": size,
             "seconds": round(time.time() - began), "eye": "shipped",
             "tongue": pretrain.tongue_accuracy(net, build_tokenizer(), seed=1, per_cell=100)}
    pretrain.ship(net, chosen.out, notes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
