"""A Qwen2-VL of a few thousand numbers, made from config, that every trainer loads as if it came from a hub."""

import json
from pathlib import Path

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END, IMAGE = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
MERGES = (("Ċ", "Ċ"), ("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("Ġ", "Ġ"), ("i", "n"), ("Ġ", "a"))
"""Bytes that join: a line break with the next, as in real vocabularies."""
FIRST = 256 + len(MERGES)
"""Id of the first special token."""
SPECIALS = (PAD, START, END, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
            "<|quad_start|>", "<|quad_end|>", VISION_START, VISION_END, "<|vision_pad|>", IMAGE, "<|video_pad|>")
PATCH, MERGE = 14, 2
MAX_PIXELS = 640 * 28 * 28
"""Larger pictures are made smaller by its processor: the limit is the model folder's, not the trainers' own."""
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2-VL's own, without its videos."""


def tiny_qwen2_vl(folder: Path) -> Path:
    """Write the model, its processor and its tokenizer."""
    import torch
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    torch.manual_seed(0)
    text = {"vocab_size": FIRST + len(SPECIALS), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32_768,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10_000.0},
            "bos_token_id": FIRST, "eos_token_id": FIRST + 2, "pad_token_id": FIRST}
    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "patch_size": PATCH, "mlp_ratio": 2,
              "spatial_merge_size": MERGE, "temporal_patch_size": 2, "in_channels": 3, "in_chans": 3}
    ids = {f"{name}_token_id": FIRST + SPECIALS.index(token) for name, token in (
        ("vision_start", VISION_START), ("vision_end", VISION_END), ("image", IMAGE), ("video", "<|video_pad|>"))}
    config = Qwen2VLConfig(vision_config=vision, text_config=text, tie_word_embeddings=True, **ids)
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    pictures = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
                "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
                "size": {"shortest_edge": 56 * 56, "longest_edge": MAX_PIXELS}, "min_pixels": 56 * 56,
                "max_pixels": MAX_PIXELS, "merge_size": MERGE, "patch_size": PATCH, "temporal_patch_size": 2,
                "resample": 3, "rescale_factor": 1 / 255, "image_processor_type": "Qwen2VLImageProcessor",
                "processor_class": "Qwen2VLProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures, indent=1))
    return folder


def _tokenizer():  # type: ignore[no-untyped-def]
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in MERGES), *SPECIALS]
    made = Tokenizer(BPE(vocab={word: number for number, word in enumerate(words)}, merges=list(MERGES)))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, eos_token=END, chat_template=TEMPLATE, model_max_length=32_768,
        extra_special_tokens={"image_token": IMAGE, "video_token": "<|video_pad|>", "vision_bos_token": VISION_START,
                              "vision_eos_token": VISION_END})
