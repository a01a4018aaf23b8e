"""The planted faults of the real pool are where its truth says, and nowhere else."""

import json
from collections import Counter

import numpy as np
import pytest

from benchmarks import real_pool


def row(number: int, task: str, image: str, question: str, answer: str) -> dict:
    said = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
    return {"id": f"r{number}", "image": image, "conversations": said, "task": task}


@pytest.fixture(scope="module")
def rows():
    made = [row(i, "counting", f"images/Nested_{i:x}.jpg", "How many?", str(i % 5)) for i in range(600)]
    made += [row(i, "spatial_true_false", f"images/dev-{i}.jpg", "True?", ("true", "false")[i % 2])
             for i in range(600, 900)]
    made += [row(i, "synthetic_shape_qa", f"images/t_{i}.png", "Which?", "a circle") for i in range(900, 930)]
    return made + [row(i, "ocr", f"images/{i}.png", "Read.", "x" * (10 + 80 * (i % 2))) for i in range(930, 1400)]


def test_the_truth_says_which_rows_were_changed(rows):
    pool, target, truth = real_pool.make(rows, seed=3)
    real = {r["id"]: r for r in rows}
    assert len(pool) == len(truth) and [t["index"] for t in truth] == list(range(len(pool)))
    for made, about in zip(pool, truth, strict=True):
        before = real[made["id"].removesuffix("-again")]
        assert made["image"] == before["image"]
        assert about["wrong"] == (made["conversations"][1] != before["conversations"][1])
        assert about["on_target"] == (before["task"] != "ocr") and made["id"].endswith("-again") == (
            about["duplicate_of"] is not None)
        if about["duplicate_of"] is not None:
            twin = pool[about["duplicate_of"]]
            assert twin["conversations"] == made["conversations"]
    wrong = sum(t["wrong"] for t in truth) / sum(t["on_target"] for t in truth)
    assert wrong == pytest.approx(real_pool.WRONG, abs=0.05)
    assert json.dumps(real_pool.make(rows, seed=3)) == json.dumps((pool, target, truth))
    assert real_pool.make(rows, seed=4)[0] != pool


def test_its_files_are_a_truth_that_benchmarks_can_read(rows, tmp_path, capsys):
    from benchmarks.lab.truth import junk_shares, read_truth

    (tmp_path / "data.json").write_text(json.dumps(rows))
    assert real_pool.main(["--pack", str(tmp_path), "--out", str(tmp_path / "made")]) == 0
    assert "cadc new real" in capsys.readouterr().out
    pool = json.loads((tmp_path / "made" / "pool.json").read_text())
    units = ("count Nested", "boxes true/false")
    truth = read_truth(tmp_path / "made" / "truth_pool.jsonl", tmp_path / "made" / "truth_target.jsonl",
                       np.arange(len(pool)), units)
    assert truth.skills == ("count", "boxes") and truth.formats == ("Nested", "true/false")
    shares = junk_shares(truth.pool, np.arange(len(pool)))
    assert 0 < shares["wrong"] < real_pool.WRONG and shares["off_target"] > 0.2
    assert shares["duplicate"] == pytest.approx(real_pool.COPIES / (1 + real_pool.COPIES), abs=0.02)


def test_target_rows_are_clean_even_and_not_in_the_pool(rows):
    pool, target, truth = real_pool.make(rows, seed=3)
    real = {r["id"]: r for r in rows}
    assert Counter(r["task"] for r in target) == {"count Nested": real_pool.PER_UNIT,
                                                  "boxes true/false": real_pool.PER_UNIT}, "30 rows are no unit"
    assert all(r["conversations"] == real[r["id"]]["conversations"] for r in target)
    assert not {r["id"] for r in target} & {r["id"].removesuffix("-again") for r in pool}
    assert all(len(r["conversations"][1]["value"]) <= real_pool.LONGEST for r in pool)
