"""What a published setting costs on a named device, from counted FLOP: `python -m benchmarks.cost`.

No weights and no device are needed: the real shapes are built on torch's meta device, the engine's own forward,
backward and hooks run on them, and torch counts. Compared with one backward per sample and checkpoint with adapters on
all layers, as LESS does it (the tower runs again each time). It prints a table and one line of JSON, marked as what it
is: an estimate.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from cadc.errors import CadcError
from cadc.estimate.devices import DEVICES, EFFICIENCY, device, share
from cadc.estimate.flops import RowFlops, count_rest, counting, product_flops
from cadc.signals import judge_training
from cadc.study import StudyConfig


@dataclass(frozen=True)
class Setting:
    """A model's shape and what one picture becomes in it."""

    describe: str
    tiles: int
    """Tiles of one picture."""
    side: int
    """Pixels of a tile's side."""
    tile_tokens: int
    """Tokens of a tile in the language model, its markers included."""


SETTINGS = {
    "smolvlm-256m": Setting("SmolVLM-256M-Instruct; a 640 × 480 picture becomes 13 tiles of 512 px, 4 × 3 and the "
                            "whole", tiles=13, side=512, tile_tokens=67),
    "llava-1.5-7b": Setting("LLaVA-1.5-7B; every picture is one tile of 336 px", tiles=1, side=336, tile_tokens=576),
}


def build(name: str) -> Any:
    """The real shape without weights. Raises CadcError for an unknown name."""
    import torch
    from transformers import AutoModelForImageTextToText

    if name not in SETTINGS:
        raise CadcError(f"model {name!r} has no published shape here. Known: {', '.join(SETTINGS)}.")
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config({"smolvlm-256m": _smolvlm, "llava-1.5-7b": _llava}[name](),
                                                        dtype=torch.bfloat16)
    return model.requires_grad_(False).eval()


def _smolvlm() -> Any:
    from transformers import SmolVLMConfig

    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
              "image_size": 512, "patch_size": 16}
    text = {"model_type": "llama", "vocab_size": 49_280, "hidden_size": 576, "intermediate_size": 1536,
            "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
            "max_position_embeddings": 8192}
    return SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=4)


def _llava() -> Any:
    from transformers import LlavaConfig

    vision = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096,
              "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 336, "patch_size": 14,
              "projection_dim": 768}
    text = {"model_type": "llama", "vocab_size": 32_064, "hidden_size": 4096, "intermediate_size": 11_008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "max_position_embeddings": 4096}
    return LlavaConfig(vision_config=vision, text_config=text, vision_feature_layer=-2)


def vision_flops(name: str, model: Any) -> float:
    """FLOP of tower and connector for one picture."""
    import torch

    setting, inner = SETTINGS[name], model.model
    pixels = torch.empty(setting.tiles, 3, setting.side, setting.side, device="meta", dtype=torch.bfloat16)
    with torch.no_grad(), counting() as counter:
        if name == "llava-1.5-7b":
            features = inner.vision_tower(pixels).last_hidden_state
            inner.multi_modal_projector(features[:, 1:])
        else:
            patches = inner.vision_model.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
            seen = inner.vision_model.encoder(inputs_embeds=patches).last_hidden_state
            inner.connector(inner.vision_model.post_layernorm(seen))
    return float(counter.get_total_flops())


def layers_flops(model: Any, *, tokens: int, answers: int, rank: int, last: int | None) -> tuple[RowFlops, int]:
    """FLOP of the language model for one sample, and P: adapters on all layers, or on the last `last` only."""
    import torch

    from cadc.models import Prefix, Vlm, add_lora

    decoder = model.get_decoder()
    vlm = Vlm(model, None, None, decoder, decoder.layers, "meta", torch.bfloat16)
    layout = add_lora(vlm, rank=rank, alpha=2.0 * rank, layers=f"last:{last}" if last else "all")
    states = torch.empty(1, tokens, vlm.text_config.hidden_size, device="meta", dtype=torch.bfloat16)
    first = layout.first_layer
    below = 0.0
    if first:
        with torch.no_grad(), counting() as counter:
            _lower(decoder, states, first)
        below = float(counter.get_total_flops())
    index = torch.zeros(answers, dtype=torch.int64, device="meta")
    given = Prefix((), _call(states), states if first else None, first, False, index,
                   index, index, torch.ones(1, dtype=torch.int64, device="meta"))
    forward, backward, kept = count_rest(vlm, given)
    return RowFlops(vision=0.0, below=below, forward=forward, backward=backward, kept=kept), layout.size


def _call(states: Any) -> dict[str, Any]:
    """What the decoder is called with; a ready-made mask, since transformers looks at values to make one."""
    import torch

    mask = torch.empty(1, 1, states.shape[1], states.shape[1], device="meta", dtype=states.dtype)
    return {"inputs_embeds": states, "attention_mask": mask, "use_cache": False}


def _lower(decoder: Any, states: Any, first: int) -> None:
    """The lowest `first` layers: the decoder runs with the others passed by."""
    skipped = list(decoder.layers[first:])
    for layer in skipped:
        layer.forward = lambda hidden_states, *args, **kwargs: hidden_states
    try:
        decoder(**_call(states))
    finally:
        for layer in skipped:
            del layer.forward


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is asked: N samples, T checkpoints, R target vectors, adapters of one rank."""

    samples: int
    checkpoints: int
    vectors: int
    rank: int
    text_tokens: int
    answers: int


def rows(name: str, work: Work) -> list[dict[str, Any]]:
    """One row per way of computing: parts in FLOP per sample, P, and FLOP per sample for all checkpoints."""
    setting = SETTINGS[name]
    tokens = setting.tiles * setting.tile_tokens + work.text_tokens
    vision = vision_flops(name, build(name))
    depth = build(name).config.get_text_config().num_hidden_layers
    found = []
    for label, last in (("all", None), (f"last:{depth // 4}", depth // 4)):
        part, parameters = layers_flops(build(name), tokens=tokens, answers=work.answers, rank=work.rank, last=last)
        product = product_flops(work.vectors, parameters)
        parts = asdict(part) | {"vision": vision, "product": product, "parameters": parameters}
        whole = vision + part.below + work.checkpoints * (part.forward + part.backward + product)
        found.append({"way": f"ours, lora_layers={label}", **parts, "total": whole})
        if last is None:
            less = work.checkpoints * (vision + part.forward + part.backward)
            found.append({"way": "one backward per sample and checkpoint (LESS)", **parts, "product": 0.0,
                          "total": less})
    return sorted(found, key=lambda row: -row["total"])


def beside(ours: dict[str, Any], work: Work) -> dict[str, float]:
    """FLOP per pool sample of what `studio` computes beside the gradients: `judge`, whose pass runs the tower again
    for every sample and yields the embedding too. ours: the row of `lora_layers=all`."""
    config = StudyConfig(pool="", target="", model="")
    trained = config.judges * judge_training.steps_for(config, work.vectors) * judge_training.BATCH
    forward = ours["vision"] + ours["forward"]
    read = ours["vision"] + (1 + config.judges) * ours["forward"]
    return {"judge": trained * (forward + ours["backward"]) / work.samples + read}


def hours(flop_per_sample: float, samples: int, tflops: float, efficiency: float) -> float:
    """Device hours of the whole pool."""
    return flop_per_sample * samples / (tflops * 1e12 * efficiency) / 3600


def table(name: str, work: Work, device_name: str, efficiency: float, found: list[dict[str, Any]]) -> str:
    """The printed table, in Markdown."""
    chosen, setting = device(device_name), SETTINGS[name]
    head = (f"{setting.describe}; {setting.tiles * setting.tile_tokens + work.text_tokens} tokens with the text, "
            f"{work.answers} of them answers; {work.samples:,} samples × {work.checkpoints} checkpoints, rank "
            f"{work.rank}, {work.vectors:,} target vectors; {chosen.name} at {efficiency:.0%} of "
            f"{chosen.tflops:g} TFLOP/s. From the FLOP model, not measured.\n\n"
            "| way | tower | layers below | forward | backward | products | TFLOP per sample, all checkpoints | "
            "device hours | of LESS |\n|---|---|---|---|---|---|---|---|---|\n")
    peer = next(row["total"] for row in found if "LESS" in row["way"])
    lines = []
    for row in found:
        parts = " | ".join(f"{row[key] / 1e9:,.0f}" for key in ("vision", "below", "forward", "backward", "product"))
        spent = hours(row["total"], work.samples, chosen.tflops, efficiency)
        lines.append(f"| {row['way']} | {parts} | {row['total'] / 1e12:.2f} | {spent:.2f} | "
                     f"{row['total'] / peer:.2f} |")
    return head + "\n".join(lines) + "\n\nTower to products: GFLOP per sample (and checkpoint, from `forward` on)."


def main(arguments: list[str] | None = None) -> int:
    """Print the table and one line of JSON; 2 and one line on stderr for an unknown model or device."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smolvlm-256m", help=", ".join(SETTINGS))
    parser.add_argument("--device", default="h100", help=", ".join(DEVICES))
    parser.add_argument("--efficiency", type=float, default=EFFICIENCY)
    parser.add_argument("--samples", type=int, default=665_000)
    parser.add_argument("--checkpoints", type=int, default=4)
    parser.add_argument("--vectors", type=int, default=162 * 20 + 2 * 162,
                        help="target vectors R; default: 162 subtasks × 20 samples, plain and grounded means")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--text-tokens", type=int, default=200)
    parser.add_argument("--answers", type=int, default=100, help="answer tokens of a sample")
    chosen = parser.parse_args(arguments)
    work = Work(samples=chosen.samples, checkpoints=chosen.checkpoints, vectors=chosen.vectors, rank=chosen.rank,
                text_tokens=chosen.text_tokens, answers=chosen.answers)
    try:
        kind, efficiency = device(chosen.device), share(chosen.efficiency)
        found = rows(chosen.model, work)
    except CadcError as error:
        print(f"benchmarks.cost: {error}", file=sys.stderr)
        return 2
    print(table(chosen.model, work, chosen.device, efficiency, found))
    more = beside(next(row for row in found if row["way"] == "ours, lora_layers=all"), work)
    more = {name: hours(flop, work.samples, kind.tflops, efficiency) for name, flop in more.items()}
    print(f"Beside the gradients, device hours: judges and embedding {more['judge']:.2f}.")
    spent = [row | {"hours": hours(row["total"], work.samples, kind.tflops, efficiency)} for row in found]
    print(json.dumps({"estimate": "from the FLOP model, not measured", "model": chosen.model, "device": kind.name,
                      "efficiency": efficiency, **asdict(work), "rows": spent, "beside": more}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
