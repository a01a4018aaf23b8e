"""Chat rows with `<image>` tags in the text (ms-swift, LLaMA-Factory); `images` is a list in every row."""

import json
from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.export.format import Format, Outline, Row
from cadc.export.training import ANY_TRAINER
from cadc.export.turns import head, tagged

_SETTINGS = f"""### ms-swift
Both switches are needed (the data set and the data loader shuffle on their own), and no split:

    swift sft --dataset curriculum.jsonl --dataset_shuffle false --train_dataloader_shuffle false \\
        --split_dataset_ratio 0 --packing false

Pictures: run in the folder that paths are relative to, or set `ROOT_IMAGE_DIR`.

### LLaMA-Factory
`dataset_info.json` is written beside this file. In the training YAML:

    dataset_dir: .                 # this folder
    dataset: cadc_curriculum
    media_dir: IMAGE_ROOT          # the folder named above
    disable_shuffling: true
    val_size: 0                    # a split shuffles the rest
    neat_packing: false
    packing: false
    # not set: max_samples; with streaming: buffer_size: 1; with several files: mix_strategy: concat

{ANY_TRAINER}"""


def render(sample: Sample, shown: Sequence[str], raw: str) -> Row:
    """See `Format.render`."""
    said = [{"role": t.role, "content": tagged(t)} for t in sample.turns]
    return head(sample) | {"messages": said, "images": list(shown)}


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return _SETTINGS


def dataset_info(outline: Outline) -> str:
    """LLaMA-Factory's description of the whole curriculum and of each stage."""
    columns = {"messages": "messages", "images": "images"}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
            "system_tag": "system"}
    names = {"cadc_curriculum": "curriculum.jsonl"}
    names |= {f"cadc_{s.file.removesuffix('.jsonl').replace('-', '_')}": s.file for s in outline.stages}
    return json.dumps({name: {"file_name": file, "formatting": "sharegpt", "columns": columns, "tags": tags}
                       for name, file in names.items()}, indent=1) + "\n"


FORMAT = Format(name="messages-tags", about="chat messages with <image> tags", render=render, training=training,
                companions={"dataset_info.json": dataset_info})
