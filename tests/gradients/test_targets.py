"""Which target samples count, and grounded gradients."""

import json
import threading

import numpy as np
import pytest
import torch
from reference import Reference
from safetensors.numpy import load_file
from safetensors.torch import load_file as torch_file
from tiny_study import make_study, scored
from watching import times

from cadc.data import read_samples
from cadc.gradients import targets
from cadc.gradients.checkpoints import open_model
from cadc.gradients.choice import choose, donors, swappable
from cadc.jobs.engines import EngineSettings
from cadc.models.threads import torch_threads
from cadc.study import read_about, write_tensors
from cadc.study.progress import Silent
from cadc.study.results import write_sealed


def test_pictures_are_swapped_among_rows_with_as_many():
    pictures = [("a",), ("b",), (), ("c", "d"), ("e",), ("f", "g"), ("h", "i", "j")]
    for round_ in range(4):
        found = donors(pictures, round_, [0])
        assert sorted(found) == list(range(7))
        assert all(len(pictures[a]) == len(pictures[b]) for a, b in enumerate(found))
        assert all(found[a] != a for a in (0, 1, 3, 4, 5))
        assert found[2] == 2 and found[6] == 6
        assert found == donors(pictures, round_, [0])


def test_rows_that_share_a_picture_swap_with_others_when_they_can():
    found = donors([("a",), ("a",), ("b",), ("b",)], 0, [0])
    assert all({a, b} & {0, 1} and {a, b} & {2, 3} for a, b in enumerate(found))


def test_unit_with_one_picture_only_is_not_swappable():
    assert not swappable([("a",), ("a",), ()])
    assert not swappable([(), ()])
    assert not swappable([("a",), ("b", "c")])
    assert swappable([("a",), ("b",)])


def test_grounded_mean_is_the_mean_less_that_with_swapped_pictures(ready):
    done = targets.summary(ready)
    assert done["text_only"] == ["words"]
    target = read_samples(ready.samples_file("target"))
    reference = Reference(ready)
    choice, feed = chosen(ready)
    u = choice.units.index("look")
    rows = choice.rows[u]
    plain = np.mean([reference.gradient(target[row], 1)[1] for row in rows], 0)
    swapped = []
    for round_ in range(2):
        swap = donors([target[row].images for row in rows], round_, [ready.config.seed, 22, u])
        swapped.append(np.mean([reference.gradient(target[row], 1, target[rows[d]])[1]
                                for row, d in zip(rows, swap, strict=True)], 0))
    found = load_file(ready.targets_folder / "vectors-2.safetensors")
    truth = plain - np.mean(swapped, 0)
    assert np.abs(found["grounded"][u] - truth).max() <= 1e-5 * np.abs(plain).max()
    words = choice.units.index("words")
    assert np.array_equal(found["grounded"][words], found["unit"][words])


def chosen(study):
    from cadc.models.feed import Feed

    feed = Feed(study, "target", None)
    return choose(study.config, feed.samples), feed


def test_single_samples_are_unit_vectors_of_rows_in_the_mean(ready):
    done = json.loads((ready.targets_folder / "targets.json").read_text())
    vectors = load_file(ready.targets_folder / "vectors-1.safetensors")["sample"]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    choice, feed = chosen(ready)
    assert [s["row"] for s in done["samples"]] == [row for rows in choice.singles for row in rows]
    assert all(set(single) <= set(rows) for single, rows in zip(choice.singles, choice.rows, strict=True))
    assert [s["unit"] for s in done["samples"]] == [feed.samples[s["row"]].unit for s in done["samples"]]


def test_finished_targets_are_not_computed_again_but_follow_a_new_warm_up(ready, own_copy):
    study = own_copy(ready)
    before = times(study.targets_folder)
    targets.run_targets(study, Silent())
    assert times(study.targets_folder) == before
    path = study.warmup_folder / "checkpoint-1.safetensors"
    write_tensors(path, {name: value + 0.01 for name, value in torch_file(path).items()}, read_about(path))
    study.result("warmup").reopen()
    assert study.finished("targets"), "while there is no other warm-up"
    study.result("warmup").finish()
    assert not study.finished("targets")
    targets.run_targets(study, Silent())
    assert study.finished("targets") and times(study.targets_folder)["gram.safetensors"] > before["gram.safetensors"]


def test_several_batches_at_a_time_make_the_same_vectors(ready, own_copy, monkeypatch):
    opened, made = [], []

    def counted(study):
        opened.append(threading.current_thread().name)
        return open_model(study)

    monkeypatch.setattr(targets, "open_model", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with torch_threads(2):  # as numba leaves them behind
        study = own_copy(ready)
        for workers in (1, 3):
            study.result("targets").remove()
            plan = {"rows": 2, "tokens": 400, "reason": "by hand", "warnings": [], "key": study.key("targets")}
            write_sealed(study.batch_file("targets"), plan)
            targets.run_targets(study, Silent(), engine=EngineSettings(workers=workers))
            made.append({path.name: torch_file(path) for path in study.targets_folder.glob("*.safetensors")})
    assert len(opened) == 1 + 3
    for name, one in made[0].items():
        assert all(torch.equal(value, made[1][name][key]) for key, value in one.items())


@pytest.mark.parametrize("grounded", [True, False])
def test_sample_without_unit_is_its_own_unit(data, tmp_path, grounded):
    scores = scored(make_study(data, tmp_path, unit_column="", checkpoints=1, grounded=grounded))
    assert len(scores.units) == 18 and scores.has_grounded == grounded
    assert np.array_equal(scores.winner, np.repeat(np.arange(18, dtype=np.int32)[:, None], 30, 1))
