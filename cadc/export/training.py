"""What goes beside the rows: how to train on them so that their order holds, trainer by trainer."""

import json
from pathlib import Path
from typing import Any

_SWIFT = """### ms-swift
Both switches are needed (the data set and the data loader shuffle on their own), and no split:

    swift sft --dataset curriculum.jsonl --dataset_shuffle false --train_dataloader_shuffle false \\
        --split_dataset_ratio 0 --packing false

Pictures: run in the folder that paths are relative to, or set `ROOT_IMAGE_DIR`.
"""
_FACTORY = """### LLaMA-Factory
`dataset_info.json` is written beside this file. In the training YAML:

    dataset_dir: .                 # this folder
    dataset: cadc_curriculum
    media_dir: IMAGE_ROOT          # the folder named above
    disable_shuffling: true
    val_size: 0                    # a split shuffles the rest
    neat_packing: false
    packing: false
    # not set: max_samples; with streaming: buffer_size: 1; with several files: mix_strategy: concat
"""
_TRL = """### TRL (SFTTrainer) and Unsloth
    SFTConfig(train_sampling_strategy="sequential", shuffle_dataset=False, packing=False)

`shuffle_dataset=False` alone does nothing against the sampler. Load with
`load_dataset("json", data_files="curriculum.jsonl", split="train")`; picture paths are relative to the working
directory.
"""
_AXOLOTL = """### Axolotl
Needs absolute picture paths: export with them. In the YAML:

    curriculum_sampling: true
    shuffle_merged_datasets: false  # with several files
    sample_packing: false
"""
_LLAVA = """### LLaVA, LLaVA-NeXT
They read JSON lists (`curriculum.json`, `stage-*.json`), join pictures to `--image_folder`, and have no switch for the
order (random, or grouped by length). So train stage by stage: order holds between stages, not inside one; do not set
`--group_by_modality_length`. Or give the trainer a sequential sampler (override `_get_train_sampler`).
Their own code knows no system turn; rows with one here: SYSTEM_TURNS.
"""
_ANY = """### transformers Trainer
Version 5: `TrainingArguments(train_sampling_strategy="sequential")`. Version 4 has no switch: override
`_get_train_sampler` to return a `SequentialSampler`.
"""
_SHAPES = {"messages-tags": (_SWIFT, _FACTORY, _ANY), "messages-blocks": (_TRL, _AXOLOTL, _ANY),
           "llava": (_LLAVA, _ANY)}


def companions(head: dict[str, Any], root: Path) -> dict[str, str]:
    """File name → text: TRAINING.md, and a trainer's own data description where it needs one. head: the manifest."""
    shape = head["format"]
    if shape == "input":
        shape = str(head.get("input_format", "")).split(" ")[0]
    files = {"TRAINING.md": _training(head, shape, root)}
    if shape == "messages-tags":
        files["dataset_info.json"] = json.dumps(_dataset_info(head), indent=1) + "\n"
    return files


def _training(head: dict[str, Any], shape: str, root: Path) -> str:
    """How to train on this export."""
    stages = "\n".join(f"| {s['stage']} | `{s['file']}` | {s['last'] - s['first']} | {s['first']}–{s['last'] - 1} |"
                       for s in head["stage_files"])
    if head["pictures"]["absolute"]:
        place = "Picture paths are absolute: they fit the machine that wrote them."
    elif head["pictures"]["beside_this_file"]:
        place = "Picture paths are relative to this folder (IMAGE_ROOT below); the pictures lie in `images/`."
    else:
        place = ("Picture paths are relative to the image root of the input (IMAGE_ROOT below). "
                 f"Where this was written it was `{root}`.")
    settings = "\n".join(_SHAPES.get(shape, (_ANY,)))
    settings = settings.replace("SYSTEM_TURNS", str(head.get("system_turns", 0)))
    return f"""# Training on this curriculum

`curriculum.jsonl` holds {head['rows_written']} rows in training order, format `{head['format']}`.
`manifest.json` says how they were chosen and gives every row's scores.

| stage | file | rows | lines of `curriculum.jsonl`, from 0 |
|---|---|---|---|
{stages}

{place}

## What keeps the order
Most trainers shuffle unless told otherwise. Packing, grouping by length, splits and filters reorder or drop rows: leave
them off. Any row that the trainer drops (too long, a picture that fails) moves all rows after it.

{settings}
## Stage by stage, with any trainer
Train on `{head['stage_files'][0]['file']}`, then on the next file from the weights *and the optimiser state* of the one
before. Use a constant learning rate, or one schedule per stage: one cosine over all stages starves the last, and order
and rate are confounded.

With several GPUs a sequential sampler deals rows in turn to the ranks, so stage boundaries hold per global batch: where
a stage's rows are no multiple of it, one batch mixes two stages.
"""


def _dataset_info(head: dict[str, Any]) -> dict[str, Any]:
    """LLaMA-Factory's description of the whole curriculum and of each stage."""
    columns = {"messages": "messages", "images": "images"}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
            "system_tag": "system"}
    names = {"cadc_curriculum": "curriculum.jsonl"}
    names |= {f"cadc_{s['file'].removesuffix('.jsonl').replace('-', '_')}": s["file"] for s in head["stage_files"]}
    return {name: {"file_name": file, "formatting": "sharegpt", "columns": columns, "tags": tags}
            for name, file in names.items()}
