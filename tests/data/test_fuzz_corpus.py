"""Inputs that once were interesting, and a few seconds of new ones (`tests/data/fuzz_readers.py` runs longer)."""

import random
from pathlib import Path

import pytest

from tests.data.fuzz_readers import Wrong, damage, probe, run, seeds_of, watched

CORPUS = Path(__file__).parent / "corpus"


def test_the_corpus_is_small_and_every_file_of_it_is_read_or_refused_in_one_line(tmp_path):
    known = seeds_of(CORPUS)
    assert 0 < len(known) <= 200 and sum(map(len, known)) <= 200_000
    outcomes = []
    for number, data in enumerate(known):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "pool").write_bytes(data)
        outcomes.append(probe(tmp_path / str(number) / "pool"))
    assert 10 < outcomes.count("read") < len(known)  # of both kinds


def test_a_few_seconds_of_new_inputs_find_nothing(tmp_path):
    said = []
    assert run(5, CORPUS, 0, said.append, failures=tmp_path) == 0
    assert "built" in said[0] and "damaged" in said[0] and not list(tmp_path.iterdir())


def test_the_harness_itself_sees_a_row_without_an_account_a_hang_and_a_refusal(tmp_path):
    path = tmp_path / "pool"
    path.write_text('{"question": "a", "answer": "b"}\n')
    assert probe(path, 1, usable=True) == "read"
    with pytest.raises(Wrong, match="2 rows were written, 1"):
        probe(path, 2)
    path.write_text("[")
    with pytest.raises(Wrong, match="refused"):
        probe(path, 1, usable=True)
    with pytest.raises(Wrong, match="hangs"), watched(1):
        while True:
            damage(b"x" * 100, random.Random(0))
