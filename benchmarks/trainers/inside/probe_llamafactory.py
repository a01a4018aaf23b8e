"""In place of `llamafactory-cli`: the exported YAML through LLaMA-Factory's parser, loader, template and trainer."""

import sys

import yaml
from seen import DEFAULTS, OUT, Seen

KEEPING = ("disable_shuffling", "cutoff_len", "image_max_pixels", "image_min_pixels", "mask_history", "val_size")
"""What keeps order, length and pictures."""


def main() -> None:
    command, config, *more = sys.argv[1:]
    if command != "train":
        sys.exit(f"run.sh calls llamafactory-cli {command}")
    with open(config, encoding="utf-8") as file:
        settings = yaml.safe_load(file)
    if DEFAULTS:
        settings = {key: value for key, value in settings.items() if key not in KEEPING}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "run.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    sys.argv = ["train", str(OUT / "run.yaml"), *more, "use_cpu=true"]
    from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer
    from llamafactory.train.tuner import run_exp

    seen = Seen()
    seen.catch(CustomSeq2SeqTrainer)
    with seen.writing("llamafactory"):
        run_exp()


if __name__ == "__main__":
    main()
