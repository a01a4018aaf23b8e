"""LLaVA: `conversations` with from/value and `<image>` tags; `image` is a path, a list, or absent."""

from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.export.format import Format, Outline, Row
from cadc.export.training import ANY_TRAINER
from cadc.export.turns import head, tagged

_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def render(sample: Sample, shown: Sequence[str], raw: str) -> Row:
    """See `Format.render`."""
    row = head(sample)
    if shown:
        row["image"] = shown[0] if len(shown) == 1 else list(shown)
    return row | {"conversations": [{"from": _SPEAKERS[t.role], "value": tagged(t)} for t in sample.turns]}


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""### LLaVA, LLaVA-NeXT
They read JSON lists (`curriculum.json`, `stage-*.json`), join pictures to `--image_folder`, and have no switch for the
order (random, or grouped by length). So train stage by stage: order holds between stages, not inside one; do not set
`--group_by_modality_length`. Or give the trainer a sequential sampler (override `_get_train_sampler`).
Their own code knows no system turn; rows with one here: {outline.system_turns}.

{ANY_TRAINER}"""


FORMAT = Format(name="llava", about="LLaVA: conversations with <image> tags", render=render, training=training,
                listed=lambda outline: True)
