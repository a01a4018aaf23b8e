"""`probe_axolotl.py EXPORT MODEL OUT [--defaults]`, run by the environment of Axolotl inside the export.

The exported YAML goes through Axolotl's own command; model, folder for results and what needs a GPU are replaced.
"""

import os
import sys
from pathlib import Path

from seen import Seen, versions

NOT_DEFAULT = ("curriculum_sampling", "shuffle_merged_datasets", "sample_packing", "pad_to_sequence_len",
               "excess_length_strategy", "image_size", "image_resize_algorithm", "train_on_inputs", "roles_to_train",
               "train_on_eos", "shuffle_before_merging_datasets", "val_set_size", "group_by_length")
"""Keys that `--defaults` takes out: what keeps order, length, pictures and labels."""
OWN = {"micro_batch_size": 4, "gradient_accumulation_steps": 1, "num_epochs": 1, "bf16": False, "fp16": False,
       "tf32": False, "optimizer": "adamw_torch", "load_in_4bit": False, "load_in_8bit": False,
       "gradient_checkpointing": False, "flash_attention": False, "attn_implementation": "eager", "deepspeed": None,
       "save_strategy": "no", "use_wandb": False, "warmup_ratio": 0, "xformers_attention": False,
       "sdp_attention": False, "lora_qkv_kernel": False, "lora_mlp_kernel": False, "lora_o_kernel": False}


def main() -> None:
    export, model, out = (Path(given).absolute() for given in sys.argv[1:4])
    import yaml

    os.environ.update(AXOLOTL_DO_NOT_TRACK="1", DO_NOT_TRACK="1", CUDA_VISIBLE_DEVICES="")
    config = yaml.safe_load(next(export.glob("*.yaml")).read_text(encoding="utf-8"))
    if "--defaults" in sys.argv:
        config = {key: value for key, value in config.items() if key not in NOT_DEFAULT}
    config |= OWN | {"base_model": str(model), "output_dir": str(out / "trained"),
                     "dataset_prepared_path": str(out / "prepared")}
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    sys.argv = ["axolotl"]
    from axolotl.cli.train import do_cli
    from axolotl.core.trainers.base import AxolotlTrainer

    seen = Seen(model)
    seen.catch(AxolotlTrainer)
    do_cli(str(out / "run.yaml"))
    seen.write(out, versions=versions("axolotl", "transformers", "datasets", "torch"))


if __name__ == "__main__":
    main()
