"""Trains on this folder's curriculum with TRL, learning from the answers alone. Written by CADC Studio.

    sh run.sh                                  or, in this folder: python train.py [MODEL] [OUTPUT]

`recipe.json` beside this file holds the numbers: how the study itself retrained. TRL 1.16, transformers 5.23.
"""

import json
import random
import re
import sys
from pathlib import Path

import torch
from answers import Answers
from datasets import Dataset, load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor
from trl import SFTConfig, SFTTrainer

RECIPE = json.loads(Path("recipe.json").read_text(encoding="utf-8"))


def rows() -> Dataset:
    """All rows in their order. JSON Lines are read by hand: `datasets` guesses types, a wrong guess ends the run."""
    if RECIPE["data"][0].endswith(".parquet"):
        found = load_dataset("parquet", data_files=RECIPE["data"], split="train")
        return found.select_columns(["prompt", "completion", "images"])
    with open(RECIPE["data"][0], encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return Dataset.from_list([{key: row[key] for key in ("prompt", "completion", "images")} for row in read])


def passes(rows: int, wanted: int) -> list[int]:
    """Places of `wanted` rows: the file again and again, in its order, or each time shuffled anew (`anew`). Batches run
    on over its end, as in the study."""
    order, found, drawn = list(range(rows)), [], random.Random(RECIPE["seed"])
    while len(found) < wanted:
        if RECIPE["order"] == "anew":
            drawn.shuffle(order)
        found += order
    return found[:wanted]


def adapted(model: torch.nn.Module) -> list[str]:
    """Names of the linear layers that the study adapted: decoder layers, on request vision and connector."""
    parts: dict[str, list[str]] = {"language": [], "vision": [], "connector": []}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            outer = re.search(r"connector|projector|merger|aligner|resampler", name)
            part = "connector" if outer else "vision" if re.search(r"vision|visual|image", name) else "language"
            if part != "language" or re.search(r"\.\d+\.", name):  # the head has no number
                parts[part].append(name)
    if RECIPE["layers"] != "all":
        number = {name: int(re.search(r"\.(\d+)\.", name).group(1)) for name in parts["language"]}
        first = max(number.values()) + 1 - int(RECIPE["layers"].removeprefix("last:"))
        parts["language"] = [name for name in parts["language"] if number[name] >= first]
    return [name for part in RECIPE["targets"].split("+") for name in parts[part]]


def main(model_path: str, output: str) -> None:
    """Train and save the adapter."""
    torch.manual_seed(RECIPE["seed"])
    processor = AutoProcessor.from_pretrained(model_path)
    kind = AutoModelForImageTextToText if hasattr(processor, "tokenizer") else AutoModelForCausalLM
    half = RECIPE["half"] and torch.cuda.is_available()
    model = kind.from_pretrained(model_path, dtype=torch.bfloat16 if half else torch.float32)
    data = rows() if hasattr(processor, "tokenizer") else rows().remove_columns("images")
    data = data.select(passes(len(data), RECIPE["steps"] * RECIPE["batch"]))
    settings = SFTConfig(
        output_dir=output, report_to="none", logging_steps=1, save_strategy="no",
        # the order of the rows as laid out above: TRL's sampler is random, shuffle_dataset does nothing against it
        train_sampling_strategy="sequential", shuffle_dataset=False, packing=False,
        # the loss: the collator below labels answers; a limit (1024 tokens, the default) would cut some
        max_length=None, remove_unused_columns=False, dataset_kwargs={"skip_prepare_dataset": True},
        # the recipe
        num_train_epochs=1, per_device_train_batch_size=RECIPE["micro_batch"],
        gradient_accumulation_steps=RECIPE["accumulate"], learning_rate=RECIPE["learning_rate"],
        lr_scheduler_type="constant_with_warmup", warmup_steps=RECIPE["rise"], weight_decay=0.0,
        adam_beta1=RECIPE["betas"][0], adam_beta2=RECIPE["betas"][1], adam_epsilon=RECIPE["epsilon"],
        max_grad_norm=RECIPE["clip"], seed=RECIPE["seed"], bf16=half, fp16=False)
    lora = LoraConfig(r=RECIPE["rank"], lora_alpha=RECIPE["alpha"], lora_dropout=0.0, bias="none",
                      target_modules=adapted(model))
    trainer = SFTTrainer(model=model, args=settings, train_dataset=data, processing_class=processor,
                         data_collator=Answers(processor), peft_config=lora)
    trainer.train()
    trainer.save_model(output)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else RECIPE["model"], sys.argv[2] if len(sys.argv) > 2 else "trained")
