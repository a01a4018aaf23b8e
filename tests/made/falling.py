"""A small study some of whose rows fall out: 100 pool rows, five of them broken, two over-long, one that the processor
refuses and one whose loss is not finite; of 24 target rows one each."""

import json
from pathlib import Path

from cadc.study import Study, StudyConfig

MAX_TOKENS = 220
BROKEN = {10: "line is not JSON", 21: "picture not found", 32: "no assistant answer", 43: "unknown role",
          54: "not a picture"}
LEFT_OUT = {17: "too long", 66: "too long", 71: "refused by the model's processor", 88: "not finite"}
"""Pool row → kind of its reason."""
TARGET_BROKEN = {3: "empty answer"}
TARGET_LEFT_OUT = {5: "too long", 8: "not finite"}
ODD = "~"
"""Its embedding is not a number."""


def write_data(folder: Path) -> None:
    """pool.jsonl, target.json, pictures/ and model/."""
    from PIL import Image
    from tiny_families import qwen2_vl

    (folder / "pictures").mkdir()
    for i in range(8):
        Image.linear_gradient("L").rotate(45 * i).resize((16 + i, 16)).convert("RGB").save(folder / f"pictures/{i}.png")
    (folder / "pictures/text.png").write_text("this is no picture")
    Image.new("RGB", (300, 1)).save(folder / "pictures/flat.png")
    lines = [json.dumps(_row(i, LEFT_OUT)) for i in range(100)]
    lines[10] = lines[10][:-9]
    for i, changes in {21: {"image": "gone.png"}, 54: {"image": "text.png"}}.items():
        lines[i] = json.dumps(json.loads(lines[i]) | changes)
    lines[32] = json.dumps({"id": "r32", "conversations": [{"from": "human", "value": "anybody?"}]})
    lines[43] = lines[43].replace('"gpt"', '"parrot"')
    (folder / "pool.jsonl").write_text("\n".join(lines) + "\n")
    target = [_row(i, TARGET_LEFT_OUT, "tell me: ") | {"id": f"t{i}", "task": "ab"[i % 2]} for i in range(24)]
    target[3]["conversations"][1]["value"] = " "
    (folder / "target.json").write_text(json.dumps(target))
    _spoil(qwen2_vl(folder / "model"))


def _row(i: int, odd: dict[int, str], before: str = "") -> dict:
    """Every third has a picture, and the one that the processor refuses."""
    shows = i % 3 == 0 or odd.get(i) == "refused by the model's processor"
    words = {"too long": "word " * 80, "not finite": ODD}.get(odd.get(i, ""), "what is it? " * (1 + i % 4))
    made = {"id": f"r{i}", "conversations": [
        {"from": "human", "value": ("<image>\n" if shows else "") + before + words},
        {"from": "gpt", "value": ("red", "a blue thing", "7")[i % 3]}]}
    picture = "flat.png" if odd.get(i) == "refused by the model's processor" else f"{i % 8}.png"
    return made | ({"image": picture} if shows else {})


def _spoil(model: Path) -> None:
    """Make the embedding of `ODD` not a number, in a model whose head has weights of its own."""
    import torch
    from transformers import AutoTokenizer, Qwen2VLForConditionalGeneration

    vlm = Qwen2VLForConditionalGeneration.from_pretrained(model)
    vlm.config.tie_word_embeddings = vlm.config.text_config.tie_word_embeddings = False
    rows = vlm.get_input_embeddings().weight
    vlm.lm_head.weight = torch.nn.Parameter(rows.detach().clone())
    rows.data[AutoTokenizer.from_pretrained(model).convert_tokens_to_ids(ODD)] = float("nan")
    vlm.save_pretrained(model)


def make_study(data: Path, root: Path, **settings) -> Study:
    """The study `falling` of that data; nothing is run yet."""
    small = {"warmup_min_rows": 100, "warmup_epochs": 1, "warmup_batch": 8, "checkpoints": 2, "near_samples": 6,
             "near_q": 2, "samples_per_unit": 12, "shard_rows": 16, "best_rows": 5, "lora_rank": 2, "judges": 1,
             "learning_rate": 1e-2, "max_tokens": MAX_TOKENS}
    config = StudyConfig(pool=str(data / "pool.jsonl"), target=str(data / "target.json"), unit_column="task",
                         images=str(data / "pictures"), model=str(data / "model"), **(small | settings))
    return Study.create("falling", config, created="2026-01-01T00:00:00", root=root)
