"""Load any Hugging Face image-text-to-text model (or text-only causal LM) with its processor."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cadc.errors import ModelError
from cadc.models.encode import Encoder
from cadc.models.quantized import keep_packing, quantization_notes, quantized_loading
from cadc.models.refusal import unsupported
from cadc.models.vlm import Vlm

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

log = logging.getLogger(__name__)

ALIGNMENT = 64
"""Bytes: where torch lets its own CPU tensors start."""
NO_LIMIT = 1 << 30
"""`max_tokens` where none shall be refused for its length."""


def best_device() -> str:
    """`cuda` where one is visible, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def set_threads(device: str) -> None:
    """One torch thread on a CPU unless OMP_NUM_THREADS says otherwise: beside any other busy process, several threads
    that wait for each other by spinning are ten times slower than one; more cores are used by more processes."""
    if device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def load_vlm(path_or_id: str, *, device: str = "cpu", dtype: str = "float32", trust_remote_code: bool = False,
             max_tokens: int = 2048, quantization: str = "none") -> Vlm:
    """Load a model from a local folder or by its id, safetensors only, frozen and in eval mode.

    `quantization`: `none`, or base weights in `8bit` or `4bit` through bitsandbytes. Raises ModelError when the model
    cannot be loaded or quantised, or its parts cannot be found.
    """
    from transformers import AutoConfig

    set_threads(device)
    quantized = quantized_loading(quantization, device, dtype)
    options = _options(path_or_id, trust_remote_code)
    try:
        config = AutoConfig.from_pretrained(path_or_id, **options)
        model = _model(path_or_id, config, getattr(torch, dtype), options | quantized)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelError(f"model {path_or_id} cannot be loaded: {reason}. Give a local folder or a Hugging Face id of "
                         "an image-text-to-text model with safetensors weights.") from error
    model.requires_grad_(False).eval()
    if quantized:  # bitsandbytes has placed its weights while it loaded them
        keep_packing(model)
    else:
        _align(model.to(device))  # type: ignore[arg-type]  # transformers hides its type
    model.config.use_cache = False
    notes: list[str] = quantization_notes(quantization)
    encoder, tokenizer, _ = _encoding(path_or_id, config, max_tokens, options)
    if encoder.template.plain:
        notes.append("the model ships no chat template: question, line break, answer, end-of-text is used")
    decoder, layers = _language_model(model, path_or_id)
    for note in notes:
        log.warning("%s: %s", path_or_id, note)
    return Vlm(model, tokenizer, encoder, decoder, layers, device, getattr(torch, dtype), notes)


def load_encoder(path_or_id: str, *, max_tokens: int = NO_LIMIT
                 ) -> "tuple[Encoder, PreTrainedTokenizerBase, ProcessorMixin | None]":
    """What turns samples into tokens, with its tokenizer and processor (None for a text-only model), without the
    model's weights. Raises ModelError when it cannot be loaded."""
    from transformers import AutoConfig

    options = _options(path_or_id)
    try:
        config = AutoConfig.from_pretrained(path_or_id, **options)
        return _encoding(path_or_id, config, max_tokens, options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelError(f"the processor of {path_or_id} cannot be loaded: {reason}. Give a local folder or a Hugging "
                         "Face id of an image-text-to-text model.") from error


def _options(path_or_id: str, trust_remote_code: bool = False) -> dict[str, Any]:
    """Of every `from_pretrained`."""
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    return options | ({"local_files_only": True} if Path(path_or_id).is_dir() else {})


def _encoding(path_or_id: str, config: "PreTrainedConfig", max_tokens: int, options: dict[str, Any]
              ) -> "tuple[Encoder, PreTrainedTokenizerBase, ProcessorMixin | None]":
    from transformers import AutoTokenizer

    from cadc.models.processors import load_processor

    if not _sees(config):
        tokenizer = AutoTokenizer.from_pretrained(path_or_id, **options)
        return Encoder(tokenizer, None, None, max_tokens), tokenizer, None
    processor = load_processor(path_or_id, **options)
    tokenizer = processor.tokenizer  # the encoder puts another one in its place
    image_token = _image_token(processor, tokenizer, config)
    return Encoder(tokenizer, processor, image_token, max_tokens), tokenizer, processor


def _align(model: nn.Module) -> None:
    """Weights that lie in a file's buffer start anywhere; a CPU's matrix products round by where their operands start,
    so that two loads of one model would give different last bits."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu" and tensor.data_ptr() % ALIGNMENT:
            tensor.data = tensor.data.clone()


def _sees(config: "PreTrainedConfig") -> bool:
    """Whether transformers maps the config to an image-text-to-text model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    return type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _model(path_or_id: str, config: "PreTrainedConfig", dtype: torch.dtype, options: dict[str, Any]
           ) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    auto = AutoModelForImageTextToText if _sees(config) else AutoModelForCausalLM
    return auto.from_pretrained(path_or_id, dtype=dtype, use_safetensors=True, **options)


def _image_token(processor: "ProcessorMixin", tokenizer: "PreTrainedTokenizerBase", config: "PreTrainedConfig") -> str:
    """The text that stands for a picture in a rendered conversation. Raises ModelError when none is known."""
    token = getattr(processor, "image_token", None) or getattr(tokenizer, "image_token", None)
    if token is None:
        for name in ("image_token_id", "image_token_index"):
            if getattr(config, name, None) is not None:
                token = tokenizer.convert_ids_to_tokens(getattr(config, name))
    if token is None:
        raise unsupported(f"{type(processor).__name__} does not say which text stands for a picture")
    return str(getattr(token, "content", token))


def _language_model(model: "PreTrainedModel", name: str) -> tuple[nn.Module, nn.ModuleList]:
    """The decoder and its layers. Raises ModelError when the model has no such parts."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    lists = [m for m in decoder.children() if isinstance(m, nn.ModuleList)] if decoder is not None else []
    layers = getattr(decoder, "layers", lists[0] if len(lists) == 1 else None)  # Falcon and Bloom call them `h`
    if decoder is None or not isinstance(layers, nn.ModuleList) or model.get_output_embeddings() is None:
        raise unsupported(f"{name}: no language model with a list of layers and a head (a decoder) was found in "
                          f"{type(model).__name__}")
    return decoder, layers
