"""The hub and `datasets`: chat rows with content blocks, pictures inside parquet files; README.md is the card."""

from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.scripting import in_order
from cadc.export.shapes import blocks


def training(outline: Outline) -> str:
    """See `Format.training`."""
    shuffled = in_order(outline, "shuffles: for a run that keeps the order and the loss on\nthe answers",
                        "shuffles, as one mixed stage should be; for the loss on the answers")
    inside = ("Pictures are decoded as they are read (feature `Image`)." if outline.how == "parquet" else
              "`images` holds paths relative to this folder.")
    return f"""    from datasets import load_dataset
    rows = load_dataset(".", split="train")     # this folder, in order
    stages = load_dataset(".", "stages")        # one split a stage
    rows = load_dataset(".", split="train", streaming=True)

{inside} To share it: `hf upload NAME . --repo-type dataset`. The card above says what is in it, licences included; see
that you may share the pictures.

`messages` has role and content blocks; as many image blocks as `images`. An answer not to be learnt from carries
weight 0 ({outline.marked} rows here). A trainer's own sampler {shuffled} export for that trainer."""


FORMAT = Format(name="hub", about="the hub and `datasets`: parquet with pictures inside", shape=blocks,
                training=training, typed=True, pictures=("parquet", "copy", "link"))
