"""Axolotl: chat rows whose image blocks name their picture, and a plugin that labels exactly the answers."""

import json

from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.scripting import FROM, adapts, in_order, last_layers, longest, passes, run_sh, script, yes
from cadc.export.shapes import blocks_with_paths

READ = frozenset(("images", "image", "tools", "system", "conversations", "messages"))
"""Columns that Axolotl reads beside `messages`."""


def targets(outline: Outline) -> str:
    """Regular expression of the linear layers that the study adapted: every one of the decoder's layers, on request
    those of vision tower and connector."""
    recipe = outline.recipe
    parts = [] if adapts(recipe, "language") else ["(?!.*(language_model|text_model))"]
    outer = [words for part, words in (("vision", "vision|visual|image"), ("connector", "connector|projector|merger"))
             if not adapts(recipe, part)]
    parts += [f"(?!.*({'|'.join(outer)}))"] if outer else []
    return "".join(parts) + r".*\.\d+\..*(proj|fc\d|qkv|linear.*|dense|gate|w\d)"


def config(outline: Outline) -> str:
    """axolotl.yaml."""
    recipe = outline.recipe
    return f"""{FROM}
# Axolotl 0.19: sh run.sh, which says where the model is and lets Axolotl find the plugin below.

base_model: {json.dumps("" if recipe.local else recipe.model)}
processor_type: AutoProcessor
trust_remote_code: false

# the rows
datasets:
  - path: {json.dumps(outline.data[0])}
    ds_type: json
    type: chat_template
    field_messages: messages
{in_order(outline, "curriculum_sampling: true        # the order: without it the sampler is random",
          "curriculum_sampling: false       # one mixed stage: shuffled anew in every pass; true keeps the order")}
shuffle_merged_datasets: false   # with several files these would be shuffled together
sample_packing: false            # packing reorders
val_set_size: 0.0                # a split shuffles
skip_prepare_dataset: true       # pictures are read batch by batch
remove_unused_columns: false
sequence_len: {longest(recipe)}              # above every row here

# the loss: on answers alone, with their end of turn; and pictures as the study saw them (axolotl_answers.py)
plugins: [axolotl_answers.AnswersAlone]
train_on_inputs: false

# the recipe: how the study itself retrained{last_layers(recipe)}
adapter: lora
lora_r: {recipe.rank}
lora_alpha: {round(recipe.alpha)}
lora_dropout: 0.0
lora_target_modules: {json.dumps(targets(outline))}
lora_qkv_kernel: false           # Axolotl switches these on by itself, and then dies for some families (Qwen2-VL)
lora_o_kernel: false
lora_mlp_kernel: false
lora_embedding_kernel: false
micro_batch_size: {recipe.micro}
gradient_accumulation_steps: {recipe.accumulate}  # × GPUs × rows at once = {recipe.batch}: divide by the number of GPUs
max_steps: {recipe.steps_for(outline.rows)}  # {passes(outline)}
optimizer: adamw_torch
adam_beta1: {recipe.betas[0]}
adam_beta2: {recipe.betas[1]}
adam_epsilon: {recipe.epsilon:.8f}
learning_rate: {recipe.learning_rate:.6f}
lr_scheduler: constant_with_warmup  # a falling rate would starve the last rows
warmup_steps: {recipe.rise}
weight_decay: 0.0
max_grad_norm: {recipe.clip}
seed: {recipe.seed}
bf16: {yes(recipe.half)}
tf32: false
gradient_checkpointing: false

output_dir: ./trained
logging_steps: 1
save_strategy: "no"
"""


def run(outline: Outline) -> str:
    """run.sh."""
    return run_sh(outline, """
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
python -c "import axolotl_answers"  # a plugin that cannot be imported is only logged by Axolotl, and the run goes on
axolotl train axolotl.yaml --base-model "$MODEL" --output-dir "$OUTPUT" "$@"
""", about="Axolotl 0.19. MODEL=… sh run.sh; further switches are handed on (--bf16 false on a CPU).")


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    pip install "axolotl==0.19.0"          # an environment of its own
    sh run.sh

`axolotl.yaml` is the whole configuration; each line that matters says why. `run.sh` names the model and lets Axolotl
find the plugin.

* Order: {in_order(outline, "`curriculum_sampling: true`",
                   "shuffled anew in every pass; `curriculum_sampling: true` would keep the file's")};
  with several files `shuffle_merged_datasets: false`; no packing, no split.
* Loss on the answers: the plugin (`axolotl_answers.py`, with `answers.py`) labels the answers alone, whatever the chat
  template is, and leaves out those that carry `"train": false` ({outline.marked} rows here). Axolotl's own collator
  trains some families on questions, too, and knows no mark for single answers.
* Pictures stand in their blocks (`{{"type": "image", "path": …}}`). There is no `images` column on purpose: an empty
  list in it ends the run, two pictures a row make a run of 0 steps, one is resized."""


FORMAT = Format(name="axolotl", about="Axolotl: chat rows with picture blocks, a YAML, a plugin",
                shape=blocks_with_paths, training=training, typed=True, reads=READ,
                companions={"run.sh": run, "axolotl.yaml": config,
                            "answers.py": lambda outline: script("trl_answers.py"),
                            "axolotl_answers.py": lambda outline: script("axolotl_answers.py")})
