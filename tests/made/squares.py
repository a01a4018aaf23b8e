"""A small study on a from-config model: coloured squares, three target units, sixty pool rows, twenty answered wrongly.
"""

import json
import random
import shutil
import time
from pathlib import Path

from cadc.study import Study, StudyConfig

COLOURS = {"red": (214, 48, 44), "blue": (42, 92, 214), "green": (46, 160, 66)}
QUESTIONS = {"name": "Which colour is it?", "is_red": "Is it red?", "option": "A red, B blue, C green. Which letter?"}


def answer(kind: str, colour: str) -> str:
    letter = "ABC"[list(COLOURS).index(colour)]
    return {"name": colour, "is_red": "yes" if colour == "red" else "no", "option": letter}[kind]


WRONG = range(40, 60)
"""Pool rows whose answer is another colour's."""


def write_rows(folder: Path, name: str, count: int, seed: int) -> list[dict]:
    """LLaVA rows about squares; every picture is different."""
    from PIL import Image, ImageDraw

    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(count):
        colour, kind = rng.choice(list(COLOURS)), list(QUESTIONS)[i % 3]
        picture = Image.new("RGB", (64, 64), (255, 255, 255))
        left, top = rng.randrange(40), rng.randrange(40)
        ImageDraw.Draw(picture).rectangle((left, top, left + 20, top + 20), fill=COLOURS[colour])
        picture.putpixel((63, 63), (i % 256, seed % 256, 7))
        picture.save(folder / f"images/{name}-{i}.png")
        rows.append({"id": f"{name}-{i}", "image": f"images/{name}-{i}.png", "task": kind, "conversations": [
            {"from": "human", "value": f"<image>\n{QUESTIONS[kind]}"}, {"from": "gpt", "value": answer(kind, colour)}]})
    return rows


def _other(kind: str, said: str) -> str:
    """A wrong answer, the same for all samples of one right answer."""
    around = {"name": list(COLOURS), "is_red": ["yes", "no"], "option": list("ABC")}[kind]
    return around[(around.index(said) + 1) % len(around)]


def finished_squares(folder: Path) -> Study:
    """The study by gradients alone with every job done that its pages need, by a worker as a person starts it."""
    from cadc.jobs import control

    study = squares_study(folder, nearness="gradients", judges=0)
    control.start(study, workers=1)
    while control.is_running(study):
        time.sleep(0.05)
    assert study.complete, [found.message for found in control.statuses(study)]
    return study


def quick_squares(folder: Path) -> Study:
    """The study of preset `quick` with every job done that it has without being asked, by a worker."""
    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    study = squares_study(folder, preset="quick", judges=1, judge_steps=2)
    assert run(study, "", EngineSettings(workers=1)), "its log is in its folder"
    return study


def squares_study(folder: Path, **settings) -> Study:
    """The study under these settings, nothing computed yet. Row 10 of its pool is a copy of the last target row, row 13
    one in other letters with a re-encoded picture. The ground truth lies beside the pool."""
    from PIL import Image

    from cadc.demo.model import build_model, build_processor

    model = folder / "model"
    build_model(0).save_pretrained(model)
    build_processor().save_pretrained(model)
    pool, target = write_rows(folder, "pool", 60, 1), write_rows(folder, "target", 48, 2)
    shutil.copy(folder / target[-1]["image"], folder / "images" / "copy.png")
    pool[10] = pool[10] | {"image": "images/copy.png", "conversations": target[-1]["conversations"]}
    last = target[-1]["conversations"]
    loud = [last[0] | {"value": last[0]["value"].upper().replace("<IMAGE>", "<image>") + "!"}, last[1]]
    Image.open(folder / target[-1]["image"]).save(folder / "images" / "copy.jpg", quality=90)
    pool[13] = pool[13] | {"image": "images/copy.jpg", "conversations": loud}
    for i in WRONG:
        said = pool[i]["conversations"]
        pool[i] = pool[i] | {"conversations": [said[0], said[1] | {"value": _other(pool[i]["task"], said[1]["value"])}]}
    truth = [{"index": i, "wrong": i in WRONG, "on_target": True, "duplicate_of": None, "unit": row["task"]}
             for i, row in enumerate(pool)]
    (folder / "truth_pool.jsonl").write_text("\n".join(map(json.dumps, truth)))
    (folder / "pool.json").write_text(json.dumps(pool))
    (folder / "target.json").write_text(json.dumps(target))
    config = StudyConfig(pool=str(folder / "pool.json"), target=str(folder / "target.json"), unit_column="task",
                         model=str(model), checkpoints=2, warmup_min_rows=24, warmup_epochs=2, warmup_batch=8,
                         samples_per_unit=8, near_samples=4, near_q=2, best_rows=16, permutations=1, **settings)
    return Study.create("squares", config, created="2026-01-01T00:00:00", root=folder / "cache")
