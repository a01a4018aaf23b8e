"""In place of `python`: the exported train.py as it lies, in TRL's own trainer; by default settings, what a person who
gives TRL chat rows would write instead of it."""

import json
import runpy
import sys
from pathlib import Path

from seen import DEFAULTS, MODEL, OUT, Seen


def main() -> None:
    import os

    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.getcwd())
    import trl

    seen = Seen()
    seen.catch(trl.SFTTrainer)
    with seen.writing("trl"):
        if not DEFAULTS:
            runpy.run_path(sys.argv[0], run_name="__main__")
            return
        try:
            by_defaults()
        except ValueError as error:
            seen.forget(f"{error} (numbers: with max_length=None)")
            by_defaults(max_length=None)


def by_defaults(**settings: object) -> None:
    """`messages` and `images` into an SFTTrainer without further settings."""
    from datasets import Dataset, Image, List
    from transformers import AutoProcessor
    from trl import SFTConfig, SFTTrainer

    recipe = json.loads(Path("recipe.json").read_text(encoding="utf-8"))
    with open(recipe["data"][0], encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    said = [[{"role": turn["role"], "content": turn["content"]} for turn in row["prompt"] + row["completion"]]
            for row in read]
    rows = [{"messages": talk, "images": row["images"]} for talk, row in zip(said, read, strict=True)]
    data = Dataset.from_list(rows)
    trainer = SFTTrainer(
        model=str(MODEL), train_dataset=data.cast_column("images", List(Image())),
        processing_class=AutoProcessor.from_pretrained(MODEL),
        args=SFTConfig(output_dir=str(OUT / "trained"), report_to="none", save_strategy="no", bf16=False, use_cpu=True,
                       per_device_train_batch_size=recipe["micro_batch"], max_steps=recipe["steps"], **settings))
    trainer.train()


if __name__ == "__main__":
    main()
