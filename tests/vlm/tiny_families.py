"""Tiny models of the other families, each with its own processor, from config."""

from pathlib import Path

from tiny_vlm import _scramble, _text, tokenizer

VISION = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
          "image_size": 16, "patch_size": 4}
BLOCKS = (
    "<|im_start|>{% for m in messages %}{{ m['role'] + ':' }}{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


def smolvlm(folder: Path) -> Path:
    """SmolVLM: Idefics3's shape with a processor that wants video."""
    import json

    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    config = SmolVLMConfig(vision_config=VISION | {"num_hidden_layers": 1}, text_config=_text(2), scale_factor=2,
                           image_token_id=4, pad_token_id=0, tie_word_embeddings=True)
    _scramble(SmolVLMForConditionalGeneration(config)).save_pretrained(folder)
    SmolVLMImageProcessorPil(do_image_splitting=True, size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
                             ).save_pretrained(folder)
    tokenizer(BLOCKS).save_pretrained(folder)
    settings = {"processor_class": "SmolVLMProcessor", "image_seq_len": 4}
    (folder / "processor_config.json").write_text(json.dumps(settings))
    return folder


def llava(folder: Path) -> Path:
    """LLaVA-1.5: CLIP features of one layer, one flat list of pictures."""
    from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    vision = VISION | {"model_type": "clip_vision_model", "projection_dim": 16}
    config = LlavaConfig(vision_config=vision, text_config=_text(2), image_token_id=4, image_token_index=4,
                         vision_feature_layer=-2, pad_token_id=0)
    _scramble(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    LlavaProcessor(pictures, tokenizer(BLOCKS), patch_size=4, vision_feature_select_strategy="default",
                   num_additional_image_tokens=1, chat_template=BLOCKS).save_pretrained(folder)
    return folder


def onevision(folder: Path) -> Path:
    """LLaVA-OneVision: pictures in tiles of any grid, padded."""
    import json

    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
    from transformers.models.llava_onevision import image_processing_pil_llava_onevision as pil

    vision = VISION | {"model_type": "siglip_vision_model"}
    grid = [[16, 16], [16, 32], [32, 16], [32, 32]]
    text = _text(2) | {"model_type": "qwen2"}
    config = LlavaOnevisionConfig(vision_config=vision, text_config=text, image_token_id=4, image_token_index=4,
                                  image_grid_pinpoints=grid, pad_token_id=0,
                                  vision_aspect_ratio="anyres_max_9")
    _scramble(LlavaOnevisionForConditionalGeneration(config)).save_pretrained(folder)
    size = {"height": 16, "width": 16}
    pil.LlavaOnevisionImageProcessorPil(size=size, image_grid_pinpoints=grid).save_pretrained(folder)
    tokenizer(BLOCKS).save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({
        "processor_class": "LlavaOnevisionProcessor", "num_image_tokens": 16, "image_token": "<image>",
        "vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"}))
    return folder


def qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: patches of all pictures in one flat list, three-dimensional positions."""
    import json

    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "patch_size": 4, "mlp_ratio": 2,
              "spatial_merge_size": 2, "temporal_patch_size": 2}
    text = {k: v for k, v in _text(2).items() if k != "model_type"}
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10_000.0}
    config = Qwen2VLConfig(vision_config=vision, text_config=text | {"rope_parameters": rope}, image_token_id=4,
                           vision_start_token_id=3, vision_end_token_id=5, video_token_id=6, pad_token_id=0)
    _scramble(Qwen2VLForConditionalGeneration(config)).save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, temporal_patch_size=2,
                             size={"shortest_edge": 64, "longest_edge": 1024}).save_pretrained(folder)
    tokenizer(BLOCKS).save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Qwen2VLProcessor"}))
    return folder


def gemma3(folder: Path) -> Path:
    """Gemma 3: local and global layers, pictures seen in both directions."""
    import json

    from transformers import Gemma3Config, Gemma3ForConditionalGeneration
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    vision = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
    text = {k: v for k, v in _text(2).items() if k != "model_type"} | {"head_dim": 16, "sliding_window": 64}
    config = Gemma3Config(vision_config=vision, text_config=text, image_token_index=4, boi_token_index=3,
                          eoi_token_index=5, mm_tokens_per_image=4, pad_token_id=0)
    _scramble(Gemma3ForConditionalGeneration(config)).save_pretrained(folder)
    Gemma3ImageProcessorPil(size={"height": 16, "width": 16}, image_seq_length=4).save_pretrained(folder)
    names = {"image_token": "<image>", "boi_token": "<fake_token_around_image>", "eoi_token": "<global-img>"}
    made = tokenizer(BLOCKS.replace("<image>", "<fake_token_around_image>"), names=names)
    made.save_pretrained(folder)
    settings = {"processor_class": "Gemma3Processor", "image_seq_length": 4}
    (folder / "processor_config.json").write_text(json.dumps(settings))
    return folder


FAMILIES = {f.__name__: f for f in (smolvlm, llava, onevision, qwen2_vl, gemma3)}
