"""Rows with the same pictures and turns: computed once, each with its own line in every column."""

import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from tiny_study import make_study, scored, work, write_data

from cadc.data.indices import FeedRow
from cadc.data.sample import Sample, Turn
from cadc.gradients.attribute import PoolPass, pool_shards
from cadc.models.batching import run_batches
from cadc.models.copies import Copies
from cadc.scores.scores import Scores
from cadc.signals.judge_pass import JudgePass, pieces
from cadc.study.results import read_sealed

COPIES = {30: 4, 31: 4, 32: 9, 33: 20}
"""New row → the row that it repeats."""


@pytest.fixture(scope="module")
def repeated(data, tmp_path_factory):
    """The tiny data with four rows once more, and two times a row that is too long."""
    folder = tmp_path_factory.mktemp("repeated")
    write_data(folder)
    (folder / "model").symlink_to(data / "model")
    rows = json.loads((folder / "pool.json").read_text())
    rows += [rows[old] | {"id": f"copy{new}"} for new, old in COPIES.items()]
    long = {"conversations": [{"from": "human", "value": "word " * 500}, {"from": "gpt", "value": "no"}]}
    rows += [long | {"id": "long1"}, long | {"id": "long2"}]
    (folder / "pool.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture(scope="module")
def study(repeated, tmp_path_factory):
    made = make_study(repeated, tmp_path_factory.mktemp("cache"), shard_rows=64, max_tokens=300, judges=1,
                      judge_steps=2)
    work(made, "judge")
    scored(made)
    return made


def test_copies_have_the_numbers_of_their_original_to_the_last_bit(study):
    scores = scored(study)
    place = {index: at for at, index in enumerate(scores.index.tolist())}
    columns = [getattr(scores, f.name) for f in fields(Scores) if f.type is np.ndarray]
    columns = [column for column in columns if len(column) == len(place)]
    assert len(columns) > 4 and set(COPIES) <= place.keys()
    for new, old in COPIES.items():
        for column in columns[1:]:
            assert np.array_equal(column[place[new]], column[place[old]])


@pytest.mark.parametrize("job", ["attribute", "judge"])
def test_they_are_computed_once(study, monkeypatch, job):
    """What is encoded and what is computed, of the rows of a shard: of each several the first."""
    from cadc.models.feed import Feed

    made = {"attribute": PoolPass, "judge": JudgePass}[job](study)
    feed, seen = Feed(study, "pool", made.vlm), []
    one = pool_shards(study, feed.samples)[0]
    piece = one if job == "attribute" else next(p for p in pieces(study, feed.samples) if p.role == "pool")
    run, steps = made.run, []
    monkeypatch.setattr(made, "run", lambda batch: (seen.append(len(batch)), run(batch))[1])
    made.shard(feed, piece, lambda rows, loss: steps.append(rows))
    kept = read_sealed(piece.file(study).with_suffix(".json"))["kept"]
    assert sorted(kept) == list(range(34)), "every row that can be encoded has its line"
    assert sum(steps) == 34 and sum(seen) == 30


def test_the_numbers_are_those_of_every_row_computed(study):
    made = PoolPass(study)
    from cadc.models.feed import Feed

    feed, failed = Feed(study, "pool", made.vlm), {}
    rows = [FeedRow(row) for row, sample in enumerate(feed.samples) if sample.index in (*COPIES, *COPIES.values())]
    same = Copies(feed.samples, rows)
    assert len(same.firsts) == 3
    whole = {key: torch.cat([found[key] for _, found in run_batches(feed, rows, made.scores, failed)])
             for key in ("dots", "loss", "near", "whitened")}
    for part, found in run_batches(feed, same.firsts, made.scores, failed):
        spread, order = same.spread(part, found), same.all_of(part)
    assert sorted(order) == rows and not failed
    for key, value in whole.items():
        ours = spread[key][torch.tensor([order.index(row) for row in rows])]
        assert torch.allclose(ours, value, rtol=1e-3, atol=1e-5), key


def test_a_copy_of_a_row_that_falls_out_falls_out_with_a_reason_of_its_own(study):
    for job in ("attribute", "judge"):
        facts = [read_sealed(path) for path in study.result(job).folder.glob("shard-*.json")]
        failed = [row for one in facts if one.get("role", "pool") == "pool" for row in one["failed"]]
        assert sorted(row.get("index", row.get("row")) for row in failed) == [34, 35]
        assert all("tokens" in row["reason"] for row in failed)


def test_a_reason_that_names_its_sample_names_the_copy():
    from cadc.errors import DataError

    class Feed:
        samples = [Sample(index=n, id=f"r{n}", turns=(Turn(role="user", parts=("a",)),)) for n in range(3)]

        def encode(self, row):
            raise DataError(f"sample {self.samples[row].id}: no")

    same, failed = Copies(Feed.samples, [FeedRow(n) for n in range(3)]), {FeedRow(0): "sample r0: no"}
    same.fail(failed, Feed())
    assert failed == {n: f"sample r{n}: no" for n in range(3)}


def test_what_is_learnt_shown_or_said_otherwise_is_no_copy():
    def row(n: int, *, learnt: bool = True, image: str = "a.png", answer: str = "yes", unit: str = "") -> Sample:
        turns = (Turn(role="user", parts=(0, "x")), Turn(role="assistant", parts=(answer,), learnt=learnt))
        return Sample(index=n, id=f"r{n}", images=(image,), turns=turns, unit=unit)

    samples = [row(0), row(1, learnt=False), row(2, image="b.png"), row(3, answer="no"), row(4, unit="other")]
    same = Copies(samples, [FeedRow(n) for n in range(5)])
    assert same.firsts == [0, 1, 2, 3] and same.all_of([FeedRow(0)]) == [0, 4]
