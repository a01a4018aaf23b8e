"""`probe_swift.py EXPORT MODEL OUT [--defaults]`, run by the environment of ms-swift inside the export.

The exported script runs as it lies; the `swift` that it finds is this file (see `__main__.py` of this package), which
hands what it was called with to ms-swift, but for model, folder for results and what needs a GPU.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from seen import Seen, versions

NOT_DEFAULT = ("dataset_shuffle", "train_dataloader_shuffle", "strict", "max_length", "truncation_strategy",
               "split_dataset_ratio", "packing", "padding_free", "load_from_cache_file", "dataset_num_proc",
               "lazy_tokenize")
"""Options that `--defaults` takes out: what keeps order and length."""
OWN = {"per_device_train_batch_size": "4", "gradient_accumulation_steps": "1", "num_train_epochs": "1",
       "torch_dtype": "float32", "use_cpu": "true", "save_strategy": "no", "report_to": "none",
       "attn_impl": "eager", "dataloader_num_workers": "0", "use_hf": "true", "warmup_ratio": "0", "logging_steps": "1",
       "eval_strategy": "no", "use_logits_to_keep": "false"}
"""Small and without a GPU; labels whole (ms-swift cuts what comes before the first answer off, to save memory)."""
DROPPED = ("model", "output_dir", "bf16", "fp16", "deepspeed", "model_type", "template", "resume_from_checkpoint",
           "gradient_checkpointing", "save_steps", "eval_steps", "load_best_model_at_end", *OWN)


def main() -> None:
    export, model, out = (Path(given).absolute() for given in sys.argv[1:4])
    (out / "bin").mkdir(parents=True, exist_ok=True)
    shim = out / "bin" / "swift"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).absolute()}" --called "$@"\n')
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    given = {"MODEL": str(model), "OUT": str(out), "DEFAULTS": str(int("--defaults" in sys.argv))}
    environment = os.environ | {f"PROBE_{key}": value for key, value in given.items()}
    environment["PATH"] = f"{out / 'bin'}{os.pathsep}{environment['PATH']}"
    script = next(export.glob("*.sh"))
    sys.exit(subprocess.run(["sh", str(script)], env=environment, cwd=export, check=False).returncode)


def called(arguments: list[str]) -> None:
    """What the script called `swift` with, given to ms-swift."""
    model, out = Path(os.environ["PROBE_MODEL"]), Path(os.environ["PROBE_OUT"])
    out_of = DROPPED + (NOT_DEFAULT if os.environ["PROBE_DEFAULTS"] == "1" else ())
    options: list[list[str]] = []
    for word in arguments[1:]:
        if word.startswith("--"):
            options.append([word])
        else:
            options[-1].append(word)
    kept = [word for option in options if option[0].removeprefix("--") not in out_of for word in option]
    kept += ["--model", str(model), "--model_type", "qwen2_vl", "--template", "qwen2_vl", "--output_dir",
             str(out / "trained"), *(word for key, value in OWN.items() for word in (f"--{key}", value))]
    from swift.pipelines import sft_main
    from swift.template.templates.qwen import Qwen2VLTemplate
    from swift.trainers.seq2seq_trainer import Seq2SeqTrainer

    config = json.loads((model / "config.json").read_text())
    # ms-swift knows Qwen's ids by heart; the tiny model has other ones.
    Qwen2VLTemplate.image_token_id, Qwen2VLTemplate.video_token_id = config["image_token_id"], config["video_token_id"]
    seen = Seen(model)
    seen.catch(Seq2SeqTrainer)
    sft_main(kept)
    seen.write(out, versions=versions("ms-swift", "transformers", "datasets", "torch"), arguments=kept)


if __name__ == "__main__":
    called(sys.argv[2:]) if sys.argv[1] == "--called" else main()
