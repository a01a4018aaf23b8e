"""Load a model's own processor on a machine without torchvision (or with a broken one).

transformers' processors of several families (SmolVLM, LLaVA-OneVision, Qwen-VL, InternVL) also want a *video*
processor, which exists for torchvision only. Pictures never touch it, so such a processor is built here without one:
a subclass made at run time whose list of parts leaves `video_processor` out and whose constructor receives an empty
namespace for it.
"""

import inspect
import logging
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cadc.errors import ModelError

if TYPE_CHECKING:
    from transformers import ProcessorMixin

log = logging.getLogger(__name__)


def load_processor(path_or_id: str, **options: Any) -> "ProcessorMixin":
    """The processor of a VLM: the stock one where it loads, else the same class without its video part.

    `options` go to every `from_pretrained` (trust_remote_code, local_files_only). Raises ModelError when neither loads.
    """
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(path_or_id, backend="pil", **options)
    except (ImportError, ValueError, TypeError, OSError, RuntimeError) as error:
        log.info("stock processor of %s does not load here (%s); leaving its video part out", path_or_id, _line(error))
        stock = error
    try:
        return _picture_processor(path_or_id, options)
    except (ImportError, ValueError, TypeError, OSError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{path_or_id}: the processor cannot be loaded ({_line(stock)}; without its video part: "
                         f"{_line(error)}). Check that the folder holds processor, image processor and tokenizer "
                         "files.") from error


def _picture_processor(path_or_id: str, options: dict[str, Any]) -> "ProcessorMixin":
    """Image processor, tokenizer and settings put together by the model's own processor class, video left out."""
    from transformers import AutoImageProcessor, AutoTokenizer
    from transformers.processing_utils import ProcessorMixin

    stock = _processor_class(path_or_id, options)
    settings, _ = ProcessorMixin.get_processor_dict(path_or_id, **options)
    known = set(inspect.signature(stock).parameters) | {"chat_template"}
    settings = {key: value for key, value in settings.items() if key in known and not key.endswith("_processor")}
    image_processor = AutoImageProcessor.from_pretrained(path_or_id, backend="pil", **options)
    tokenizer = AutoTokenizer.from_pretrained(path_or_id, **options)
    if tokenizer.chat_template and not settings.get("chat_template"):
        settings["chat_template"] = tokenizer.chat_template
    module = sys.modules[stock.__module__]
    if getattr(module, "num2words", True) is None:
        module.num2words = str  # type: ignore[attr-defined]  # SmolVLM spells out the number of video frames with it, and refuses to start without
    parts = [part for part in stock.get_attributes() if part != "video_processor"]
    light = type(stock.__name__, (stock,), {"get_attributes": classmethod(lambda cls: list(parts))})
    no_video = SimpleNamespace()
    processor = light(image_processor=image_processor, tokenizer=tokenizer, video_processor=no_video, **settings)
    processor.video_processor = no_video
    return processor


def _processor_class(path_or_id: str, options: dict[str, Any]) -> "type[ProcessorMixin]":
    """The processor class that transformers maps the model's type to."""
    from transformers import AutoConfig
    from transformers.models.auto.auto_mappings import PROCESSOR_MAPPING_NAMES
    from transformers.models.auto.processing_auto import processor_class_from_name

    kind = AutoConfig.from_pretrained(path_or_id, **options).model_type
    name = PROCESSOR_MAPPING_NAMES.get(kind)
    stock = processor_class_from_name(name) if name else None
    if stock is None:
        raise ValueError(f"transformers knows no processor for model type {kind!r}")
    return stock


def _line(error: BaseException) -> str:
    """First line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
