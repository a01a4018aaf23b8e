"""`probe_llamafactory.py EXPORT MODEL OUT [--defaults]`, run by the environment of LLaMA-Factory inside the export.

The exported YAML goes through LLaMA-Factory's own command; model, folder for results and what needs a GPU are replaced.
"""

import sys
from pathlib import Path

from seen import Seen, versions

NOT_DEFAULT = ("disable_shuffling", "cutoff_len", "image_max_pixels", "image_min_pixels", "mask_history",
               "preprocessing_num_workers")
"""Keys that `--defaults` takes out: what keeps order, length and pictures."""


def main() -> None:
    export, model, out = (Path(given).absolute() for given in sys.argv[1:4])
    import yaml

    config = yaml.safe_load(next(export.glob("*.yaml")).read_text(encoding="utf-8"))
    if "--defaults" in sys.argv:
        config = {key: value for key, value in config.items() if key not in NOT_DEFAULT}
        config["lr_scheduler_type"] = "constant"
    config |= {"model_name_or_path": str(model), "output_dir": str(out / "trained"), "overwrite_output_dir": True,
               "bf16": False, "fp16": False, "use_cpu": True, "report_to": "none", "save_strategy": "no",
               "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "num_train_epochs": 1,
               "overwrite_cache": True, "plot_loss": False, "deepspeed": None}
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    sys.argv = ["train", str(out / "run.yaml")]
    from llamafactory.train.sft import trainer
    from llamafactory.train.tuner import run_exp

    seen = Seen(model)
    seen.catch(trainer.CustomSeq2SeqTrainer)
    run_exp()
    seen.write(out, versions=versions("llamafactory", "transformers", "datasets", "torch"))


if __name__ == "__main__":
    main()
