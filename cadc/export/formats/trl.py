"""TRL (SFTTrainer): prompt, completion, images; with the collator that labels exactly the answers to be learnt from."""

from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.scripting import in_order, recipe_json, run_sh, script
from cadc.export.shapes import prompt_completion

READ = frozenset(("messages", "conversations", "conversation", "chosen", "rejected", "text", "image", "tools",
                  "chat_template_kwargs", "input_ids", "labels", "completion_mask", "assistant_masks"))
"""Columns that TRL's SFTTrainer looks for beside prompt, completion and images, or takes the kind of a row from."""


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    pip install "trl==1.16.0" peft datasets pillow
    sh run.sh

`train.py` is the whole run, `answers.py` its collator, `recipe.json` its numbers
({outline.recipe.passes(outline.rows):.1f} passes over the file; batches run on over its end, as in the study).

* Order: `train.py` lays out every pass ({in_order(outline, "in the order of the file",
  "shuffled anew, by the seed; `order` in recipe.json: `file` keeps the file's")}) and
  `train_sampling_strategy="sequential"` keeps it; TRL's sampler is random by default, and `shuffle_dataset=False` alone
  does nothing against it. Packing and grouping by length stay off.
* Loss on the answers: rows are `prompt`/`completion`, and `answers.py` labels the answers alone. TRL's
  own collator would also label what stands between several answers, and answers that are not to be learnt from; rows as
  `messages` would be trained on questions and picture tokens, too.
* `max_length=None`: the default of 1024 tokens cuts pictures (a crash) or answers (in silence).
* Picture paths are relative to this folder; `run.sh` changes into it. Unsloth takes the same rows and settings."""


def run(outline: Outline) -> str:
    """run.sh."""
    return run_sh(outline, 'python train.py "$MODEL" "$OUTPUT"',
                  about="TRL 1.16. MODEL=… OUTPUT=… sh run.sh; one process. train.py is the whole run.")


FORMAT = Format(name="trl", about="TRL: prompt, completion, images, with train.py", shape=prompt_completion,
                training=training, typed=True, reads=READ, pictures=("copy", "link", "absolute", "parquet"),
                companions={"run.sh": run, "train.py": lambda outline: script("trl_train.py"),
                            "answers.py": lambda outline: script("trl_answers.py"), "recipe.json": recipe_json})
