"""Rival explanations: words, formats and pictures group what they should, and agreement is the adjusted Rand index."""

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from cadc.discovery import rivals

UNIT = np.repeat(np.arange(6), 3)


def test_units_that_ask_in_the_same_words_group_together():
    asked = (
        ["how many dots are there", "count the dots", "number of dots"],
        ["which colour is it", "name the colour", "colour?"],
    )
    questions = [asked[m % 2][i] for m in range(6) for i in range(3)]
    assert rivals.by_words(questions, UNIT, 6).labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_words_of_any_script_count_and_no_words_mean_no_similarity():
    questions = ["图中 多少 点" if m % 2 else "ما هو اللون" for m in range(6) for _ in range(3)]
    assert rivals.by_words(questions, UNIT, 6).labels.tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_array_equal(rivals.words_similarity([""] * 18, UNIT, 6), np.eye(6))


def test_formats_group_by_the_majority_of_a_unit():
    formats = ["word"] * 18
    formats[3:6] = ["letter"] * 3
    formats[6:9] = ["number", "number", "word"]
    formats[0] = "letter"
    found = rivals.by_format(formats, UNIT, 6)
    assert found.labels.tolist() == [0, -1, -1, 0, 0, 0]


def test_pictures_group_by_how_they_look():
    colours = [(250, 10, 10), (10, 10, 250)]
    features = np.stack(
        [rivals.picture_features(Image.new("RGB", (40, 30), colours[m % 2])) for m in range(6) for _ in "abc"]
    )
    features += np.random.default_rng(0).normal(0, 0.01, features.shape)
    assert rivals.by_pictures(features, UNIT, 6).labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_units_without_pictures_are_similar_to_nothing():
    features = np.random.default_rng(0).normal(size=(18, 5))
    features[UNIT == 2] = np.nan
    similar = rivals.pictures_similarity(features, UNIT, 6)
    assert np.isfinite(similar).all() and not np.delete(similar[2], 2).any()
    np.testing.assert_array_equal(rivals.pictures_similarity(features * np.nan, UNIT, 6), np.eye(6))


def test_picture_features_lie_between_zero_and_one_for_any_mode():
    for mode in ("RGB", "L", "RGBA", "P", "1"):
        features = rivals.picture_features(Image.new(mode, (7, 90)))
        assert features.shape == (3 * 64 + 24,) and features.min() >= 0 and features.max() <= 1


def test_agreement_is_the_adjusted_rand_index_with_unassigned_units_apart():
    labels, words, formats = np.array([0, 0, 1, 1, -1, -1]), np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 0, 1, 0, 1])
    table = rivals.agreement(labels, {"formats": formats, "words": words})
    assert table["rival"].tolist() == ["words", "formats"] and table.loc[0, "ari"] == 1 and table.loc[0, "k"] == 4
    assert table.loc[1, "ari"] == pytest.approx(adjusted_rand_score(formats, words))
