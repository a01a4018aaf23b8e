"""The folder for TRL in TRL itself: its trainer takes the rows in their order, with the study's pictures and labels."""

import json
import subprocess
import sys

import pytest
import torch
from curricula import pictures, quick, samples, talk, written
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from cadc.data import Sample, open_images
from cadc.demo import MODEL_DIR
from cadc.models import load_vlm

SEEN = '''
import json, sys
sys.path.insert(0, ".")
import torch
import train

batches = []

class Watched(train.SFTTrainer):
    """TRL's trainer; what it computes the loss of is kept."""

    def compute_loss(self, model, inputs, *more, **options):
        batches.append({name: value.detach().clone() for name, value in inputs.items() if torch.is_tensor(value)})
        return super().compute_loss(model, inputs, *more, **options)

train.SFTTrainer = Watched
train.main(sys.argv[1], sys.argv[2])
torch.save(batches, sys.argv[3])
'''


def run(folder, out, model=MODEL_DIR):
    """The batches that TRL trained on, from the folder's own train.py."""
    done = subprocess.run([sys.executable, "-c", SEEN, str(model), str(out / "trained"), str(out / "batches.pt")],
                          cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (out / "trained" / "adapter_model.safetensors").is_file()
    return torch.load(out / "batches.pt", weights_only=True)


def taken(batches) -> list[dict[str, torch.Tensor]]:
    """Row by row, without padding."""
    rows = []
    for batch in batches:
        for number in range(len(batch["input_ids"])):
            real = batch["attention_mask"][number].bool()
            row = {name: batch[name][number][real] for name in ("input_ids", "labels")}
            if "pixel_values" in batch:
                tiles = batch["pixel_values"][number]
                row["pixels"] = tiles[tiles.flatten(1).any(1)]  # tiles of zeros are padding
            rows.append(row)
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("how", ["copy", "parquet"])
def test_trl_trains_on_the_rows_in_order_and_on_exactly_the_answers(root, tmp_path, how):
    steps, batch = 2, 4
    done = written(tmp_path / "out", root, "trl", how=how, recipe=quick(steps, batch, lora_rank=2))
    assert done.rows == len(samples()) and done.manifest["not_written"]["rows"] == 0
    rows = taken(run(tmp_path / "out", tmp_path))
    vlm = load_vlm(str(MODEL_DIR))
    wanted = [vlm.encode(sample, open_images(sample, root)) for sample in samples()]
    assert len(rows) == steps * batch, "the file is gone through again where a batch runs over its end"
    for place, row in enumerate(rows):
        expected = wanted[place % len(wanted)]
        assert row["input_ids"].tolist() == expected.inputs["input_ids"].tolist(), place
        sample = samples()[place % len(wanted)]
        if all(turn.learnt for turn in sample.turns):
            assert ((row["labels"] != -100) == expected.answer).all(), place
        labelled = row["labels"] != -100
        assert (row["labels"][labelled] == row["input_ids"][labelled]).all()
        if sample.images:
            tiles = expected.inputs["pixel_values"]
            assert torch.allclose(row["pixels"], tiles.reshape(-1, *tiles.shape[-3:]), atol=1e-6), place


def test_trl_goes_through_a_mixed_stage_in_a_new_order_each_time_and_misses_no_row(root, tmp_path):
    count = len(samples())
    written(tmp_path / "out", root, "trl", stages=1, curation={"staging": "mix"}, recipe=quick(3, count, lora_rank=2))
    rows = [tuple(row["input_ids"].tolist()) for row in taken(run(tmp_path / "out", tmp_path))]
    passes = [rows[start:start + count] for start in range(0, 3 * count, count)]
    assert len(set(map(tuple, passes))) == 3
    vlm = load_vlm(str(MODEL_DIR))
    every = sorted(tuple(vlm.encode(one, open_images(one, root)).inputs["input_ids"].tolist()) for one in samples())
    assert all(sorted(one) == every for one in passes)


def test_an_answer_that_is_not_learnt_from_has_no_label(root, tmp_path):
    written(tmp_path / "out", root, "trl", recipe=quick(2, 3, lora_rank=2))
    rows = taken(run(tmp_path / "out", tmp_path))
    vlm = load_vlm(str(MODEL_DIR))
    place = next(n for n, sample in enumerate(samples()) if sample.id == "unlearnt")
    row = rows[place]
    text = vlm.tokenizer.decode(row["input_ids"][row["labels"] != -100])
    assert "Right now." in text and "wrong" not in text


def test_a_model_of_words_alone_is_trained_by_the_same_script(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    tokenizer.chat_template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "model")
    told = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    told.pop("processor_class", None)  # of the model with pictures that its tokenizer is from
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(told))
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                                 num_attention_heads=2, num_key_value_heads=2)).save_pretrained(tmp_path / "model")
    found = [Sample(index=n, id=f"r{n}", turns=talk(f"Is it {n}?", "yes", "Sure?", "no")) for n in range(3)]
    written(tmp_path / "out", tmp_path, "trl", found=found, stages=1, recipe=quick(2, 2, lora_rank=2))
    rows = taken(run(tmp_path / "out", tmp_path, tmp_path / "model"))
    vlm = load_vlm(str(tmp_path / "model"))
    for place, row in enumerate(rows):
        expected = vlm.encode(found[place % 3], [])
        assert row["input_ids"].tolist() == expected.inputs["input_ids"].tolist()
        assert ((row["labels"] != -100) == expected.answer).all()


def test_the_recipe_of_the_folder_is_the_study_s(root, tmp_path):
    written(tmp_path / "out", root, "trl", recipe=quick(7, 6, lora_rank=3, lora_alpha=5.0,
                                                             lora_layers="last:1", seed=4))
    told = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert {key: told[key] for key in ("steps", "batch", "micro_batch", "accumulate", "rank", "alpha", "layers", "seed",
                                       "learning_rate", "rise", "data")} == {
        "steps": 7, "batch": 6, "micro_batch": 2, "accumulate": 3, "rank": 3, "alpha": 5.0, "layers": "last:1",
        "seed": 4, "learning_rate": 3e-3, "rise": 10, "data": ["curriculum.jsonl"]}
