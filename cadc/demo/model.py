"""The tiny Idefics3: its tokenizer, processor and untrained model."""

from pathlib import Path
from typing import TYPE_CHECKING

from cadc.demo import words

if TYPE_CHECKING:
    from transformers import Idefics3ForConditionalGeneration, Idefics3Processor, PreTrainedTokenizerFast

MODEL_DIR = Path(__file__).parent / "model"
SIDE, PATCH, SCALE = 64, 16, 1
IMAGE_TOKENS = (SIDE // PATCH // SCALE) ** 2
IMAGE, FENCE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"
START, PAD = "<|im_start|>", "<pad>"
SPECIALS = (PAD, START, END, FENCE, IMAGE, GLOBAL)

# SmolVLM's template; it also takes a plain string as content.
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'] is string %}{{ ': ' + message['content'] }}{% else %}"
    "{% if message['content'] and message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}"
    "{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{% endif %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
EVERYDAY = (
    "User Assistant User: Assistant: . , ? ! : ; ' yes no A B C D E F G H A picture of with and on "
    "the a an no thing things sign table chart dots pair row group die map clock fence sum couple "
    "showing number colour shape size place list seven eight nine ten zero plus minus equals after "
    "before letter word opposite day week month comes first last middle name animal animals plant "
    "plants food hot cold up down big small old new happy sad fast slow day night Monday Tuesday "
    "Wednesday Thursday Friday Saturday Sunday dog cat bird fish tree rose grass apple bread milk "
    "sky sea snow coal blood sun white black pick spell between not is are do does what which how "
    "many in at to for it Spell Which What How Is Are Do Does The opposite Name Count sentence "
    "please true say tell me "
)


def vocabulary() -> list[str]:
    """Words that are one token each; everything else goes through bytes."""
    text = [EVERYDAY, *words.HINTS.values(), *words.CAPTION_PROMPTS]
    text += [name for names in words.CONCEPTS.values() for name in names]
    text += [question for asked in words.ASKS.values() for question in (*asked.open, *asked.check)]
    plain = " ".join(text).replace("{c}", "").replace("{v}", "")
    for mark in "?.,:;!":
        plain = plain.replace(mark, " ")
    pieces = {w for w in plain.split() if len(w) > 1}
    singles = {c for c in "ABCDEFGHa123456789?.,:!"}
    return sorted({w for p in pieces for w in (p, "Ġ" + p)} | {"Ġ" + c for c in singles})


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Unigram over GPT-2's byte alphabet: words are single tokens and any text round-trips exactly."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import Unigram
    from transformers import PreTrainedTokenizerFast

    pieces = [(c, -20.0) for c in sorted(pre_tokenizers.ByteLevel.alphabet())]
    pieces += [(w, -8.0) for w in vocabulary()]
    tokenizer = Tokenizer(Unigram([(s, 0.0) for s in SPECIALS] + pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        unk_token=PAD,
        extra_special_tokens={"image_token": IMAGE, "fake_image_token": FENCE, "global_image_token": GLOBAL},
        clean_up_tokenization_spaces=False,
        padding_side="right",
        model_max_length=1024,
        chat_template=CHAT_TEMPLATE,
    )


def build_processor() -> "Idefics3Processor":
    """Idefics3Processor without image splitting, on the PIL backend (no torchvision)."""
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    images = Idefics3ImageProcessorPil(
        do_image_splitting=False,
        do_resize=True,
        size={"longest_edge": SIDE},
        max_image_size={"longest_edge": SIDE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return Idefics3Processor(images, build_tokenizer(), image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE)


def build_model(seed: int = 0) -> "Idefics3ForConditionalGeneration":
    """An untrained Idefics3 of about 1.2 M parameters."""
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    tokenizer = build_tokenizer()
    ids = {name: number for name, number in tokenizer.get_vocab().items() if name in SPECIALS}
    common = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
    vision = common | {"num_hidden_layers": 3, "image_size": SIDE, "patch_size": PATCH}
    text = common | {"model_type": "llama", "vocab_size": len(tokenizer), "num_hidden_layers": 4,
                     "num_key_value_heads": 4, "max_position_embeddings": 2048, "tie_word_embeddings": True,
                     "rms_norm_eps": 1e-5, "pad_token_id": ids[PAD], "bos_token_id": ids[START],
                     "eos_token_id": ids[END]}
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=SCALE,
        image_token_id=ids[IMAGE],
        pad_token_id=ids[PAD],  # type: ignore[call-arg]  # every config takes it
        tie_word_embeddings=True,
    )
    config.eos_token_id, config.bos_token_id = ids[END], ids[START]
    torch.manual_seed(seed)
    model = Idefics3ForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        # 0.02, transformers' default, stalls near chance at this width; so does "where" with faint positions.
        if weight.dim() >= 2:
            fan_in = 128 if "embed" in name and "patch" not in name else weight[0].numel()
            torch.nn.init.normal_(weight, std=0.5 if "position" in name else 0.7 / fan_in**0.5)
    model.tie_weights()
    return model
