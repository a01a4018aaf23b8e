"""prepare.py of the folder for Axolotl: absolute paths where it trains, marks that tell answers from questions."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from curricula import pictures, samples, written
from transformers import AutoProcessor

from cadc.data import open_images
from cadc.demo import MODEL_DIR
from cadc.models import load_vlm

CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
          "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
          "{% endfor %}")


@pytest.fixture
def moved(tmp_path):
    """An export that lies elsewhere than it was written; its pool is gone."""
    root = pictures(tmp_path / "pool")
    written(tmp_path / "first", root, "axolotl")
    shutil.move(tmp_path / "first", tmp_path / "there")
    shutil.rmtree(root)
    return tmp_path / "there"


def prepare(folder, model, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "prepare.py", str(model)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_paths_are_absolute_where_it_trains(moved):
    prepare(moved, MODEL_DIR)
    config = yaml.safe_load((moved / "prepared" / "axolotl.yaml").read_text())
    assert config["base_model"] == str(MODEL_DIR) and config["curriculum_sampling"] is True
    assert config["output_dir"] == str(moved / "trained")
    data = moved / "prepared" / "curriculum.jsonl"
    assert config["datasets"][0]["path"] == str(data)
    rows = [json.loads(line) for line in data.read_text().split("\n")[:-1]]
    assert [row["id"] for row in rows] == [s.id for s in samples() if s.id != "unlearnt"]
    shown = [block["path"] for row in rows for turn in row["messages"] for block in turn["content"]
             if block["type"] == "image"]
    assert len(shown) == 4 and all(path.startswith(f"{moved}/images/") for path in shown)
    (moved / "images" / "a.png").unlink()
    assert "row 1: the picture" in prepare(moved, MODEL_DIR, code=1)


def labelled(ids: list[int], boundaries: list[dict], tokenizer) -> list[bool]:
    """Axolotl's rule: from behind a start to behind its end, for answers alone."""
    marks = [(one["role"], tokenizer.encode(one["start"], add_special_tokens=False),
              tokenizer.encode(one["end"], add_special_tokens=False)) for one in boundaries]
    found, at = [False] * len(ids), 0
    while at < len(ids):
        here = next(((role, start, end) for role, start, end in marks if ids[at:at + len(start)] == start), None)
        if here is None:
            at += 1
            continue
        role, start, end = here
        begin = at + len(start)
        stop = next((n + len(end) for n in range(begin, len(ids)) if ids[n:n + len(end)] == end), len(ids))
        if role == "assistant":
            found[begin:stop] = [True] * (stop - begin)
        at = stop
    return found


def test_the_marks_find_exactly_the_answers_of_the_study(moved, tmp_path):
    prepare(moved, MODEL_DIR)
    boundaries = yaml.safe_load((moved / "prepared" / "axolotl.yaml").read_text())["role_boundaries"]
    vlm = load_vlm(str(MODEL_DIR))
    root = pictures(tmp_path / "again")
    for sample in samples():
        if sample.id == "unlearnt":
            continue
        encoded = vlm.encode(sample, open_images(sample, root))
        found = labelled(encoded.inputs["input_ids"].tolist(), boundaries, vlm.tokenizer)
        differing = (torch.tensor(found) != encoded.answer).nonzero().flatten().tolist()
        assert all(vlm.tokenizer.decode(encoded.inputs["input_ids"][place]) == " " for place in differing), (
            "but for the template's own space before an answer, where that is a token of its own")
        assert encoded.answer.any() and not (encoded.answer & ~torch.tensor(found)).any(), sample.id


def test_another_template_has_other_marks(moved, tmp_path):
    processor = AutoProcessor.from_pretrained(MODEL_DIR)
    processor.tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    processor.chat_template = CHATML
    processor.save_pretrained(tmp_path / "chatml")
    shutil.copy(MODEL_DIR / "config.json", tmp_path / "chatml")
    prepare(moved, tmp_path / "chatml")
    assert yaml.safe_load((moved / "prepared" / "axolotl.yaml").read_text())["role_boundaries"] == [
        {"role": "assistant", "start": "<|im_start|>assistant\n", "end": "<|im_end|>"},
        {"role": "user", "start": "<|im_start|>user\n", "end": "<|im_end|>"}]
