"""The plugin in the folder for Axolotl: batches are what the study's own encoder makes of the rows. (Axolotl itself:
`make trainers`; here its base class for plugins is an empty one.)"""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from curricula import pictures, samples, written

from cadc.data import open_images
from cadc.demo import MODEL_DIR
from cadc.models import load_vlm

BATCH = """
import json, sys
from axolotl_answers import AnswersAlone

class Settings:
    base_model = sys.argv[1]

kind, options = AnswersAlone().get_collator_cls_and_kwargs(Settings)
with open("curriculum.jsonl", encoding="utf-8") as lines:
    batch = kind(None, padding=True, **options)([json.loads(line) for line in lines])
json.dump({key: batch[key].tolist() for key in ("input_ids", "attention_mask", "labels")}, sys.stdout)
"""


@pytest.fixture
def moved(tmp_path):
    """An export that lies elsewhere than it was written; its pool is gone."""
    root = pictures(tmp_path / "pool")
    written(tmp_path / "first", root, "axolotl")
    shutil.move(tmp_path / "first", tmp_path / "there")
    shutil.rmtree(root)
    return tmp_path / "there"


def test_the_plugin_labels_exactly_the_answers_of_the_study(moved, tmp_path):
    base = tmp_path / "beside" / "axolotl" / "integrations"
    base.mkdir(parents=True)
    (base / "base.py").write_text("class BasePlugin:\n    pass\n")
    done = subprocess.run([sys.executable, "-c", BATCH, str(MODEL_DIR)], cwd=moved, capture_output=True, text=True,
                          env={"PYTHONPATH": str(tmp_path / "beside"), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    batch = json.loads(done.stdout)
    vlm, root = load_vlm(str(MODEL_DIR)), pictures(tmp_path / "again")
    assert len(batch["input_ids"]) == len(samples())
    for place, sample in enumerate(samples()):
        encoded = vlm.encode(sample, open_images(sample, root))
        kept = [bool(on) for on in batch["attention_mask"][place]]
        ids, labels = ([one for one, on in zip(batch[key][place], kept, strict=True) if on]
                       for key in ("input_ids", "labels"))
        assert ids == encoded.inputs["input_ids"].tolist(), sample.id
        assert [label != -100 for label in labels] == encoded.answer.tolist(), sample.id


def test_the_folder_names_the_plugin_and_stops_where_it_cannot_be_imported(moved, tmp_path):
    config = yaml.safe_load((moved / "axolotl.yaml").read_text())
    assert config["plugins"] == ["axolotl_answers.AnswersAlone"] and config["curriculum_sampling"] is True
    assert not any(config[f"lora_{part}_kernel"] for part in ("qkv", "o", "mlp", "embedding"))
    script = (moved / "run.sh").read_text()
    assert script.index('import axolotl_answers') < script.index("axolotl train axolotl.yaml")
    trainer, began = tmp_path / "bin", tmp_path / "began"
    trainer.mkdir()
    for name, does in (("python", f'exec "{sys.executable}" "$@"'), ("axolotl", f'touch "{began}"')):
        (trainer / name).write_text(f"#!/bin/sh\n{does}\n")
        (trainer / name).chmod(0o755)
    env = {"MODEL": "m", "PATH": f"{trainer}:/usr/bin:/bin"}
    done = subprocess.run(["sh", str(moved / "run.sh")], capture_output=True, text=True, env=env)
    assert done.returncode != 0 and "axolotl" in done.stderr and not began.exists()
    (moved / "axolotl_answers.py").write_text("")  # one that can be imported
    assert subprocess.run(["sh", str(moved / "run.sh")], env=env).returncode == 0 and began.exists()
