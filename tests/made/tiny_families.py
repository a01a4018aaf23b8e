"""Tiny models of the other families, each with its own processor, from config."""

from pathlib import Path

from tiny_vlm import CHATML, _scramble, _text, idefics3, llama, tokenizer

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
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "patch_size": 4, "mlp_ratio": 2,
              "spatial_merge_size": 2, "temporal_patch_size": 2}
    config = Qwen2VLConfig(vision_config=vision, text_config=_rotating(2), image_token_id=4,
                           vision_start_token_id=3, vision_end_token_id=5, video_token_id=6, pad_token_id=0)
    return _qwen(folder, Qwen2VLForConditionalGeneration(config), "Qwen2VLProcessor")


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


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: as Qwen2-VL, with attention in windows, whose patches are put in another order inside the tower."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
              "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 16, "out_hidden_size": 32,
              "fullatt_block_indexes": [1]}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=_rotating(2), image_token_id=4,
                              vision_start_token_id=3, vision_end_token_id=5, video_token_id=6, pad_token_id=0)
    return _qwen(folder, Qwen2_5_VLForConditionalGeneration(config), "Qwen2_5_VLProcessor")


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: features of inner vision blocks are added between the lowest language-model layers (DeepStack)."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    vision = {"depth": 3, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
              "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 32, "num_position_embeddings": 16,
              "deepstack_visual_indexes": [0, 1]}
    config = Qwen3VLConfig(vision_config=vision, text_config=_rotating(3) | {"head_dim": 16}, image_token_id=4,
                           vision_start_token_id=3, vision_end_token_id=5, video_token_id=6)
    return _qwen(folder, Qwen3VLForConditionalGeneration(config), "Qwen3VLProcessor")


def _rotating(layers: int) -> dict:
    """A language model with three-dimensional positions."""
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10_000.0}
    return {k: v for k, v in _text(layers).items() if k != "model_type"} | {"rope_parameters": rope}


def _qwen(folder: Path, model, processor: str) -> Path:
    import json

    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    _scramble(model).save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, temporal_patch_size=2,
                             size={"shortest_edge": 64, "longest_edge": 1024}).save_pretrained(folder)
    fenced = BLOCKS.replace("'<image>'", "'<fake_token_around_image><image><global-img>'")  # its vision start and end
    tokenizer(fenced).save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": processor}))
    return folder


def internvl(folder: Path) -> Path:
    """InternVL: all tiles in one flat list, neighbouring patches shuffled into channels before the connector."""
    import json

    from transformers import InternVLConfig, InternVLForConditionalGeneration
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    text = _text(2) | {"model_type": "qwen2"}
    config = InternVLConfig(vision_config=VISION, text_config=text, image_token_id=4, image_seq_length=4)
    _scramble(InternVLForConditionalGeneration(config)).save_pretrained(folder)
    GotOcr2ImageProcessorPil(size={"height": 16, "width": 16}, crop_to_patches=True, max_patches=3
                             ).save_pretrained(folder)
    names = {"start_image_token": "<fake_token_around_image>", "end_image_token": "<global-img>",
             "context_image_token": "<image>", "video_token": "<video>"}
    tokenizer(BLOCKS, names=names).save_pretrained(folder)
    settings = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    (folder / "processor_config.json").write_text(json.dumps(settings))
    return folder


def paligemma(folder: Path) -> Path:
    """PaliGemma: no chat template; the prompt is seen in both directions, and the processor writes it its own way."""
    import json

    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    vision = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
    text = _text(2) | {"model_type": "gemma", "head_dim": 16, "vocab_size": 1414}
    config = PaliGemmaConfig(vision_config=vision, text_config=text, image_token_index=4, projection_dim=32,
                             hidden_size=32)
    _scramble(PaliGemmaForConditionalGeneration(config)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 16, "width": 16}, image_seq_length=16).save_pretrained(folder)
    tokenizer(None, names={"image_token": "<image>"}).save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "PaliGemmaProcessor"}))
    return folder


def _causal(folder: Path, kind: str, **settings) -> Path:
    """A text-only language model of a family."""
    from transformers import AutoConfig, AutoModelForCausalLM

    text = {k: v for k, v in _text(2).items() if k != "model_type"}
    config = AutoConfig.for_model(kind, **(text | settings))
    _scramble(AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    tokenizer(CHATML).save_pretrained(folder)
    return folder


def qwen2(folder: Path) -> Path:
    """Qwen2: biases on q, k and v."""
    return _causal(folder, "qwen2")


def qwen3(folder: Path) -> Path:
    """Qwen3: norms on q and k."""
    return _causal(folder, "qwen3", head_dim=16)


def gemma2(folder: Path) -> Path:
    """Gemma 2: soft caps on attention and logits, local and global layers."""
    return _causal(folder, "gemma2", head_dim=16, sliding_window=16, final_logit_softcapping=3.0,
                   attn_logit_softcapping=2.0, query_pre_attn_scalar=16)


def gpt_neox(folder: Path) -> Path:
    """GPT-NeoX: q, k and v from one linear, attention and MLP side by side."""
    return _causal(folder, "gpt_neox")


def falcon(folder: Path) -> Path:
    """Falcon: layers under another name (`h`), one key for all heads."""
    return _causal(folder, "falcon", new_decoder_architecture=False, multi_query=True)


def gpt2(folder: Path) -> Path:
    """GPT-2: its weights are Conv1D, not linears."""
    return _causal(folder, "gpt2", n_embd=32, n_layer=2, n_head=2)


def opt(folder: Path) -> Path:
    """OPT: joins the samples of a batch before its MLP."""
    return _causal(folder, "opt", ffn_dim=48, word_embed_proj_dim=32)


def mixtral(folder: Path) -> Path:
    """Mixtral: experts whose weights are no linears."""
    return _causal(folder, "mixtral", num_local_experts=4)


PICTURES = {f.__name__: f for f in (idefics3, smolvlm, llava, onevision, qwen2_vl, qwen2_5_vl, qwen3_vl, internvl,
                                    paligemma, gemma3)}
TEXT = {f.__name__: f for f in (llama, qwen2, qwen3, gemma2, gpt_neox, falcon)}
FAMILIES = PICTURES | TEXT
EAGER = ("gemma2",)
"""Attention by hand, whose softmax is float32 whatever the model is: finite in float32 and bfloat16 only."""
