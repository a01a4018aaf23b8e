"""Chat rows with content blocks (TRL, Unsloth, Axolotl); as many image blocks as `images`, no tag in any text."""

from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.export.format import Format, Outline, Row
from cadc.export.training import ANY_TRAINER
from cadc.export.turns import checked, head

_SETTINGS = f"""### TRL (SFTTrainer) and Unsloth
    SFTConfig(train_sampling_strategy="sequential", shuffle_dataset=False, packing=False)

`shuffle_dataset=False` alone does nothing against the sampler. Load with
`load_dataset("json", data_files="curriculum.jsonl", split="train")`; picture paths are relative to the working
directory.

### Axolotl
Needs absolute picture paths: export with them. In the YAML:

    curriculum_sampling: true
    shuffle_merged_datasets: false  # with several files
    sample_packing: false

{ANY_TRAINER}"""


def render(sample: Sample, shown: Sequence[str], raw: str) -> Row:
    """See `Format.render`."""
    said = [{"role": t.role, "content": [_block(part) for part in checked(t)]} for t in sample.turns]
    return head(sample) | {"messages": said, "images": list(shown)}


def _block(part: str | int) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, int) else {"type": "text", "text": part}


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return _SETTINGS


FORMAT = Format(name="messages-blocks", about="chat messages with content blocks", render=render, training=training)
