"""Models and data of the gradient benchmark: the same for every engine, drawn from one seed.

The embedded model reads rows of its own pool. The others have the real shape of a published model with random weights
(speed does not depend on what weights say) and random pictures and tokens of realistic lengths.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cadc.models import Batch, Vlm, add_lora

ALPHA = 16.0
QUESTION, ANSWER = (30, 90), (10, 60)
"""Fewest and most text tokens of a drawn question and of its answer."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What every engine of a comparison gets."""

    model: str
    """embedded, smolvlm or llava."""
    batch: int
    """Samples of a batch."""
    batches: int = 1
    """Batches of a round."""
    tiles: int = 1
    """Tiles of a picture (smolvlm: 1 is the whole picture alone, 17 its own tiling of a large one)."""
    units: int = 20
    """Target units M; each adds a mean."""
    singles: int = 32
    """Single target samples of a unit."""
    checkpoints: int = 1
    """T."""
    layers: str = "all"
    """`all` or `last:k`."""
    rank: int = 8
    """LoRA rank r."""
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    weights: str = ""
    """Folder with the drawn weights of a real shape, mapped into memory so that engines share them; '' draws them."""

    @property
    def vectors(self) -> int:
        """R: target vectors."""
        return self.units * (self.singles + 1)


def quarter(model: str) -> int:
    """A quarter of the language model's layers, rounded up: k of `last:k`."""
    layers = {"embedded": 4, "smolvlm": 30, "llava": 32}[model]
    return -(-layers // 4)


def open_load(load: Load) -> tuple[Vlm, list[Batch]]:
    """The model with its adapters, and the batches of a round on its device."""
    torch.manual_seed(load.seed)
    vlm = _embedded(load) if load.model == "embedded" else _drawn(load)
    add_lora(vlm, rank=load.rank, alpha=ALPHA, layers=load.layers, seed=load.seed)
    batches = _pool_batches(load, vlm) if load.model == "embedded" else _drawn_batches(load, vlm)
    return vlm, batches


def adapters(vlm: Vlm, count: int, seed: int) -> list[torch.Tensor]:
    """`count` flat adapters [P] in float32, small as after a short training."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        flat = torch.empty(vlm.layout.size).normal_(0, 0.02, generator=generator)
        made.append(flat.to(vlm.device))
    return made


def _embedded(load: Load) -> Vlm:
    from cadc.demo import MODEL_DIR
    from cadc.models import load_vlm

    return load_vlm(str(MODEL_DIR), device=load.device)


def _pool_batches(load: Load, vlm: Vlm) -> list[Batch]:
    """Rows of the embedded pool with a picture, in order of length."""
    from cadc.data import ingest, open_images
    from cadc.demo import PoolMix, write_mix

    wanted = load.batch * load.batches
    with tempfile.TemporaryDirectory() as folder:
        files = write_mix(Path(folder), PoolMix(seed=load.seed, size=max(100, 2 * wanted), per_unit=1))
        samples = [s for s in ingest(files.pool, files.images).samples if s.images][:wanted]
        encoded = [vlm.encode(s, open_images(s, files.images, None)) for s in samples]
    encoded.sort(key=lambda e: e.length)
    return [vlm.collate(encoded[i:i + load.batch]) for i in range(0, wanted, load.batch)]


def _config(name: str) -> Any:
    """Configuration of a published model, typed in so that nothing is fetched."""
    if name == "smolvlm":  # HuggingFaceTB/SmolVLM-256M-Instruct
        from transformers import SmolVLMConfig

        vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
                  "image_size": 512, "patch_size": 16}
        text = {"model_type": "llama", "vocab_size": 49_280, "hidden_size": 576, "intermediate_size": 1536,
                "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "rope_theta": 100_000.0,
                "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "pad_token_id": 2}
        return SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=4, image_token_id=49_190,
                             pad_token_id=2, tie_word_embeddings=False)
    from transformers import LlavaConfig  # llava-hf/llava-1.5-7b-hf

    vision = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096,
              "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 336, "patch_size": 14,
              "projection_dim": 768}
    text = {"model_type": "llama", "vocab_size": 32_064, "hidden_size": 4096, "intermediate_size": 11_008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "pad_token_id": 32_001}
    return LlavaConfig(vision_config=vision, text_config=text, image_token_id=32_000, image_token_index=32_000,
                       vision_feature_layer=-2, pad_token_id=32_001)


def _drawn(load: Load) -> Vlm:
    """A model of that shape with small random weights: bfloat16 on a GPU, float32 on a CPU."""
    from transformers import AutoModelForImageTextToText

    torch.set_num_threads(load.threads)
    dtype = torch.bfloat16 if load.device.startswith("cuda") else torch.float32
    if load.weights:
        model = AutoModelForImageTextToText.from_pretrained(load.weights, dtype=dtype, local_files_only=True)
    else:
        with torch.device(load.device):
            model = AutoModelForImageTextToText.from_config(_config(load.model), dtype=dtype)
    model.requires_grad_(False).eval()
    model.config.use_cache = False
    decoder = model.get_decoder()
    return Vlm(model, None, None, decoder, decoder.layers, load.device, dtype)


def _drawn_batches(load: Load, vlm: Vlm) -> list[Batch]:
    """Random pictures and tokens: each sample its pictures' places, a question, an answer."""
    config = vlm.model.config
    generator = torch.Generator().manual_seed(load.seed + 1)
    side = config.vision_config.image_size
    patches = (side // config.vision_config.patch_size) ** 2
    scale = getattr(config, "scale_factor", 1)
    places = patches // scale**2 * load.tiles

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    lengths = sorted((draw(*QUESTION), draw(*ANSWER)) for _ in range(load.batch * load.batches))
    made = []
    for start in range(0, len(lengths), load.batch):
        part = lengths[start:start + load.batch]
        longest = places + max(q + a for q, a in part)
        ids = torch.full((len(part), longest), config.pad_token_id)
        seen, answer = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
        for row, (question, reply) in enumerate(part):
            end = places + question + reply
            ids[row, :places] = config.image_token_id
            ids[row, places:end] = torch.randint(10, 30_000, (question + reply,), generator=generator)
            seen[row, :end] = 1
            answer[row, end - reply:end] = True
        count = (len(part), load.tiles) if load.model == "smolvlm" else (len(part),)
        pixels = torch.randn(*count, 3, side, side, generator=generator)
        inputs = {"input_ids": ids, "attention_mask": seen, "pixel_values": pixels}
        made.append(Batch(inputs, answer).to(load.device, vlm.dtype))
    return made


def write_weights(model: str, folder: str, seed: int) -> None:
    """Draw the weights of a real shape once, in a process of its own, for all engines on a CPU."""
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(seed)
    AutoModelForImageTextToText.from_config(_config(model), dtype=torch.float32).save_pretrained(folder)


if __name__ == "__main__":
    write_weights(sys.argv[1], sys.argv[2], int(sys.argv[3]))
