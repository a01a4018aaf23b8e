"""LLaVA-NeXT: as LLaVA, with a list of pictures in every row that has any."""

from collections.abc import Sequence

from cadc.data.sample import Sample
from cadc.export.format import Format
from cadc.export.formats.llava import READ, arguments, remarks
from cadc.export.outline import Outline
from cadc.export.refusals import folded, unlearnt
from cadc.export.scripting import adapts, in_order, run_sh, script
from cadc.export.shapes import Json, llava

PARTS = (("vision", "mm_vision_tower"), ("connector", "mm_mlp_adapter"), ("language", "mm_language_model"))


def shape(sample: Sample, shown: Sequence[str], *, marked: bool = False) -> Json:
    """LLaVA's row; `image` is a list also of one picture, so that the column has one type."""
    row = llava(sample, shown, marked=marked)
    return row | {"image": list(shown)} if shown else row


def run(outline: Outline) -> str:
    """run.sh."""
    parts = ",".join(name for part, name in PARTS if adapts(outline.recipe, part))
    return run_sh(outline, f"""
{remarks(outline)}
# LAUNCH="torchrun --nproc_per_node 8" for several GPUs; further switches are handed on (--deepspeed …).
# VERSION and VISION_TOWER are those of the checkpoint (qwen_1_5 and SigLIP-so400m/384 for LLaVA-OneVision).
${{LAUNCH:-python}} sequential.py --model_name_or_path "$MODEL" --version "${{VERSION:-qwen_1_5}}" \\
    --vision_tower "${{VISION_TOWER:-google/siglip-so400m-patch14-384}}" \\
    --mm_projector_type mlp2x_gelu --mm_vision_select_layer -2 --mm_use_im_start_end False \\
    --mm_use_im_patch_token False --mm_tunable_parts {parts} \\
    --image_aspect_ratio anyres_max_9 --image_grid_pinpoints "(1x1),...,(6x6)" \\
    --mm_patch_merge_type spatial_unpad --attn_implementation "${{ATTENTION:-sdpa}}" {arguments(outline)} "$@"
""", about="LLaVA-NeXT (df17966). LLAVA=… MODEL=… sh run.sh")


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    git clone https://github.com/LLaVA-VL/LLaVA-NeXT && pip install -e LLaVA-NeXT
    LLAVA=…/LLaVA-NeXT MODEL=lmms-lab/llava-onevision-qwen2-0.5b-ov sh run.sh

* Order: its trainer has no switch; `sequential.py` starts its own `train` with a sequential sampler{
  in_order(outline, "", " where `ORDER=file` is set, else its own shuffles anew in every pass")}.
  It reads the JSON list, `curriculum.json`; the JSON Lines hold the same rows.
* Its loader replaces a row that fails by the next one in silence; `sequential.py` lets the run end there instead.
* Loss on the answers: as it is by default; its template for Qwen (`qwen_1_5`) also labels turn marks and line breaks
  of every turn. It has no mark for an answer that is not to be learnt from: such rows are
  left out. It drops a system turn: it stands at the head of the first question.
* Pictures: `--image_folder .`, this folder; `image` is a list, several are fine. Its loader moves the only picture of
  a turn to the turn's head, a line break behind it."""


def refuses(sample: Sample) -> str:
    """See `Format.refuses`."""
    return unlearnt(sample, "LLaVA-NeXT")


FORMAT = Format(name="llava-next", about="LLaVA-NeXT: conversations with <image> tags, lists of pictures", shape=shape,
                training=training, listed=lambda outline: True, needs="LLAVA=CLONE", refuses=refuses, adapt=folded,
                reads=READ,
                companions={"run.sh": run, "sequential.py": lambda outline: script("llava_next_sequential.py")})
