"""Estimated tokens against what the processor makes of a row."""

import random

import numpy as np
import pytest
import tiny_families
from PIL import Image

from cadc.data.lengths import UNKNOWN, expected_of
from cadc.data.sample import Sample, Turn
from cadc.errors import DataError
from cadc.models import load_vlm, picture_tokens
from cadc.models.lengths import estimated_tokens
from cadc.models.load import NO_LIMIT

DRAW = random.Random(5)


def talk(i: int, pictures: int) -> Sample:
    """Words around some pictures of any size; a picture's name says its size."""
    names = tuple(f"{DRAW.randint(8, 120)}x{DRAW.randint(8, 120)}" for _ in range(pictures))
    parts = [part for place in range(pictures) for part in (place, DRAW.choice(("\n", " and this ", " ")))]
    asked = Turn(role="user", parts=(*parts, "what is it? " * DRAW.randint(1, 5)))
    again = [Turn(role="user", parts=("sure?",)), Turn(role="assistant", parts=("quite",))] * (i % 2)
    return Sample(index=i, id=f"s{i}", images=names, turns=(asked, Turn(role="assistant", parts=("a",)), *again))


SAMPLES = [talk(i, (0, 1, 1, 2, 3)[i % 5]) for i in range(40)]


def size(name: str) -> tuple[int, int]:
    """(height, width)"""
    width, height = map(int, name.split("x"))
    return height, width


SIZES = {name: size(name) for sample in SAMPLES for name in sample.images}


def pictures_of(sample: Sample) -> list[Image.Image]:
    return [Image.new("RGB", size(name)[::-1], (9, 200, 40)) for name in sample.images]


@pytest.fixture(scope="module", params=list(tiny_families.FAMILIES))
def family(request, tmp_path_factory) -> str:
    return str(tiny_families.FAMILIES[request.param](tmp_path_factory.mktemp(request.param)))


def test_estimates_are_what_the_processor_makes_of_every_family(family):
    vlm = load_vlm(family, max_tokens=NO_LIMIT)
    sees = vlm.encoder.template.image_token is not None
    rows = [sample for sample in SAMPLES if sees or not sample.images]
    found = estimated_tokens(family, rows, SIZES)
    assert found.tokens.tolist() == [vlm.encode(sample, pictures_of(sample)).length for sample in rows]
    assert not found.refused


@pytest.mark.parametrize("name", ["smolvlm", "onevision"])
def test_where_sizes_are_many_and_no_arithmetic_holds_classes_of_sizes_are_close(name, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_tokens, "PROBES", 4)
    model = str(tiny_families.FAMILIES[name](tmp_path))
    vlm = load_vlm(model, max_tokens=NO_LIMIT)
    found = estimated_tokens(model, SAMPLES, SIZES)
    real = np.array([vlm.encode(sample, pictures_of(sample)).length for sample in SAMPLES])
    assert "blank" in found.how and np.abs(found.tokens / real - 1).mean() < 0.03


def test_a_row_whose_picture_has_no_known_size_is_not_guessed_at(tmp_path):
    model = str(tiny_families.FAMILIES["llava"](tmp_path))
    known = {name: size for name, size in SIZES.items() if name not in SAMPLES[1].images}
    found = estimated_tokens(model, SAMPLES[:3], known)
    assert found.tokens[1] == UNKNOWN and (found.tokens[[0, 2]] > 0).all()
    assert expected_of(found, [0, 1, 2], ["a", "b", "c"], 10_000).unknown == 1


def test_rows_that_the_model_will_not_take_are_named_before_the_run(tmp_path):
    model = str(tiny_families.FAMILIES["llama"](tmp_path))
    found = estimated_tokens(model, SAMPLES[:3], SIZES)
    assert {row: reason.split(":")[0] for row, reason in found.refused.items()} == {
        1: "does not fit the model", 2: "does not fit the model"}
    told = expected_of(found, [10, 11, 12], ["a", "b", "c"], 3)
    assert told.kinds == {"does not fit the model": 2, "probably too long": 1}
    assert [(row.index, row.id) for row in told.rows] == [(10, "a"), (11, "b"), (12, "c")]
    with pytest.raises(DataError, match="reads text only"):
        load_vlm(model).encode(SAMPLES[1], pictures_of(SAMPLES[1]))
