"""ms-swift: chat rows with `<image>` tags; an answer that is not learnt from carries `"loss": false`."""

from cadc.export.format import Format
from cadc.export.outline import Outline
from cadc.export.scripting import adapts, in_order, last_layers, longest, passes, run_sh, script, yes
from cadc.export.shapes import tags

_MEDIA = ("messages", "images", "videos", "audios", "tools", "objects")
READ = frozenset((*_MEDIA, *(f"{kind}_{name}" for kind in ("rejected", "positive", "negative") for name in _MEDIA),
                  "image", "video", "audio", "conversation", "conversations", "system", "system_prompt", "label",
                  "channel", "margin", "rejected_response", "teacher_prompt", "teacher_images", "chat_template_kwargs",
                  "ref_audios", "audio_codes", "questions", "kinds", "options", "target_probs", "state", "question_ids",
                  "criteria"))
"""Columns that ms-swift 4.6 reads (`RowPreprocessor.standard_keys`, `MessagesPreprocessor`)."""


def run(outline: Outline) -> str:
    """run.sh."""
    recipe = outline.recipe
    files = " ".join(outline.data)
    return run_sh(outline, f"""
export ROOT_IMAGE_DIR="$PWD"  # picture paths are relative to this folder
LIMITS="$(python pixels.py "$MODEL")"  # pictures as large as the model's own processor lets them be
eval "$LIMITS"
{in_order(outline, "# The order: the data set and the data loader shuffle on their own, each has its switch; a split "
          "shuffles, too.", "# One mixed stage: the data loader shuffles it anew in every pass; with "
          "--train_dataloader_shuffle false it would not.")}
# --strict: without it a row that fails, or is longer than --max_length, is replaced by a random other one in silence.
# --max_length is above every row here. The recipe is how the study itself retrained: {passes(outline)};
# rows at once × accumulation × GPUs = {recipe.batch}, so divide the accumulation by the number of GPUs.{
    last_layers(recipe)}
swift sft --model "$MODEL" --use_hf true --output_dir "$OUTPUT" \\
    --dataset {files} \\
    --dataset_shuffle false --train_dataloader_shuffle {yes(outline.mixed)} --split_dataset_ratio 0 \\
    --packing false --lazy_tokenize true --load_from_cache_file false \\
    --strict true --max_length {longest(recipe)} --truncation_strategy delete \\
    --loss_scale default \\
    --tuner_type lora --lora_rank {recipe.rank} --lora_alpha {recipe.alpha:g} --lora_dropout 0 \\
    --target_modules all-linear --freeze_llm {yes(not adapts(recipe, "language"))} \\
    --freeze_vit {yes(not adapts(recipe, "vision"))} --freeze_aligner {yes(not adapts(recipe, "connector"))} \\
    --max_steps {recipe.steps_for(outline.rows)} --per_device_train_batch_size {recipe.micro} \\
    --gradient_accumulation_steps {recipe.accumulate} \\
    --learning_rate {recipe.learning_rate:g} --lr_scheduler_type constant_with_warmup --warmup_steps {recipe.rise} \\
    --weight_decay 0 --max_grad_norm {recipe.clip:g} --adam_beta1 {recipe.betas[0]} --adam_beta2 {recipe.betas[1]} \\
    --adam_epsilon {recipe.epsilon:g} --seed {recipe.seed} --data_seed {recipe.seed} \\
    --torch_dtype {"bfloat16" if recipe.half else "float32"} \\
    --save_strategy steps --save_steps {recipe.steps_for(outline.rows)} --save_only_model true \\
    --eval_strategy no --logging_steps 1 --report_to none "$@"
""", about="ms-swift 4.6. MODEL=… sh run.sh; further switches are handed on (--model_type …, --torch_dtype float32).")


def training(outline: Outline) -> str:
    """See `Format.training`."""
    return f"""    pip install "ms-swift==4.6.0"          # an environment of its own
    sh run.sh

* Order: {in_order(outline, "`--dataset_shuffle false` and `--train_dataloader_shuffle false`, both",
                   "shuffled anew in every pass; `--train_dataloader_shuffle false` would keep the file's")};
  `--split_dataset_ratio 0`.
* `--strict true`: a row that fails ends the run, and is not replaced by another one in silence.
* Loss on the answers: by default; an answer that is not to be learnt from carries `"loss": false`
  ({outline.marked} rows here).
* Pictures: `ROOT_IMAGE_DIR` is this folder. `pixels.py` reads the limits of the model's own processor, which ms-swift
  would replace by its own for Qwen's models.
* It tells the family by the folder's name; where it cannot: `sh run.sh --model_type qwen2_vl --template qwen2_vl`."""


FORMAT = Format(name="ms-swift", about="ms-swift: chat rows with <image> tags, run.sh", shape=tags, training=training,
                typed=True, reads=READ, pictures=("copy", "link", "absolute", "parquet"), companions={
                    "run.sh": run, "pixels.py": lambda outline: script("swift_pixels.py")})
