import json
import random

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.lab.truth import TWINS, junk_auc, junk_shares, read_truth, twin_auc
from cadc.demo import kinds


def row(index: int, **known) -> dict:
    return {"index": index, "unit": None, "skill": None, "format": None, "wrong": False, "duplicate_of": None,
            "off_topic": False, "on_target": False} | known


@pytest.fixture
def truth(tmp_path):
    pool = [row(0, on_target=True, unit="a"), row(1, on_target=True, unit="a", duplicate_of=0), row(2, off_topic=True),
            row(3), row(4, on_target=True, unit="b", wrong=True), row(5, on_target=True, unit="b", duplicate_of=0)]
    target = [row(i, unit="ab"[i], skill=f"skill {i}", format="word") for i in range(2)]
    for name, rows in (("pool", pool), ("target", target)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return read_truth(tmp_path / "pool.jsonl", tmp_path / "target.jsonl", np.array([0, 1, 2, 3, 5]), ("b", "a"))


def test_truth_follows_the_scored_rows_and_the_order_of_units(truth):
    assert truth.pool["index"].tolist() == [0, 1, 2, 3, 5]
    assert truth.skills == ("skill 1", "skill 0")
    assert len(set(truth.skill)) == 2 and len(set(truth.format)) == 1


def test_shares_count_a_copy_only_beside_its_twin(truth):
    whole = junk_shares(truth.pool, np.arange(5))
    assert whole == {"off_topic": 0.2, "off_target": 0.2, "wrong": 0.0, "duplicate": 0.4}
    assert junk_shares(truth.pool, np.array([1, 3]))["duplicate"] == 0.0
    assert junk_shares(truth.pool, np.array([1, 4]))["duplicate"] == 0.5


def test_a_replayed_row_counts_once(truth):
    assert junk_shares(truth.pool, np.array([0, 0, 2])) == junk_shares(truth.pool, np.array([0, 2]))


def test_each_kind_of_junk_is_told_from_its_own_contrast():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"off_topic": rng.random(200) < 0.3, "wrong": rng.random(200) < 0.3})
    frame["on_target"] = ~frame["off_topic"] & (rng.random(200) < 0.5)
    score = rng.normal(size=200)
    found = junk_auc(score, frame)
    pictures, asked = frame[~frame["off_topic"]], frame[frame["on_target"]]
    assert found["off_topic"] == pytest.approx(roc_auc_score(frame["off_topic"], -score))
    assert found["off_target"] == pytest.approx(roc_auc_score(~pictures["on_target"], -score[pictures.index]))
    assert found["wrong"] == pytest.approx(roc_auc_score(asked["wrong"], -score[asked.index]))


def test_twins_are_told_apart_by_the_column_of_their_unit():
    frame = pd.DataFrame({"kind": ["a", "b", "a", "b", "c"]})
    near = np.array([[0.0] * 5, [3.0, 2.0, 1.0, 0.0, 9.0]])
    assert twin_auc(near, ("x", "a"), frame, (("a", "b"),)) == {"a / b": 0.75}
    assert np.isnan(twin_auc(near, ("x", "a"), frame, (("a", "none"),))["a / none"])


@pytest.mark.parametrize(("on", "off"), TWINS)
def test_twins_share_questions_and_answers(on: str, off: str) -> None:
    def said(name: str) -> tuple[set, set]:
        rng, out = random.Random(5), []
        for _ in range(400):
            turn = kinds.compose(kinds.KINDS[name], rng)[2]
            out.append((turn.question.split("? ")[0], turn.answer))
        return {q for q, _ in out}, {a for _, a in out}

    assert kinds.KINDS[on].on_target and not kinds.KINDS[off].on_target
    assert said(on) == said(off)
