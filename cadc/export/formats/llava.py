"""LLaVA: `conversations` with from/value and `<image>` tags, one picture a row at most, no system turn."""

from cadc.data.sample import Sample
from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.refusals import folded, unlearnt
from cadc.export.scripting import adapts, in_order, last_layers, longest, passes, run_sh, script
from cadc.export.shapes import llava

READ = frozenset(("image", "video", "prompt"))
"""Keys that LLaVA and LLaVA-NeXT look for in a row beside its conversation, even where they are empty."""


def arguments(outline: Outline) -> str:
    """What LLaVA and LLaVA-NeXT are both told."""
    recipe = outline.recipe
    return f"""\\
    --data_path curriculum.json --image_folder . --lazy_preprocess True \\
    --group_by_modality_length False \\
    --lora_enable True --lora_r {recipe.rank} --lora_alpha {round(recipe.alpha)} --lora_dropout 0 \\
    --max_steps {recipe.steps_for(outline.rows)} --per_device_train_batch_size {recipe.micro} \\
    --gradient_accumulation_steps {recipe.accumulate} \\
    --learning_rate {recipe.learning_rate:g} --lr_scheduler_type constant_with_warmup --warmup_steps {recipe.rise} \\
    --weight_decay 0 --max_grad_norm {recipe.clip:g} --adam_beta1 {recipe.betas[0]} --adam_beta2 {recipe.betas[1]} \\
    --adam_epsilon {recipe.epsilon:g} --seed {recipe.seed} --bf16 {recipe.half} \\
    --model_max_length {longest(recipe)} --output_dir "$OUTPUT" --save_strategy no --evaluation_strategy no \\
    --logging_steps 1 --report_to none"""


def remarks(outline: Outline) -> str:
    """Comments in run.sh that hold for both."""
    return f"""\
# LLAVA: a clone of the repository whose requirements are installed. MODEL: a checkpoint of its own family.
# The order: their trainers have no switch, so sequential.py gives them a sequential sampler, unless ORDER=anew: then
# every pass is shuffled anew, as one mixed stage should be. Grouping by length is off.
export ORDER="${{ORDER:-{in_order(outline, "file", "anew")}}}"
# The recipe is how the study itself retrained: {passes(outline)}; rows at once × accumulation × GPUs =
# {outline.recipe.batch}, so divide the accumulation by the number of GPUs.{last_layers(outline.recipe)}
LLAVA="${{LLAVA:?set LLAVA to a clone of the repository}}"
export PYTHONPATH="$LLAVA${{PYTHONPATH:+:$PYTHONPATH}}\""""


def run(outline: Outline) -> str:
    """run.sh."""
    frozen = not adapts(outline.recipe, "connector")
    return run_sh(outline, f"""
{remarks(outline)}
# LAUNCH="deepspeed" or "torchrun --nproc_per_node 8" for several GPUs; further switches are handed on (--deepspeed …).
# VERSION and VISION_TOWER are those of the checkpoint (v1 and CLIP-L/336 for LLaVA-1.5).
${{LAUNCH:-python}} sequential.py --model_name_or_path "$MODEL" --version "${{VERSION:-v1}}" \\
    --vision_tower "${{VISION_TOWER:-openai/clip-vit-large-patch14-336}}" \\
    --mm_projector_type mlp2x_gelu --mm_vision_select_layer -2 --mm_use_im_start_end False \\
    --mm_use_im_patch_token False --image_aspect_ratio pad --freeze_mm_mlp_adapter {frozen} {arguments(outline)} "$@"
""", about="LLaVA (c121f04). LLAVA=… MODEL=… sh run.sh")


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    git clone https://github.com/haotian-liu/LLaVA && pip install -e LLaVA
    LLAVA=…/LLaVA MODEL=liuhaotian/llava-v1.5-7b sh run.sh

* Order: LLaVA's trainer shuffles or groups by length and has no switch; `sequential.py` starts its own `train` with a
  sequential sampler{in_order(outline, "", " where `ORDER=file` is set, else its own shuffles anew in every pass")}.
  It reads the JSON list, `curriculum.json`; the JSON Lines hold the same rows.
* Loss on the answers: as it is by default.
* It takes one picture a row (a list crashes): rows with several are left out. It takes no system turn (crash):
  it stands at the head of the first question. It has no mark for an answer that is not to be learnt from: such rows are
  left out.
* Pictures: `--image_folder .`, this folder. Its loader moves a picture to the head of its turn, a line break behind it.
"""


def refuses(sample: Sample) -> str:
    """See `Format.refuses`."""
    return "several pictures: LLaVA takes one a row" if len(sample.images) > 1 else unlearnt(sample, "LLaVA")


FORMAT = Format(name="llava", about="LLaVA: conversations with <image> tags, one picture a row", shape=llava,
                training=training, listed=lambda outline: True, needs="LLAVA=CLONE", refuses=refuses, adapt=folded,
                reads=READ, companions={"run.sh": run, "sequential.py": lambda outline: script("llava_sequential.py")})
