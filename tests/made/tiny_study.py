"""A tiny study: data of all shapes, a tiny Idefics3."""

import json
import random
from pathlib import Path

from cadc.scores.scores import Scores
from cadc.study import JOBS, Study, StudyConfig
from cadc.study.jobs import up_to
from cadc.study.progress import Silent

ANSWERS = ("red", "a blue thing", "7", "yes", "between the two")


def write_data(folder: Path, *, pool: int = 30, target: int = 18) -> None:
    """No picture, one and several, short and long, one and two turns; three units, one of them without pictures."""
    from PIL import Image

    draw = random.Random(3)
    (folder / "pictures").mkdir()
    for i in range(12):
        size = (16, 16) if i % 3 else (16, 8)
        picture = Image.new("RGB", size)
        picture.putdata([tuple(draw.randrange(256) for _ in range(3)) for _ in range(size[0] * size[1])])
        picture.save(folder / "pictures" / f"{i}.png")

    def row(i: int, pictures: int, unit: str | None) -> dict:
        names = [f"{draw.randrange(12)}.png" for _ in range(pictures)]
        question = "<image>\n" * pictures + " ".join(["what"] * (1 + i % 7)) + "?"
        turns = [{"from": "human", "value": question}, {"from": "gpt", "value": draw.choice(ANSWERS)}]
        if i % 4 == 3:
            turns += [{"from": "human", "value": "sure?"}, {"from": "gpt", "value": draw.choice(ANSWERS)}]
        made = {"id": f"r{i}", "conversations": turns}
        if pictures:
            made["image"] = names if pictures > 1 else names[0]
        return made | ({"task": unit} if unit else {})

    rows = [row(i, (0, 1, 1, 2)[i % 4], None) for i in range(pool)]
    (folder / "pool.json").write_text(json.dumps(rows))
    units = ("look", "words", "mixed")
    rows = [row(i, {"look": 1, "words": 0, "mixed": i // 3 % 3}[units[i % 3]], units[i % 3]) for i in range(target)]
    (folder / "target.json").write_text(json.dumps(rows))


def make_study(data: Path, root: Path, name: str = "tiny", **settings) -> Study:
    """A study of that data, ingested; settings replace the small defaults."""
    small = {"warmup_min_rows": 12, "warmup_epochs": 2, "warmup_batch": 6, "checkpoints": 2, "near_samples": 4,
             "near_q": 2, "samples_per_unit": 5, "shard_rows": 8, "best_rows": 5, "lora_rank": 2, "learning_rate": 1e-2}
    config = StudyConfig(pool=str(data / "pool.json"), target=str(data / "target.json"), images=str(data / "pictures"),
                         model=str(data / "model"), **({"unit_column": "task"} | small | settings))
    return work(Study.create(name, config, created="2026-01-01T00:00:00", root=root), "ingest")


def work(study: Study, until: str) -> Study:
    """Run the jobs up to this one in this process."""
    for job in up_to(until, study.config):
        JOBS[job].function()(study, Silent())
    return study


def scored(study: Study) -> Scores:
    """Run the jobs up to the scores; what gradients say."""
    return Scores.load(work(study, "scores"), near="gradients")
