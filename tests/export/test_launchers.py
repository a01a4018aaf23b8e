"""run.sh of LLaVA and LLaVA-NeXT with a stand-in for their repositories, of the names that ours rely on."""

import os
import subprocess
import sys

import pytest
from curricula import pictures, talk, written

from cadc.data import Sample

TRAINER = """
class LLaVATrainer:
    def __init__(self, dataset):
        self.train_dataset = dataset
    def _get_train_sampler(self):
        raise SystemExit("the trainer's own sampler")
"""
TRAIN = """
import json, sys
from llava.train.llava_trainer import LLaVATrainer
class LazySupervisedDataset:
    def __init__(self, path):
        self.rows = json.load(open(path))
    def __len__(self):
        return len(self.rows)
    def __getitem__(self, number):
        try:
            return self._get_item(number)
        except Exception:
            return self._get_item(number + 1)
    def _get_item(self, number):
        if self.rows[number]["id"] == "BROKEN":
            raise ValueError("this row fails")
        return self.rows[number]
def train(attn_implementation=None):
    told = sys.argv[sys.argv.index("--data_path") + 1]
    data = LazySupervisedDataset(told)
    print([data[n]["id"] for n in LLaVATrainer(data)._get_train_sampler()])
    print("model", sys.argv[sys.argv.index("--model_name_or_path") + 1], "attention", attn_implementation, sys.argv)
"""


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "clone" / "llava" / "train"
    folder.mkdir(parents=True)
    (folder / "llava_trainer.py").write_text(TRAINER)
    (folder / "train.py").write_text(TRAIN)
    return tmp_path / "clone"


def run(tmp_path, **more: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin" / "python").unlink(missing_ok=True)
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(["sh", "out/run.sh"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"HOME": str(tmp_path), "PATH": path, **more})


def rows(*names: str) -> list[Sample]:
    return [Sample(index=n, id=name, turns=talk("One?", "Eins.")) for n, name in enumerate(names)]


@pytest.mark.parametrize("form", ["llava", "llava-next"])
def test_the_repository_s_own_training_gets_the_rows_in_order(clone, tmp_path, form):
    """Folders are named from where somebody stands; run.sh changes into its own."""
    written(tmp_path / "out", pictures(tmp_path / "pool"), form, found=rows("c", "a", "b"))
    (tmp_path / "weights").mkdir()
    done = run(tmp_path, LLAVA="clone", MODEL="weights")
    assert done.returncode == 0, done.stderr
    assert "['c', 'a', 'b']" in done.stdout and f"model {tmp_path / 'weights'}" in done.stdout
    # LLaVA takes the attention as an argument of train, LLaVA-NeXT passes over that and reads its switch
    wanted = "attention sdpa" if form == "llava" else "'--attn_implementation', 'sdpa'"
    assert wanted in done.stdout


@pytest.mark.parametrize("form", ["llava", "llava-next"])
def test_a_mixed_stage_is_left_to_the_trainer_s_own_sampler_unless_the_order_is_asked_for(clone, tmp_path, form):
    written(tmp_path / "out", pictures(tmp_path / "pool"), form, found=rows("c", "a", "b"), stages=1,
            curation={"staging": "mix"})
    own = run(tmp_path, LLAVA="clone", MODEL="owner/model")
    assert own.returncode != 0 and "the trainer's own sampler" in own.stderr
    kept = run(tmp_path, LLAVA="clone", MODEL="owner/model", ORDER="file")
    assert kept.returncode == 0 and "['c', 'a', 'b']" in kept.stdout


def test_a_row_that_fails_ends_the_run_and_is_not_replaced(clone, tmp_path):
    written(tmp_path / "out", pictures(tmp_path / "pool"), "llava-next", found=rows("c", "BROKEN", "b"))
    done = run(tmp_path, LLAVA="clone", MODEL="owner/model")
    assert done.returncode != 0 and "this row fails" in done.stderr


def test_what_is_not_set_is_asked_for(tmp_path):
    written(tmp_path / "out", pictures(tmp_path / "pool"), "llava", found=rows("a"), stages=1)
    done = run(tmp_path)
    assert done.returncode != 0 and "set LLAVA to a clone of the repository" in done.stderr
