"""Models of real families, a few thousand parameters each, made from config into a folder; nothing is downloaded."""

from pathlib import Path

IMAGE, FENCE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"
START, PAD = "<|im_start|>", "<pad>"
SPECIALS = (PAD, START, END, FENCE, IMAGE, GLOBAL)
TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}"
    "{% if m['content'] and m['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}{{ '<image>' }}"
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<end_of_utterance>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


NAMES = {"image_token": IMAGE, "fake_image_token": FENCE, "global_image_token": GLOBAL}


def tokenizer(template: str | None = TEMPLATE, bos: str | None = START, names: dict[str, str] = NAMES):
    """One token per byte, plus the specials: any text round-trips."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(BPE(vocab={w: i for i, w in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token=PAD, bos_token=bos, eos_token=END,
                                   extra_special_tokens=names, chat_template=template)


def _text(layers: int, **more):
    return {"model_type": "llama", "vocab_size": 262, "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": layers, "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 512, **more}


def _scramble(model, seed: int = 0):
    """Weights large enough that every layer matters."""
    import torch

    generator, others = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)
    for name, weight in model.named_parameters():
        if weight.dim() >= 2:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.7 / weight[0].numel() ** 0.5
        elif not name.endswith("weight"):
            weight.data = torch.randn(weight.shape, generator=others) * 0.1
    return model


def idefics3(folder: Path, *, layers: int = 2, splitting: bool = False) -> Path:
    """Idefics3 with 16-px pictures of four tokens each (more when pictures are split into tiles)."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 4}
    config = Idefics3Config(vision_config=vision, text_config=_text(layers), scale_factor=2, image_token_id=4,
                            pad_token_id=0, tie_word_embeddings=True)
    _scramble(Idefics3ForConditionalGeneration(config)).save_pretrained(folder)
    pictures = Idefics3ImageProcessorPil(do_image_splitting=splitting, size={"longest_edge": 32 if splitting else 16},
                                         max_image_size={"longest_edge": 16}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    Idefics3Processor(pictures, tokenizer(), image_seq_len=4, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


def llama(folder: Path, *, layers: int = 2, template: str | None = CHATML) -> Path:
    """A text-only causal language model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    _scramble(LlamaForCausalLM(LlamaConfig(**_text(layers)))).save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder
