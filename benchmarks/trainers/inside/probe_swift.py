"""In place of `swift`: the exported options through ms-swift's own parser, loader, template and trainer."""

import json
import sys

from seen import DEFAULTS, MODEL, Seen

KEEPING = ("dataset_shuffle", "train_dataloader_shuffle", "strict", "max_length", "truncation_strategy",
           "split_dataset_ratio", "loss_scale")
"""What keeps order, length and labels."""
OWN = ("--use_hf", "true", "--use_cpu", "true", "--attn_impl", "eager", "--gradient_checkpointing", "false",
       "--use_logits_to_keep", "false")
"""No GPU, no hub; labels whole (to save memory, ms-swift cuts off what comes before the first answer)."""


def main() -> None:
    if sys.argv[1] != "sft":
        sys.exit(f"run.sh calls swift {sys.argv[1]}")
    options: list[list[str]] = []
    for word in sys.argv[2:]:
        if word.startswith("--"):
            options.append([word])
        else:
            options[-1].append(word)
    given = [word for option in options if not (DEFAULTS and option[0].removeprefix("--") in KEEPING)
             for word in option]
    from swift.pipelines import sft_main
    from swift.template.templates.qwen import Qwen2VLTemplate
    from swift.trainers.seq2seq_trainer import Seq2SeqTrainer

    config = json.loads((MODEL / "config.json").read_text())
    # ms-swift knows Qwen's ids by heart; the tiny model has other ones.
    Qwen2VLTemplate.image_token_id, Qwen2VLTemplate.video_token_id = config["image_token_id"], config["video_token_id"]
    seen = Seen()
    seen.catch(Seq2SeqTrainer)
    with seen.writing("ms-swift"):
        sft_main([*given, *OWN])


if __name__ == "__main__":
    main()
