"""TRAINING.md beside the rows: how to train on them so that their order holds. What each trainer needs is said by the
formats that it reads."""

from cadc.export.format import Outline

ANY_TRAINER = """### transformers Trainer
Version 5: `TrainingArguments(train_sampling_strategy="sequential")`. Version 4 has no switch: override
`_get_train_sampler` to return a `SequentialSampler`.
"""


def training_guide(outline: Outline, place: str, settings: str) -> str:
    """The text of TRAINING.md. place: where the pictures lie; settings: `Format.training`."""
    stages = "\n".join(f"| {s.stage} | `{s.file}` | {s.last - s.first} | {s.first}–{s.last - 1} |"
                       for s in outline.stages)
    return f"""# Training on this curriculum

`curriculum.jsonl` holds {outline.rows} rows in training order, format `{outline.format}`.
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
Train on `{outline.stages[0].file}`, then on the next file from the weights *and the optimiser state* of the one
before. Use a constant learning rate, or one schedule per stage: one cosine over all stages starves the last, and order
and rate are confounded.

With several GPUs a sequential sampler deals rows in turn to the ranks, so stage boundaries hold per global batch: where
a stage's rows are no multiple of it, one batch mixes two stages.
"""
