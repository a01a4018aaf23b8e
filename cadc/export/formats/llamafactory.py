"""LLaMA-Factory: sharegpt rows with `<image>` tags, dataset_info.json, a complete YAML."""

import json

from cadc.data.sample import Sample
from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.refusals import unlearnt
from cadc.export.rowset import by_stage
from cadc.export.scripting import FROM, adapts, in_order, last_layers, longest, passes, run_sh, yes
from cadc.export.shapes import tags

WHOLE = "cadc_curriculum"
TEMPLATES = {"qwen3-vl": "qwen3_vl_nothink", "qwen2.5-vl": "qwen2_vl", "qwen2-vl": "qwen2_vl", "gemma-3": "gemma3",
             "internvl": "intern_vl", "pixtral": "pixtral", "llava-1.5": "llava", "llava-v1.6-mistral":
             "llava_next_mistral", "llava-v1.6-vicuna": "llava_next", "paligemma": "paligemma", "llama-3.2-vision":
             "mllama", "minicpm-v": "minicpm_v", "kimi-vl": "kimi_vl", "lfm2-vl": "lfm2_vl", "glm-4.1v": "glm4v"}
"""Part of a model's name → its template in LLaMA-Factory 0.9.5."""


def dataset_info(outline: Outline) -> str:
    """Description of the whole curriculum and of each stage."""
    shared = {"formatting": "sharegpt", "columns": {"messages": "messages", "images": "images"},
              "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                       "system_tag": "system"}}
    names = {WHOLE: outline.data[0]} if len(outline.data) == 1 else {}
    names |= {f"cadc_{split}": files[0] for split, files in by_stage(outline.stages)}
    return json.dumps({name: {"file_name": file} | shared for name, file in names.items()}, indent=1) + "\n"


def _datasets(outline: Outline) -> str:
    """What `dataset` lists: the whole file, or stages one after another."""
    return WHOLE if len(outline.data) == 1 else ",".join(f"cadc_{split}" for split, _ in by_stage(outline.stages))


def template(outline: Outline) -> str:
    """The template of the study's model, '' where its name does not tell."""
    name = outline.recipe.model.lower()
    return next((found for part, found in TEMPLATES.items() if part in name), "")


def config(outline: Outline) -> str:
    """llamafactory.yaml."""
    recipe = outline.recipe
    return f"""{FROM}
# LLaMA-Factory 0.9.5: sh run.sh, or, in this folder: llamafactory-cli train llamafactory.yaml

### model
model_name_or_path: {json.dumps("" if recipe.local else recipe.model)}
template: {json.dumps(template(outline))}  # of the model's family; empty: run.sh asks for it
trust_remote_code: false

### the rows
dataset_dir: .
dataset: {_datasets(outline)}
media_dir: .                 # picture paths are relative to this folder
{in_order(outline, "disable_shuffling: true      # the order: without it the sampler is random",
          "disable_shuffling: false     # one mixed stage: shuffled anew in every pass; true keeps the file's order")}
val_size: 0                  # a split shuffles what is left
mix_strategy: concat         # files one after another, none interleaved
packing: false               # packing reorders, and so does neat_packing
streaming: false             # streaming local files without workers yields nothing
cutoff_len: {longest(recipe)}              # above every row here: a lower one cuts pictures and answers in silence
image_max_pixels: 1000000000  # the model's own processor makes pictures smaller, and nothing else before it
image_min_pixels: 1
overwrite_cache: true        # no earlier rows out of a cache
preprocessing_num_workers: 1
# not set: max_samples

### the loss: on answers alone
train_on_prompt: false
mask_history: false          # every answer of a conversation counts

### the recipe: how the study itself retrained{last_layers(recipe)}
stage: sft
do_train: true
finetuning_type: lora
lora_rank: {recipe.rank}
lora_alpha: {round(recipe.alpha)}
lora_dropout: 0.0
lora_target: all
freeze_vision_tower: {yes(not adapts(recipe, "vision"))}
freeze_multi_modal_projector: {yes(not adapts(recipe, "connector"))}
per_device_train_batch_size: {recipe.micro}
gradient_accumulation_steps: {recipe.accumulate}  # × GPUs × rows at once = {recipe.batch}: divide by the number of GPUs
max_steps: {recipe.steps_for(outline.rows)}  # {passes(outline)}
learning_rate: {recipe.learning_rate:.6f}
lr_scheduler_type: constant_with_warmup  # a falling rate would starve the last rows
warmup_steps: {recipe.rise}
weight_decay: 0.0
max_grad_norm: {recipe.clip}
adam_beta1: {recipe.betas[0]}
adam_beta2: {recipe.betas[1]}
adam_epsilon: {recipe.epsilon:.8f}
seed: {recipe.seed}
bf16: {yes(recipe.half)}

### output
output_dir: trained
logging_steps: 1
save_strategy: steps
save_steps: {recipe.steps_for(outline.rows)}
report_to: none
"""


def run(outline: Outline) -> str:
    """run.sh."""
    given = template(outline)
    ask = (f'TEMPLATE="${{TEMPLATE:-{given}}}"' if given else
           'TEMPLATE="${TEMPLATE:?set TEMPLATE to the LLaMA-Factory template of the model (qwen2_vl, llava, …)}"')
    return run_sh(outline, f'{ask}\nllamafactory-cli train llamafactory.yaml model_name_or_path="$MODEL" '
                           'template="$TEMPLATE" output_dir="$OUTPUT" "$@"',
                  about="LLaMA-Factory 0.9.5. MODEL=… TEMPLATE=… sh run.sh; on a CPU: sh run.sh bf16=false")


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    pip install "llamafactory==0.9.5"      # an environment of its own
    sh run.sh

`llamafactory.yaml` is the whole configuration; each line that matters says why. `dataset_info.json` also names every
stage (`cadc_stage_01`, …).

* Order: {in_order(outline, "`disable_shuffling: true` and `val_size: 0` (a split shuffles the rest)",
                   "shuffled anew in every pass; `disable_shuffling: true` would keep the file's")};
  no packing, no streaming.
* Loss on the answers: as it is by default; `cutoff_len` {longest(outline.recipe)} cuts none of these rows.
* It has no mark for an answer that is not to be learnt from: rows with one are left out."""


def refuses(sample: Sample) -> str:
    """See `Format.refuses`."""
    return unlearnt(sample, "LLaMA-Factory")


FORMAT = Format(name="llamafactory", about="LLaMA-Factory: chat rows with <image> tags, dataset_info.json, a YAML",
                shape=tags, training=training, typed=True, refuses=refuses,
                pictures=("copy", "link", "absolute", "parquet"),
                companions={"run.sh": run, "llamafactory.yaml": config, "dataset_info.json": dataset_info})
