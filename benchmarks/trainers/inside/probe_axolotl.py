"""In place of `axolotl`: the exported YAML through Axolotl's own parser, loader, template and trainer."""

import os
import sys

import yaml
from seen import DEFAULTS, OUT, Seen

KEEPING = ("curriculum_sampling", "shuffle_merged_datasets", "sample_packing", "val_set_size", "sequence_len",
           "train_on_inputs", "roles_to_train", "train_on_eos", "role_boundaries", "plugins")
"""What keeps order, length and labels."""


def main() -> None:
    command, config, *more = sys.argv[1:]
    if command != "train":
        sys.exit(f"run.sh calls axolotl {command}")
    os.environ.update(AXOLOTL_DO_NOT_TRACK="1", DO_NOT_TRACK="1", CUDA_VISIBLE_DEVICES="")
    with open(config, encoding="utf-8") as file:
        settings = yaml.safe_load(file)
    if DEFAULTS:
        settings = {key: value for key, value in settings.items() if key not in KEEPING}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "run.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    sys.argv = ["axolotl"]
    from axolotl.cli.train import do_cli
    from axolotl.core.trainers.base import AxolotlTrainer

    seen = Seen()
    seen.catch(AxolotlTrainer)
    with seen.writing("axolotl"):
        do_cli(str(OUT / "run.yaml"), **{key.removeprefix("--").replace("-", "_"): value
                                         for key, value in zip(more[::2], more[1::2], strict=True)},
               dataset_prepared_path=str(OUT / "prepared"))


if __name__ == "__main__":
    main()
